/**
 * The log on disk, as its users see it: ordered writes, one sync for a batch of them, reads by index.
 * Not the format (FORMAT.md) and not consensus.
 */
import { Context, type Effect, Schema } from "effect"
import type { HardState, LogEntry } from "./LogEntry.ts"

/**
 * One ordered step of a log: first the truncation, then the hard state, then the entries.
 * `truncateFromIndex` removes that entry and all after it; `entries` follow the last index without a gap.
 */
export interface LogWrite {
  readonly truncateFromIndex?: number
  readonly hardState?: HardState
  readonly entries: ReadonlyArray<LogEntry>
}

/** What a log held when it was opened. `firstIndex` is 1 until history is compacted; an empty log has `lastIndex` 0. */
export interface Recovered {
  readonly hardState: HardState
  readonly firstIndex: number
  readonly lastIndex: number
  /** Ascending: the first index of every run of entries of one term. */
  readonly termRuns: ReadonlyArray<{ readonly fromIndex: number; readonly term: number }>
}

/** A write, sync or read that the operating system refused. After a failed write or sync the log is poisoned for good. */
export class LogFailed extends Schema.TaggedError<LogFailed>()("LogFailed", {
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/** The files hold what no crash leaves behind: the node must neither vote nor serve. */
export class LogCorrupt extends Schema.TaggedError<LogCorrupt>()("LogCorrupt", {
  message: Schema.String,
  file: Schema.String,
  offset: Schema.Int,
  index: Schema.Int
}) {}

/** The log of one node. Its users write one batch at a time: a second {@link append} waits for the first. */
export class LogStore extends Context.Service<
  LogStore,
  {
    readonly recovered: Recovered
    /** Writes all steps in order, then syncs once. Durable when it returns; after a failure nothing more succeeds. */
    readonly append: (writes: ReadonlyArray<LogWrite>) => Effect.Effect<void, LogFailed>
    /** Entries `fromIndex`..`toIndex` (inclusive), at least one if it exists, then as many as fit in `maxBytes` of payload. */
    readonly read: (range: {
      readonly fromIndex: number
      readonly toIndex: number
      readonly maxBytes: number
    }) => Effect.Effect<ReadonlyArray<LogEntry>, LogFailed | LogCorrupt>
  }
>()("lithair/EventStore/LogStore") {}
