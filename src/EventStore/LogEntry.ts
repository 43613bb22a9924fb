/** The content of a log as Raft, the disk and the wire share it: entries, writes, and the state at opening. Pure. Raft Fig. 2 (log[]). */

/** The purpose of an entry: a leader's first entry (diss. 6.4), a transaction of the machine, or a membership (§6). */
export type EntryType = "noop" | "transaction" | "configuration"

/** An entry. `index` counts from 1. The leader encodes `payload` once, and nobody encodes it again (docs/raft.md). */
export interface LogEntry {
  readonly index: number
  readonly term: number
  readonly type: EntryType
  readonly payload: Uint8Array
}

/** A node keeps this across restarts besides its log (Raft Fig. 2): the latest term that it saw, and its vote in it. */
export interface HardState {
  readonly currentTerm: number
  readonly votedFor: string | undefined
}

/** A durable snapshot, as the log knows it: `index` and `term` are those of the last entry that it replaces (§7). */
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
   * A snapshot that is durable already (C14). If the log holds its entry, of its term, the log notes it and keeps all
   * entries. Otherwise the log begins anew behind it, without any entry: so a node installs a snapshot beyond the end of
   * its log (§7). A snapshot older than the newest mark changes nothing.
   */
  readonly snapshot?: SnapshotMark
  readonly hardState?: HardState
  readonly entries: ReadonlyArray<LogEntry>
}

/**
 * The content of a log at opening. `firstIndex` is 1 until history is compacted. In a log without entries, `lastIndex`
 * is `firstIndex` − 1: 0, or the index of its snapshot.
 */
export interface Recovered {
  readonly hardState: HardState
  readonly firstIndex: number
  readonly lastIndex: number
  /** The term of entry `firstIndex` − 1; absent if there is no such entry. */
  readonly previousTerm?: number
  /** The newest mark; absent if there is none. It lies from `firstIndex` − 1 to `lastIndex`. */
  readonly snapshot?: SnapshotMark
  /** The indexes of the configuration entries, ascending; absent if there are none. */
  readonly configurationIndexes?: ReadonlyArray<number>
  /**
   * Whether the log has lost entries to damage, at this opening or before, and nobody has given them back since: present
   * and true until `LogStore.repaired`. The hard state is not among what was lost.
   */
  readonly isRepairing?: boolean
  /** The first index of every run of entries of one term, ascending. */
  readonly termRuns: ReadonlyArray<{ readonly fromIndex: number; readonly term: number }>
}
