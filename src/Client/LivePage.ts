/** A page of a list that stays right, as a program follows it: on a node (near/) or over HTTP (far/). docs/live.md. */
import * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import type { IdOf } from "../Model/Class.ts"
import type { FieldError } from "../Model/FieldError.ts"
import type { RowClass } from "../Model/RowCodecs.ts"
import type { ReadFailure } from "./Failure.ts"
import type { ListOptions } from "./ListOptions.ts"
import type { Versioned } from "./Versioned.ts"

/** The page to keep right: as for a list, but that no total is kept. */
export type LiveOptions<M extends RowClass> = Omit<ListOptions<M>, "countsTotal">

/** The page at one index of the log, and how it differs from the page before it in the stream. */
export interface LivePage<M extends RowClass> {
  /** The whole page, in order. A record that did not change is the same object as before. */
  readonly items: ReadonlyArray<Versioned<M>>
  /** The `cursor` of the list that follows; undefined if no record does. */
  readonly next: string | undefined
  /** The records of `items` that came into the page, changed or moved. */
  readonly put: ReadonlyArray<Versioned<M>>
  /** The ids of the records that left the page. */
  readonly removed: ReadonlyArray<IdOf<M>>
  /** The page reflects the replicated log up to this index at least. */
  readonly logIndex: number
  /** The greatest possible age of the page, in ms; undefined for a node's own data. */
  readonly staleMs: number | undefined
}

/**
 * Follows a page of a list. The first page is as new as the options ask; each later one has all that changed meanwhile. If
 * nothing changes, a page without differences comes at least every 15 s. A program that takes its time gets fewer pages
 * with larger differences.
 */
export type FollowLive<M extends RowClass> = (options?: LiveOptions<M>) => Stream.Stream<LivePage<M>, ReadFailure>

/** Checks the options, but for those of a list. */
export const checkLive = (options: object): Result.Result<void, ReadonlyArray<FieldError>> =>
  (options as ListOptions<RowClass>).countsTotal === undefined
    ? Result.void
    : Result.fail([{ path: "countsTotal", message: "is not kept right: leave it out" }])
