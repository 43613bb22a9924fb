/**
 * The log on disk, as its users see it: ordered writes, one sync per batch, reads by index. FORMAT.md has the bytes.
 */
import { Context, type Effect, type Exit, Schema } from "effect"
import type { LogEntry, LogWrite, Recovered } from "./LogEntry.ts"

/**
 * The operating system refused a write, a sync or a read. After a failed write or sync the log takes no more writes.
 */
export class LogFailed extends Schema.TaggedError<LogFailed>()("LogFailed", {
  message: Schema.String,
  /** `compacted`: a read below the first index. A snapshot replaced those entries; the log itself is intact. */
  reason: Schema.optionalKey(Schema.Literals(["compacted"])),
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/** The failure of a read of `fromIndex` if `held` begins above it. */
export const compactedAway = (fromIndex: number, held: { readonly firstIndex: number }): LogFailed =>
  new LogFailed({
    message: `Cannot read entry ${fromIndex}: a snapshot stands for all entries below ${held.firstIndex}`,
    reason: "compacted"
  })

/** The files hold data that no crash leaves behind. The node must neither vote nor serve. */
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
    /** Writes all steps in order, then syncs once. They are durable when it returns. After a failure it always fails. */
    readonly append: (writes: ReadonlyArray<LogWrite>) => Effect.Effect<void, LogFailed>
    /**
     * Does the same without an Effect, if it can begin now: then it returns true, and calls `done` once, perhaps before
     * it returns. If it returns false it did nothing, and the caller uses {@link append}.
     */
    readonly appendNow: (writes: ReadonlyArray<LogWrite>, done: (exit: Exit.Exit<void, LogFailed>) => void) => boolean
    /**
     * Reads entries `fromIndex`..`toIndex` (inclusive): at least one if it exists, then as many as fit in `maxBytes` of
     * payload. If the range begins with entries that are compacted away, it fails with that reason.
     */
    readonly read: (range: {
      readonly fromIndex: number
      readonly toIndex: number
      readonly maxBytes: number
    }) => Effect.Effect<ReadonlyArray<LogEntry>, LogFailed | LogCorrupt>
    /** Forgets that entries were lost, durably when it returns: peers have given them back (`Recovered.isRepairing`). */
    readonly repaired: Effect.Effect<void, LogFailed>
  }
>()("lithair/EventStore/LogStore") {}
