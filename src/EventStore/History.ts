/**
 * The history of a log: entries that compaction took from the log, as its users see them. It holds committed entries
 * only, and may have gaps: a node that installed a snapshot never had the entries before it. KeptLog.ts moves entries
 * here, HistoryFiles.ts stores them, and Cluster/HistoryFetching.ts fetches from peers what is missing.
 */
import { Context, type Effect } from "effect"
import type { HistoryFile } from "./HistoryFormat.ts"
import type { LogEntry } from "./LogEntry.ts"
import type { LogCorrupt, LogFailed, LogStore } from "./LogStore.ts"

/** What is erased from files. */
export interface Erasing {
  /** The last erasure that is carried out. */
  readonly throughIndex: number
  /** The entry without erased data; the same object if it holds none. */
  readonly blank: (entry: LogEntry) => LogEntry
}

/** The entries `fromIndex`..`toIndex`, all of them. */
export interface HistoryRange {
  readonly fromIndex: number
  readonly toIndex: number
}

export class History extends Context.Service<
  History,
  {
    /** The entries that are here: ascending, apart from each other by at least one entry. */
    readonly ranges: () => ReadonlyArray<HistoryRange>
    /** The files of it, ascending: each has all entries of its range, and is removed as a whole. */
    readonly files: () => ReadonlyArray<HistoryFile>
    /**
     * Keeps the entries of a range, as `read` gives them: a log, or a peer. Those that are here already are not read.
     * They are durable when it returns. All of them must be committed. If it fails, files that are whole stay.
     */
    readonly keep: (
      range: HistoryRange,
      read: LogStore["Service"]["read"]
    ) => Effect.Effect<void, LogFailed | LogCorrupt>
    /**
     * Reads as {@link LogStore} does. Entries that are not here fail as `compacted`; so do those of a damaged file, which
     * is set aside, with an error in the log: damage to history stops nothing else.
     */
    readonly read: (range: HistoryRange & { readonly maxBytes: number }) => ReturnType<LogStore["Service"]["read"]>
    /** Removes the files with entries below `index` only, the oldest first. */
    readonly removeBelow: (index: number) => Effect.Effect<void, LogFailed>
    /**
     * The last erasure that all files here reflect: none of them holds data that it erased, or one before it. 0 if there
     * was none. It survives a restart.
     */
    readonly erasedThrough: () => number
    /**
     * Rewrites each file that holds erased data, and notes that it did so. A file is replaced as a whole, by a rename: a
     * crash leaves the old one or the new one, and the next call begins again. Files that were set aside as damaged go.
     */
    readonly erase: (erasing: Erasing) => Effect.Effect<void, LogFailed | LogCorrupt>
    /** Reads everything again and again, at a bounded rate, and sets aside what is damaged or missing. */
    readonly scrub: Effect.Effect<never>
  }
>()("lithair/EventStore/History") {}

/** Whether an entry is in one of the ranges. */
export const isIn = (ranges: ReadonlyArray<HistoryRange>, index: number): boolean =>
  ranges.some(({ fromIndex, toIndex }) => fromIndex <= index && index <= toIndex)
