/**
 * The room that a log takes on its disk: how much of its history stays, and whether there is room to go on.
 * Layers of LogStore provide it beside the log. Not the rule of what to keep, which is its caller's. Raft §7.
 */
import { Context, type Effect, type Stream } from "effect"
import type { LogCorrupt, LogFailed } from "./LogStore.ts"

/**
 * Whether the next segment can be made. `StorageShort`: not now, for want of space. The segment in use has room left at
 * first, so that a node can turn read-only and hand its leadership over; once it is full, appends wait. The log tries
 * again every second, and is `Roomy` as soon as it succeeds: nothing is lost and nothing has to be restarted.
 */
export type LogRoom =
  | { readonly _tag: "Roomy" }
  | { readonly _tag: "StorageShort"; readonly message: string; readonly neededBytes: number }

export class LogSpace extends Context.Service<
  LogSpace,
  {
    /** The first entry that can be read: {@link compact} and an installed snapshot advance it. */
    readonly firstIndex: Effect.Effect<number>
    /**
     * Removes history through `throughIndex` at most, in whole segments, and gives the first index that is left. It is
     * a programmer error above the newest snapshot mark: only what a durable snapshot stands for is removed (C14).
     */
    readonly compact: (options: { readonly throughIndex: number }) => Effect.Effect<number, LogFailed>
    readonly room: Effect.Effect<LogRoom>
    /** The room now, and whenever it changes. */
    readonly roomChanges: Stream.Stream<LogRoom>
    /** Reads old history again and again, at a bounded rate, and ends with the damage that it finds. */
    readonly scrub: Effect.Effect<never, LogFailed | LogCorrupt>
    /** Ends when a file of the log was removed or replaced; by then nothing more is appended. */
    readonly watch: Effect.Effect<never, LogFailed>
  }
>()("lithair/EventStore/LogSpace") {}
