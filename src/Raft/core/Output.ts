/** Everything that the core wants done after one step. Pure data: the shell performs it, in the order of the fields. */
import type { LogWrite, SnapshotMark } from "../../EventStore/LogEntry.ts"
import type { ConfigurationAt } from "./Configurations.ts"
import type { ChangeRefusal } from "./MembershipChange.ts"
import type { Envelope, InstallSnapshot, InstallSnapshotReply, NodeId } from "./Message.ts"

/** One write of the ordered queue; its completion is told by {@link Persisted} with its `seq`. */
export interface SequencedWrite extends LogWrite {
  readonly seq: number
}

export interface ReadReady {
  readonly readId: number
  /** Applied up to here, the machine's state is linearizable for this read. */
  readonly readIndex: number
  /**
   * Set when no round confirmed it: what was read is linearizable only if, once it is read, the real monotonic clock is
   * still before this. Otherwise read again: the clock that this was decided on may have stood still (C7).
   */
  readonly leaseUntilMs?: number
}

/** A refusal is certain: nothing of the batch was appended, here or elsewhere (C18). */
export type ProposalResult =
  | { readonly _tag: "Accepted"; readonly firstIndex: number; readonly lastIndex: number }
  | { readonly _tag: "Refused"; readonly reason: "notLeader" | "stale" | "overloaded" | "transferring" }

/**
 * A change begins with the entry at `index`. It is over once the configuration in force is committed and has no
 * `outgoing`; like any entry it may be lost with its leader, and then the configuration before it is in force again.
 */
export type MembershipResult =
  | { readonly _tag: "Accepted"; readonly requestId: number; readonly index: number }
  | { readonly _tag: "Refused"; readonly requestId: number; readonly reason: ChangeRefusal }

/** Started: over when another leads, or after an election timeout, when this node takes proposals again. */
export type TransferResult =
  | { readonly _tag: "Started"; readonly to: NodeId }
  | { readonly _tag: "Refused"; readonly reason: "notLeader" | "transferring" | "notAnotherVoter" | "noTarget" }

/** Entries wanted from disk for a peer that is behind the window; at most one such request per peer is open. */
export interface LogReadRequest {
  readonly peer: NodeId
  readonly fromIndex: number
  readonly toIndex: number
  readonly maxBytes: number
}

/** A peer lacks entries that are compacted away: it needs any snapshot at or above this index. */
export interface SnapshotRequest {
  readonly peer: NodeId
  readonly atLeastIndex: number
}

export type RoleName = "follower" | "preCandidate" | "candidate" | "leader"

export interface RoleChanged {
  readonly role: RoleName
  readonly term: number
  readonly leader: NodeId | undefined
}

export interface Output {
  readonly write: SequencedWrite | undefined
  /** To send at once: those that depend on a write are kept back until it is durable. */
  readonly messages: ReadonlyArray<Envelope>
  /**
   * The machine is to be restored from this received snapshot before anything else is applied. It stands for whatever
   * was still to be applied, too: that is to be given up, for its entries may be gone from the log.
   */
  readonly restore: SnapshotMark | undefined
  /** Committed and durable here, to be applied in order; each entry is named once per run of the node. */
  readonly apply: { readonly fromIndex: number; readonly toIndex: number } | undefined
  readonly readsReady: ReadonlyArray<ReadReady>
  /** Not leader and none known, or leadership lost meanwhile, or too many waiting: try again. */
  readonly readsRefused: ReadonlyArray<number>
  /** Present exactly when the input was a proposal. */
  readonly proposal: ProposalResult | undefined
  /** Present exactly when the input was a change of membership. */
  readonly membership: MembershipResult | undefined
  /** Present exactly when the input was to transfer leadership. */
  readonly transfer: TransferResult | undefined
  /** Another configuration is in force here than before the step, committed or not: whom to connect to. */
  readonly configurationChanged: ConfigurationAt | undefined
  readonly readLog: ReadonlyArray<LogReadRequest>
  /** At most one is open per peer: until {@link SnapshotSent} is fed, or this node leads no more. */
  readonly needsSnapshot: ReadonlyArray<SnapshotRequest>
  /** To be stored, and answered by {@link SnapshotReceived} or {@link SnapshotInstalled}. */
  readonly snapshotChunk: { readonly from: NodeId; readonly message: InstallSnapshot } | undefined
  /** From a peer to which a snapshot is sent: where to go on, or that it is done. */
  readonly snapshotReply: { readonly peer: NodeId; readonly message: InstallSnapshotReply } | undefined
  /** History that nothing here needs any more; a durable snapshot stands for it. */
  readonly compact: { readonly throughIndex: number } | undefined
  /** To be said: this leader commits nothing, though a quorum answers and entries wait; `to` leads next, if anybody does. */
  readonly standstill:
    | {
        readonly forMs: number
        readonly commitIndex: number
        readonly lastIndex: number
        readonly to: NodeId | undefined
      }
    | undefined
  readonly roleChanged: RoleChanged | undefined
}
