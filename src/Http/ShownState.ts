/** Encodes the states of projections for answers. */
import { Effect, Result, type Schema } from "effect"
import { type Problem, problem } from "../Problem.ts"
import type { Folded } from "../Projection/Definition.ts"
import { encodeState } from "../Projection/Saved.ts"

/** Encodes a state as JSON. A failure is the fault of the projection's code, not of the request. */
export const shownState = <S>(projection: Folded<S>, state: S): Effect.Effect<Schema.Json, Problem> => {
  const encoded = encodeState(projection, state)
  if (Result.isSuccess(encoded)) return Effect.succeed(encoded.success)
  const { name } = projection
  return Effect.andThen(
    Effect.logError(`A state of the projection ${name} ${encoded.failure}`),
    Effect.fail(problem("projection-failed", `A state of ${name} ${encoded.failure}`, { projection: name }))
  )
}
