/** Reads the projections of a node. */
import { Effect, Option } from "effect"
import { limitDefault } from "../../Http/PageLimit.ts"
import { resumedAt, statesCursor } from "../../Http/ProjectionQuery.ts"
import type { Problem } from "../../Problem.ts"
import type { Folded } from "../../Projection/Definition.ts"
import type { Projections } from "../../Projection/Projections.ts"
import type { Read } from "../../Repository/Records.ts"
import { misread } from "../Failure.ts"
import { limitOf } from "../ListOptions.ts"
import type { ReadOptions } from "../ReadOptions.ts"
import type { States } from "../States.ts"
import type { Session } from "./Reading.ts"
import type { ServedHere } from "./Served.ts"

/** Reads projections. */
export const make = (projections: Projections["Service"], session: Session, served: ServedHere): States => {
  const valueOf = <A, E extends Failing>(read: Effect.Effect<Read<A>, E>) =>
    read.pipe(
      session.watch,
      Effect.mapBoth({ onFailure: (failure) => failure.toProblem(), onSuccess: ({ value }) => value })
    )
  const consistencyOf = (projection: Folded<unknown>, options: ReadOptions) =>
    Effect.andThen(served.projection(projection), session.consistencyOf(options))
  return {
    get: (projection, options = {}) =>
      Effect.flatMap(consistencyOf(projection, options), (consistency) =>
        valueOf(projections.get(projection, consistency))
      ),
    getKey: (projection, key, options = {}) =>
      Effect.flatMap(consistencyOf(projection, options), (consistency) =>
        Effect.map(valueOf(projections.getKey(projection, key, consistency)), Option.fromUndefinedOr)
      ),
    page: Effect.fnUntraced(function* (projection, { cursor, limit = limitDefault, ...options } = {}) {
      const consistency = yield* consistencyOf(projection, options)
      yield* misread(limitOf(limit))
      const after = cursor === undefined ? {} : { after: yield* Effect.fromResult(resumedAt(projection, cursor)) }
      const { hasMore, items } = yield* valueOf(projections.page(projection, { limit, ...after }, consistency))
      const last = items.at(-1)
      const next = hasMore && last !== undefined ? statesCursor(projection, last.key) : undefined
      return { items: items.map(({ key, state }) => ({ key, value: state })), next }
    })
  }
}

type Failing = { readonly toProblem: () => Problem }
