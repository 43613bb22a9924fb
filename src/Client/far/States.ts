/** Reads the projections of a cluster by requests. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { projectionPath } from "../../Http/Paths.ts"
import type { Keyed } from "../../Projection/Definition.ts"
import { misread } from "../Failure.ts"
import { limitOf } from "../ListOptions.ts"
import { checkRead, type ReadOptions } from "../ReadOptions.ts"
import type { States, StatesOptions } from "../States.ts"
import { decoded, isAbsent } from "./Answer.ts"
import { reading } from "./Reading.ts"
import type { Sending } from "./Sending.ts"

/** Reads projections. */
export const make = (sending: Sending): States => {
  const ask = (projection: { readonly name: string }, options: ReadOptions, more: ReadonlyArray<[string, string]>) => {
    const { headers, query } = reading(options, sending.seenIndex())
    const path = projectionPath(projection)
    return Effect.andThen(
      misread(checkRead(options)),
      sending.ask({ method: "GET", path, query: [...more, ...query], headers })
    )
  }
  return {
    get: (projection, options = {}) =>
      Effect.flatMap(ask(projection, options, []), ({ body }) =>
        decoded(Schema.decodeUnknownResult(projection.codec)(body))
      ),
    getKey: (projection, key, options = {}) =>
      ask(projection, options, [["key", key]]).pipe(
        Effect.flatMap(({ body }) => decoded(Schema.decodeUnknownResult(projection.codec)(body))),
        Effect.map(Option.some),
        Effect.catchIf(isAbsent, () => Effect.succeedNone)
      ),
    page: Effect.fnUntraced(function* <S>(projection: Keyed<S>, { cursor, limit, ...options }: StatesOptions = {}) {
      yield* misread(limitOf(limit))
      const { body } = yield* ask(projection, options, [
        ...(limit === undefined ? [] : [["limit", String(limit)] as [string, string]]),
        ...(cursor === undefined ? [] : [["cursor", cursor] as [string, string]])
      ])
      const page = Schema.Struct({
        items: Schema.Array(Schema.Struct({ key: Schema.String, value: projection.codec })),
        next: Schema.NullOr(Schema.String)
      })
      const { items, next } = yield* decoded(Schema.decodeUnknownResult(page)(body))
      return { items, next: next ?? undefined }
    })
  }
}
