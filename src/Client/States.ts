/** Reads the projections of a cluster, typed by their declarations. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { projectionPath } from "../Http/Paths.ts"
import type { Keyed, Whole } from "../Projection/Definition.ts"
import { decoded, isAbsent } from "./Failure.ts"
import { type ReadOptions, reading } from "./Reading.ts"
import type { ReadFailure } from "./Records.ts"
import type { Sending } from "./Sending.ts"

/** A page of states of a keyed projection, in the order of their keys. */
export interface StatesPage<S> {
  readonly items: ReadonlyArray<{ readonly key: string; readonly state: S }>
  /** Give it as `cursor` to get the next page; undefined on the last one. */
  readonly next: string | undefined
}

/** Options of a page of states. */
export interface StatesOptions extends ReadOptions {
  /** States of a page, from 1 to 1,000; 50 by default. */
  readonly limit?: number
  readonly cursor?: string
}

/** Reads projections of a cluster. */
export interface States {
  /** Reads the state; before the first event it is the initial one. */
  readonly get: <S>(projection: Whole<S>, options?: ReadOptions) => Effect.Effect<S, ReadFailure>
  readonly getKey: <S>(
    projection: Keyed<S>,
    key: string,
    options?: ReadOptions
  ) => Effect.Effect<Option.Option<S>, ReadFailure>
  readonly page: <S>(projection: Keyed<S>, options?: StatesOptions) => Effect.Effect<StatesPage<S>, ReadFailure>
}

/** Reads projections by requests to their cluster. */
export const make = (sending: Sending): States => {
  const ask = (projection: { readonly name: string }, options: ReadOptions, more: ReadonlyArray<[string, string]>) => {
    const { headers, query } = reading(options, sending.seenIndex())
    return sending.ask({ method: "GET", path: projectionPath(projection), query: [...more, ...query], headers })
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
      const { body } = yield* ask(projection, options, [
        ...(limit === undefined ? [] : [["limit", String(limit)] as [string, string]]),
        ...(cursor === undefined ? [] : [["cursor", cursor] as [string, string]])
      ])
      const page = Schema.Struct({
        items: Schema.Array(Schema.Struct({ key: Schema.String, value: projection.codec })),
        next: Schema.NullOr(Schema.String)
      })
      const { items, next } = yield* decoded(Schema.decodeUnknownResult(page)(body))
      return { items: items.map(({ key, value }) => ({ key, state: value })), next: next ?? undefined }
    })
  }
}
