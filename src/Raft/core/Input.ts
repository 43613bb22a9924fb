/** The inputs of the core: time, messages, requests, and completions of I/O. Pure data. */
import type { EntryType, LogEntry } from "../../EventStore/LogEntry.ts"
import type { Configuration } from "./Configuration.ts"
import type { MembershipChange } from "./MembershipChange.ts"
import type { Message, NodeId } from "./Message.ts"

/** Time has passed. `nowMs` is monotonic; `random`, in [0, 1), spreads election timeouts (§5.2). */
export interface Tick {
  readonly _tag: "Tick"
  readonly nowMs: number
  readonly random: number
}

export interface Receive {
  readonly _tag: "Receive"
  readonly from: NodeId
  readonly message: Message
}

/**
 * A batch that was decided on the log that ends at (`term`, `lastIndex`). The core appends it exactly there, or refuses
 * all of it.
 */
export interface Propose {
  readonly _tag: "Propose"
  readonly term: number
  readonly lastIndex: number
  readonly entries: ReadonlyArray<{ readonly type: EntryType; readonly payload: Uint8Array }>
}

/** Linearizable reads (diss. 6.4). `atLeastIndex` is the end of the log that an answer was decided on. */
export interface Read {
  readonly _tag: "Read"
  readonly readIds: ReadonlyArray<number>
  readonly atLeastIndex?: number
  /** Whether the caller checks the clock again after it has read, as `leaseUntilMs` demands (diss. 6.4.1). */
  readonly mayLease?: boolean
}

/** The write `seq`, and every write before it, is synced. */
export interface Persisted {
  readonly _tag: "Persisted"
  readonly seq: number
}

/** The machine has applied every entry through `index`. */
export interface Applied {
  readonly _tag: "Applied"
  readonly index: number
}

/** The entries that the log returned for a `readLog` output. Empty if the read failed. */
export interface LogRead {
  readonly _tag: "LogRead"
  readonly peer: NodeId
  readonly entries: ReadonlyArray<LogEntry>
}

/** A snapshot of this node's applied state, through `index`, is durable. */
export interface LocalSnapshot {
  readonly _tag: "LocalSnapshot"
  readonly index: number
}

/** The shell has stored chunks of a snapshot from the leader `from`: `receivedBytes` in all, from the first byte on. */
export interface SnapshotReceived {
  readonly _tag: "SnapshotReceived"
  readonly from: NodeId
  readonly snapshotIndex: number
  readonly receivedBytes: number
}

/**
 * A received snapshot is whole, verified and durable. The machine is not restored from it yet, since that may not be
 * needed.
 */
export interface SnapshotInstalled {
  readonly _tag: "SnapshotInstalled"
  readonly index: number
  readonly term: number
  readonly configuration: Configuration
}

/** The sending for a `needsSnapshot` output has ended. `ok` says that the peer has installed the snapshot. */
export interface SnapshotSent {
  readonly _tag: "SnapshotSent"
  readonly peer: NodeId
  readonly ok: boolean
}

/** The transport lost or refused messages to this peer. Messages in flight may be lost. */
export interface PeerUnreachable {
  readonly _tag: "PeerUnreachable"
  readonly peer: NodeId
}

/** Both lanes to this peer are connected. Earlier messages may be lost; new ones can arrive. */
export interface PeerReachable {
  readonly _tag: "PeerReachable"
  readonly peer: NodeId
}

/** An operator asks for other members. The result comes back with the same `requestId`. */
export interface ChangeMembership {
  readonly _tag: "ChangeMembership"
  readonly requestId: number
  readonly change: MembershipChange
}

/** An operator asks for another leader: the voter `to`, or the one that has caught up most (diss. 3.10). */
export interface TransferLeadership {
  readonly _tag: "TransferLeadership"
  readonly to?: NodeId
}

/** A write is overdue. Until one completes, this node must neither lead nor campaign. */
export interface DiskStalled {
  readonly _tag: "DiskStalled"
}

/**
 * The machine's state differs from that of a majority, or is trusted again. The log is right all the same: until the
 * state is trusted again, this node votes and acknowledges entries, and does not lead, campaign or read.
 */
export interface StateSuspected {
  readonly _tag: "StateSuspected"
  readonly isSuspect: boolean
}

/**
 * The log must not keep any entry through `throughIndex`, even for peers that lack it: the data was erased. The entries go once
 * a snapshot stands for them.
 */
export interface Discard {
  readonly _tag: "Discard"
  readonly throughIndex: number
}

/** This node is to stop. It hands leadership over. It can stop once it does not lead and holds no message back. */
export interface ShutDown {
  readonly _tag: "ShutDown"
}

export type Input =
  | Tick
  | Receive
  | Propose
  | Read
  | Persisted
  | Applied
  | LogRead
  | LocalSnapshot
  | SnapshotReceived
  | SnapshotInstalled
  | SnapshotSent
  | PeerUnreachable
  | PeerReachable
  | ChangeMembership
  | TransferLeadership
  | DiskStalled
  | StateSuspected
  | Discard
  | ShutDown
