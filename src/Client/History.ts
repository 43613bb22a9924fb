/** The past of a record, as a program reads it: on a node (near/) or over HTTP (far/). docs/client.md. Pure. */
import * as Result from "effect/Result"
import type { FieldError } from "../Model/FieldError.ts"
import { instantMaxMs, instantMinMs } from "../Model/Rfc3339.ts"
import type { RowClass } from "../Model/RowCodecs.ts"
import { checkRead, type ReadOptions } from "./ReadOptions.ts"

/** A past state of a record: one of its versions, or the state at a time, in ms since 1970. */
export type Moment = { readonly version: number } | { readonly timeMs: number }

/** Which page of a history to read. */
export interface HistoryOptions extends ReadOptions {
  /** Versions of a page, from 1 to 1,000; 50 by default. */
  readonly limit?: number
  /** The `next` of the page before. */
  readonly cursor?: string
}

/** A version of a record, and the change that made it. */
export interface Past<M extends RowClass> {
  readonly type: "created" | "updated" | "deleted"
  readonly version: number
  /** The record after the change; after a deletion, the last one. Local fields are missing. Undefined if it was erased. */
  readonly row: M["Type"] | undefined
  /** The index of the entry that changed it. */
  readonly index: number
  /** When the change was decided, by the leader's clock, in ms. */
  readonly timeMs: number
  /** Who asked for the change, if the cluster knows it. */
  readonly actor: string | undefined
  /**
   * Present after a restore, if a backup held the record at this version, and not the change that made it: `timeMs` is
   * that of the backed-up state, which came later than the change, and nobody knows the actor.
   */
  readonly isOfState?: true
}

/** One page of a record's history, oldest first. It may be empty: only `next` says that it is the last one. */
export interface HistoryPage<M extends RowClass> {
  readonly items: ReadonlyArray<Past<M>>
  /** Give it as `cursor` to get the next page; undefined on the last one. */
  readonly next: string | undefined
  /** Whether the pages begin with the record's first version. If not, the node does not hold it, or does not know yet. */
  readonly isComplete: boolean
}

/** Checks the moment of a read of the past, and its options. */
export const checkMoment = (moment: Moment, options: ReadOptions): Result.Result<void, ReadonlyArray<FieldError>> => {
  const wrong = (path: string, message: string) => Result.fail([{ path, message }])
  if ("version" in moment) {
    const isVersion = Number.isSafeInteger(moment.version) && moment.version >= 1 && moment.version < 1e15
    if (!isVersion) return wrong("version", "takes a whole number from 1")
  } else {
    const { timeMs } = moment
    const isTime = Number.isSafeInteger(timeMs) && timeMs >= instantMinMs && timeMs <= instantMaxMs
    if (!isTime) return wrong("timeMs", "takes whole ms since 1970, in the years 0000 to 9999")
  }
  return checkRead(options)
}
