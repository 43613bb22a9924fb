/**
 * The log on disk, as its users see it: ordered writes, one sync for a batch of them, reads by index.
 * Not the format (FORMAT.md) and not consensus.
 */
import { Context, type Effect, Schema } from "effect"
import type { HardState, LogEntry, SnapshotMark } from "./LogEntry.ts"

/**
 * One ordered step of a log: first the truncation, then the snapshot mark, then the hard state, then the entries.
 * `truncateFromIndex` removes that entry and all after it; `entries` follow the last index without a gap.
 */
export interface LogWrite {
  readonly truncateFromIndex?: number
  /**
   * A snapshot that is durable already (C14). Where the log holds its entry, of its term, it is noted and all entries
   * stay. Otherwise the log begins anew behind it, without any entry: that is how a snapshot beyond the end of the log
   * is installed (§7). One that is older than the newest mark changes nothing.
   */
  readonly snapshot?: SnapshotMark
  readonly hardState?: HardState
  readonly entries: ReadonlyArray<LogEntry>
}

/**
 * What a log held when it was opened. `firstIndex` is 1 until history is compacted. A log without entries has a
 * `lastIndex` of `firstIndex` − 1: of 0, or of its snapshot's.
 */
export interface Recovered {
  readonly hardState: HardState
  readonly firstIndex: number
  readonly lastIndex: number
  /** The term of entry `firstIndex` − 1; absent when there is no such entry. */
  readonly previousTerm?: number
  /** The newest mark; absent when there is none. It lies from `firstIndex` − 1 to `lastIndex`. */
  readonly snapshot?: SnapshotMark
  /** Where the configuration entries are, ascending; absent when there is none. */
  readonly configurationIndexes?: ReadonlyArray<number>
  /** Ascending: the first index of every run of entries of one term. */
  readonly termRuns: ReadonlyArray<{ readonly fromIndex: number; readonly term: number }>
}

/** A write, sync or read that the operating system refused. After a failed write or sync the log is poisoned for good. */
export class LogFailed extends Schema.TaggedError<LogFailed>()("LogFailed", {
  message: Schema.String,
  /** `compacted`: a read below the first index. A snapshot stands for those entries; the log is none the worse. */
  reason: Schema.optionalKey(Schema.Literals(["compacted"])),
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/** What a read of `fromIndex` fails with where `held` begins above it. */
export const compactedAway = (fromIndex: number, held: { readonly firstIndex: number }): LogFailed =>
  new LogFailed({
    message: `Cannot read entry ${fromIndex}: a snapshot stands for all entries below ${held.firstIndex}`,
    reason: "compacted"
  })

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
    /**
     * Entries `fromIndex`..`toIndex` (inclusive), at least one if it exists, then as many as fit in `maxBytes` of
     * payload. A range that begins with entries which were compacted away fails, with that reason.
     */
    readonly read: (range: {
      readonly fromIndex: number
      readonly toIndex: number
      readonly maxBytes: number
    }) => Effect.Effect<ReadonlyArray<LogEntry>, LogFailed | LogCorrupt>
  }
>()("lithair/EventStore/LogStore") {}
