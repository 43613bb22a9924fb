/**
 * The room that a log takes on its disk: how far back it reaches, and whether it has room for more. Layers of
 * LogStore provide it beside the log. The caller decides what to keep. Raft §7.
 */
import { Context, type Effect, type Stream } from "effect"
import type { LogCorrupt, LogFailed } from "./LogStore.ts"

/**
 * Whether the disk has room for the next segment. `StorageShort`: it has not. The current segment still has some, so
 * that the node can turn read-only and hand its leadership over; once that is full, appends wait. The log tries again
 * every second, and is `Roomy` as soon as it succeeds: it loses nothing, and nobody has to restart the node.
 */
export type LogRoom =
  | { readonly _tag: "Roomy" }
  | { readonly _tag: "StorageShort"; readonly message: string; readonly neededBytes: number }

export class LogSpace extends Context.Service<
  LogSpace,
  {
    /** The first entry of the log. {@link compact} and an installed snapshot advance it. */
    readonly firstIndex: () => number
    /**
     * Removes entries through `throughIndex` at most, in whole segments, and returns the first index that is left. Above
     * the newest snapshot mark it is a broken invariant: a durable snapshot must replace all that is removed (C14). If
     * the log has a history (KeptLog.ts), the entries are there by then, and reads still find them.
     */
    readonly compact: (options: { readonly throughIndex: number }) => Effect.Effect<number, LogFailed | LogCorrupt>
    /** The last entry that {@link compact} would remove now, at or above `firstIndex` − 1. */
    readonly removableIndex: (options: { readonly throughIndex: number }) => number
    /**
     * Copies the entries through `throughIndex` into the history, if the log has one. They must be committed. Call it
     * before the log begins anew behind a snapshot, which removes them.
     */
    readonly keep: (options: { readonly throughIndex: number }) => Effect.Effect<void, LogFailed | LogCorrupt>
    /**
     * Ends the segment in use and enters the next one, and returns the last entry of the former: {@link compact} can
     * remove all entries through it. The log's bytes are the same otherwise.
     */
    readonly endSegment: Effect.Effect<number, LogFailed>
    /** Removes what starts have set aside beside the log: bytes that it never acknowledged, and files that it does not use. */
    readonly removeAside: Effect.Effect<void, LogFailed>
    readonly room: Effect.Effect<LogRoom>
    /** The room now, and after each change. */
    readonly roomChanges: Stream.Stream<LogRoom>
    /** Reads old history again and again, at a bounded rate, and fails at the first damage. */
    readonly scrub: Effect.Effect<never, LogFailed | LogCorrupt>
    /** Fails once a file of the log was removed or replaced. From then on the log takes no more writes. */
    readonly watch: Effect.Effect<never, LogFailed>
  }
>()("lithair/EventStore/LogSpace") {}
