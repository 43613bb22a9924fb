/** One entry of a log, as Raft, the disk and the wire all see it. Pure. Raft Fig. 2 (log[]). */

/** What an entry is for: a leader's first entry (diss. 6.4), a transaction of the machine, or a membership (§6). */
export type EntryType = "noop" | "transaction" | "configuration"

/** An entry: `index` is 1-based; `payload` is encoded once, on the leader, and never re-encoded (RAFT core rule). */
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
