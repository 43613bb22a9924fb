/** The output of one step of the core. Pure data: the shell performs it, in the order of the fields. */
import type { LogWrite, SnapshotMark } from "../../EventStore/LogEntry.ts"
import type { ConfigurationAt } from "./Configurations.ts"
import type { ChangeRefusal } from "./MembershipChange.ts"
import type { Envelope, InstallSnapshot, InstallSnapshotReply, NodeId } from "./Message.ts"

/** One write of the ordered queue. The shell reports its completion by {@link Persisted} with its `seq`. */
export interface SequencedWrite extends LogWrite {
  readonly seq: number
}

/** A read that may be served. */
export interface ReadReady {
  readonly readId: number
  /** Once the machine has applied this entry, its state is linearizable for this read. */
  readonly readIndex: number
  /**
   * Present if a lease, and no round, allows the read. The result is linearizable only if the real monotonic clock,
   * after the read, is still before this time. Otherwise read again: the clock of the decision may have stood still
   * (C7).
   */
  readonly leaseUntilMs?: number
}

/** The result of a proposal. A refusal is certain: no entry of the batch was appended, on any node (C18). */
export type ProposalResult =
  | { readonly _tag: "Accepted"; readonly firstIndex: number; readonly lastIndex: number }
  | { readonly _tag: "Refused"; readonly reason: "notLeader" | "stale" | "overloaded" | "transferring" }

/**
 * The result of a membership change, which begins with the entry at `index`. It is over once the configuration in force
 * is committed and has no `outgoing`. Like any entry it may be lost with its leader; then the former configuration is
 * in force again.
 */
export type MembershipResult =
  | { readonly _tag: "Accepted"; readonly requestId: number; readonly index: number }
  | { readonly _tag: "Refused"; readonly requestId: number; readonly reason: ChangeRefusal }

/**
 * The result of a request to hand over. A started hand-over ends when another node leads, or after an election timeout,
 * when this node takes proposals again.
 */
export type TransferResult =
  | { readonly _tag: "Started"; readonly to: NodeId }
  | { readonly _tag: "Refused"; readonly reason: "notLeader" | "transferring" | "notAnotherVoter" | "noTarget" }

/** A request for entries from disk, for a peer that is behind the window. Each peer has at most one open. */
export interface LogReadRequest {
  readonly peer: NodeId
  readonly fromIndex: number
  readonly toIndex: number
  readonly maxBytes: number
}

/** A peer lacks entries that are compacted away. It needs a snapshot at or above this index. */
export interface SnapshotRequest {
  readonly peer: NodeId
  readonly atLeastIndex: number
}

/** The roles of a node. A `preCandidate` asks for votes without starting a term. */
export type RoleName = "follower" | "preCandidate" | "candidate" | "leader"

/** The role of this node, its term, and the leader that it knows. */
export interface RoleChanged {
  readonly role: RoleName
  readonly term: number
  readonly leader: NodeId | undefined
}

/** The work for the shell after one step. */
export interface Output {
  readonly write: SequencedWrite | undefined
  /** Messages to send at once. The core holds back messages that depend on a write until it is durable. */
  readonly messages: ReadonlyArray<Envelope>
  /**
   * The received snapshot from which the shell restores the machine before it applies anything else. The shell drops
   * entries that it has not applied yet: the snapshot covers them, and the log may have lost them.
   */
  readonly restore: SnapshotMark | undefined
  /** Entries that are committed and durable here, to apply in order. Each entry is given once per run of the node. */
  readonly apply: { readonly fromIndex: number; readonly toIndex: number } | undefined
  readonly readsReady: ReadonlyArray<ReadReady>
  /** Reads that the caller may try again: no leader is known, leadership was lost meanwhile, or too many reads wait. */
  readonly readsRefused: ReadonlyArray<number>
  /** Present exactly when the input was a proposal. */
  readonly proposal: ProposalResult | undefined
  /** Present exactly when the input was a change of membership. */
  readonly membership: MembershipResult | undefined
  /** Present exactly when the input was a transfer of leadership. */
  readonly transfer: TransferResult | undefined
  /** The configuration in force, committed or not, if this step changed it. It says which peers to connect to. */
  readonly configurationChanged: ConfigurationAt | undefined
  readonly readLog: ReadonlyArray<LogReadRequest>
  /**
   * Peers that need a snapshot. Each peer has at most one request open, until {@link SnapshotSent} arrives or this node
   * stops leading.
   */
  readonly needsSnapshot: ReadonlyArray<SnapshotRequest>
  /** A chunk to store. The shell answers by {@link SnapshotReceived} or {@link SnapshotInstalled}. */
  readonly snapshotChunk: { readonly from: NodeId; readonly message: InstallSnapshot } | undefined
  /** An answer from a peer that receives a snapshot: where to resume, or that it has installed it. */
  readonly snapshotReply: { readonly peer: NodeId; readonly message: InstallSnapshotReply } | undefined
  /** Entries that a durable snapshot replaces and that no peer needs. The shell may delete them. */
  readonly compact: { readonly throughIndex: number } | undefined
  /**
   * Present if this leader commits nothing, although a quorum answers and entries wait. The shell logs it. `to` is the
   * next leader, if there is one.
   */
  readonly standstill:
    | {
        readonly forMs: number
        readonly commitIndex: number
        readonly lastIndex: number
        readonly to: NodeId | undefined
      }
    | undefined
  /** Present if this node has just repaired its log, through this index: the shell forgets durably that it had to. */
  readonly repaired: { readonly throughIndex: number } | undefined
  readonly roleChanged: RoleChanged | undefined
}
