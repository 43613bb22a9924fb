/** The states of projections, as a program reads them: on a node (near/) or over HTTP (far/). Types only. */
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Keyed, Whole } from "../Projection/Definition.ts"
import type { ReadFailure } from "./Failure.ts"
import type { ReadOptions } from "./ReadOptions.ts"

/** A page of states of a keyed projection, in the order of their keys. */
export interface StatesPage<S> {
  readonly items: ReadonlyArray<{ readonly key: string; readonly value: S }>
  /** Give it as `cursor` to get the next page; undefined on the last one. */
  readonly next: string | undefined
}

/** Options of a page of states. */
export interface StatesOptions extends ReadOptions {
  /** States of a page, from 1 to 1,000; 50 by default. */
  readonly limit?: number
  /** The `next` of the previous page of the same projection. */
  readonly cursor?: string
}

/** Reads projections of a cluster. */
export interface States {
  /** Reads the state; before the first event it is the initial one. */
  readonly get: <S>(projection: Whole<S>, options?: ReadOptions) => Effect.Effect<S, ReadFailure>
  /** Reads the state of one key. */
  readonly getKey: <S>(
    projection: Keyed<S>,
    key: string,
    options?: ReadOptions
  ) => Effect.Effect<Option.Option<S>, ReadFailure>
  /** Reads states of many keys, page by page. */
  readonly page: <S>(projection: Keyed<S>, options?: StatesOptions) => Effect.Effect<StatesPage<S>, ReadFailure>
}
