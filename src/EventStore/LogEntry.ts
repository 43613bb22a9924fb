/** What a log holds, as Raft, the disk and the wire all see it: entries, writes, and what was found when it was opened. Pure. Raft Fig. 2 (log[]). */

/** What an entry is for: a leader's first entry (diss. 6.4), a transaction of the machine, or a membership (§6). */
export type EntryType = "noop" | "transaction" | "configuration"

/** An entry: `index` is 1-based; `payload` is encoded once, on the leader, and never re-encoded (docs/raft.md). */
export interface LogEntry {
  readonly index: number
  readonly term: number
  readonly type: EntryType
  readonly payload: Uint8Array
}

/** What a node must remember across restarts besides its log (Raft Fig. 2): the latest term seen, and the vote in it. */
export interface HardState {
  readonly currentTerm: number
  readonly votedFor: string | undefined
}

/** A durable snapshot, as the log knows it: `index` is the last entry that it stands for, `term` that entry's (§7). */
export interface SnapshotMark {
  readonly index: number
  readonly term: number
}

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
