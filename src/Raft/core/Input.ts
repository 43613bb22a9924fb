/** Everything that can happen to the core: time, messages, requests and completions of I/O. Pure data. */
import type { EntryType, LogEntry } from "../../EventStore/LogEntry.ts"
import type { Configuration } from "./Configuration.ts"
import type { MembershipChange } from "./MembershipChange.ts"
import type { Message, NodeId } from "./Message.ts"

/** Time passed. `nowMs` is monotonic; `random`, in [0, 1), spreads election timeouts (§5.2). */
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

/** A batch decided on the log that ends at (`term`, `lastIndex`): appended exactly there, or refused as a whole. */
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
  /** The asker will look at the clock again once it has read, as `leaseUntilMs` demands (diss. 6.4.1). */
  readonly mayLease?: boolean
}

/** The write `seq`, and every one before it, is synced. */
export interface Persisted {
  readonly _tag: "Persisted"
  readonly seq: number
}

/** The machine has applied every entry up to `index`. */
export interface Applied {
  readonly _tag: "Applied"
  readonly index: number
}

/** What the log held for a `readLog` output; empty when the read failed. */
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

/** The chunks stored so far of a snapshot that the leader `from` sends: how many bytes from its beginning on. */
export interface SnapshotReceived {
  readonly _tag: "SnapshotReceived"
  readonly from: NodeId
  readonly snapshotIndex: number
  readonly receivedBytes: number
}

/** A received snapshot is whole, verified and durable. The machine is not restored from it yet: that may not be needed. */
export interface SnapshotInstalled {
  readonly _tag: "SnapshotInstalled"
  readonly index: number
  readonly term: number
  readonly configuration: Configuration
}

/** The sending that a `needsSnapshot` output asked for is over; `ok` if the peer has installed it. */
export interface SnapshotSent {
  readonly _tag: "SnapshotSent"
  readonly peer: NodeId
  readonly ok: boolean
}

/** The transport lost messages to this peer, or refused one: what was in flight cannot be counted on. */
export interface PeerUnreachable {
  readonly _tag: "PeerUnreachable"
  readonly peer: NodeId
}

/** A connection to this peer has come up, in both lanes: what was sent before may be lost, and what is sent now may arrive. */
export interface PeerReachable {
  readonly _tag: "PeerReachable"
  readonly peer: NodeId
}

/** An operator asks for other members; `requestId` comes back with what became of it. */
export interface ChangeMembership {
  readonly _tag: "ChangeMembership"
  readonly requestId: number
  readonly change: MembershipChange
}

/** An operator wants another leader: this one, or whichever has caught up most (diss. 3.10). */
export interface TransferLeadership {
  readonly _tag: "TransferLeadership"
  readonly to?: NodeId
}

/** A write is overdue: this node must neither lead nor campaign until one completes. */
export interface DiskStalled {
  readonly _tag: "DiskStalled"
}

/**
 * The machine's state differs from that of a majority, or is believed again. The log is right all the same: this node
 * goes on to vote and to acknowledge, and neither leads, campaigns nor reads meanwhile.
 */
export interface StateSuspected {
  readonly _tag: "StateSuspected"
  readonly isSuspect: boolean
}

/** This node is to stop: it hands leadership over, and is ready to stop once it does not lead and holds no message back. */
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
  | ShutDown
