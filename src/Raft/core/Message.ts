/** The messages of consensus between members. Pure data; Wire.ts has the bytes. Raft Fig. 2, diss. 6.4, 9.6. */
import type { LogEntry } from "../../EventStore/LogEntry.ts"

/** A node's name: its address as its peers write it, unless `--id` says otherwise. */
export type NodeId = string

/**
 * A candidate asks for a vote. With `preVote` it asks without starting a term, and `term` is the one that it would
 * start (diss. 9.6).
 */
export interface RequestVote {
  readonly _tag: "RequestVote"
  readonly term: number
  readonly preVote: boolean
  readonly lastLogIndex: number
  readonly lastLogTerm: number
  /**
   * The leader itself asked for this campaign, so voters do not refuse it because the leader lives (diss. 3.10, 4.2.3).
   */
  readonly transfer: boolean
}

/**
 * The answer to {@link RequestVote}. A granted pre-vote carries the candidate's future term; a refusal carries the
 * voter's own term.
 */
export interface RequestVoteReply {
  readonly _tag: "RequestVoteReply"
  readonly term: number
  readonly preVote: boolean
  readonly granted: boolean
}

/** The most entries that one message may carry, however small they are. A receiver rejects a message with more. */
export const entriesMaxCount = 65_536

/** At most {@link entriesMaxCount} entries to append. A message without entries is a probe. */
export interface AppendEntries {
  readonly _tag: "AppendEntries"
  readonly term: number
  readonly prevLogIndex: number
  readonly prevLogTerm: number
  readonly entries: ReadonlyArray<LogEntry>
  readonly leaderCommit: number
}

/**
 * A follower sends it once the entries are durable (Fig. 2). A refusal says where the follower's log parts from the
 * leader's (§5.3).
 */
export interface AppendEntriesReply {
  readonly _tag: "AppendEntriesReply"
  readonly term: number
  /** The `prevLogIndex` of the request that this answers. It tells a late refusal from a current one. */
  readonly prevLogIndex: number
  readonly result:
    | { readonly _tag: "Matched"; readonly matchIndex: number }
    | { readonly _tag: "Conflict"; readonly conflictTerm: number; readonly firstIndex: number }
}

/**
 * Says that the leader lives. A beat compares no logs, so the receiver commits `leaderCommit` only up to `matchIndex`,
 * the part of its log that the leader knows. `lastContactMs` is the time since the leader last heard from the receiver,
 * if it ever did. `readNumber` opens a round of leadership confirmation (diss. 6.4); a leader never uses one twice. 0 opens
 * none: such a notice tells what is committed, and nobody answers it.
 */
export interface Heartbeat {
  readonly _tag: "Heartbeat"
  readonly term: number
  readonly leaderCommit: number
  readonly matchIndex: number
  readonly lastContactMs: number | undefined
  readonly readNumber: number
}

/** Whether a message is a notice of what is committed, for which nobody waits. An earlier release echoes its 0 in vain. */
export const isNotice = (message: Message): boolean => message._tag === "Heartbeat" && message.readNumber === 0

/** Echoes the number of the round that it confirms, so that a late echo confirms no later read (etcd issue 20418). */
export interface HeartbeatReply {
  readonly _tag: "HeartbeatReply"
  readonly term: number
  readonly readNumber: number
}

/**
 * A follower asks for a read index for its reads, which it names by `requestId` and its `life` (diss. 6.4). Two lives
 * of a node may use the same number, so only both together name a request.
 */
export interface ReadIndex {
  readonly _tag: "ReadIndex"
  readonly term: number
  readonly life: number
  readonly requestId: number
}

/** The index at which the follower's reads are linearizable; undefined if this node does not lead and cannot say. */
export interface ReadIndexReply {
  readonly _tag: "ReadIndexReply"
  readonly term: number
  readonly life: number
  readonly requestId: number
  readonly readIndex: number | undefined
}

/** The leader hands over: the receiver campaigns at once (diss. 3.10). */
export interface TimeoutNow {
  readonly _tag: "TimeoutNow"
  readonly term: number
}

/**
 * One chunk of a snapshot, for a peer that lacks entries that are compacted away (§7). The digest names the whole
 * snapshot, so that a transfer can resume. An empty chunk asks where to resume.
 */
export interface InstallSnapshot {
  readonly _tag: "InstallSnapshot"
  readonly term: number
  readonly snapshotIndex: number
  readonly snapshotTerm: number
  /** The configuration in force at `snapshotIndex`, encoded. */
  readonly configuration: Uint8Array
  readonly totalBytes: number
  readonly digest: string
  readonly offset: number
  readonly chunk: Uint8Array
}

/**
 * How many bytes from the beginning the peer has stored. With `installed`, the peer holds everything that the snapshot
 * stands for, committed.
 */
export interface InstallSnapshotReply {
  readonly _tag: "InstallSnapshotReply"
  readonly term: number
  readonly snapshotIndex: number
  readonly receivedBytes: number
  readonly installed: boolean
}

/**
 * A node that repairs its log answers its leader with this, and with nothing else but the reports of a snapshot's
 * arrival. `nonce` names the repair. `answer` is how an AppendEntries went, which tells the leader what to send next; it
 * is no acknowledgement, and a conflict does not say that the node never held an entry. C26.
 */
export interface Repair {
  readonly _tag: "Repair"
  readonly term: number
  readonly nonce: number
  readonly answer: Pick<AppendEntriesReply, "prevLogIndex" | "result"> | undefined
}

/** The leader's last index, once a quorum without the receiver has confirmed the leader to the repair `nonce` (C26). */
export interface RepairReply {
  readonly _tag: "RepairReply"
  readonly term: number
  readonly nonce: number
  readonly throughIndex: number
}

/**
 * Every message from the core of one node to that of another. The handshake of the connection gives the cluster and
 * node ids.
 */
export type Message =
  | RequestVote
  | RequestVoteReply
  | AppendEntries
  | AppendEntriesReply
  | Heartbeat
  | HeartbeatReply
  | ReadIndex
  | ReadIndexReply
  | TimeoutNow
  | InstallSnapshot
  | InstallSnapshotReply
  | Repair
  | RepairReply

/** A message with its sender and its receiver. */
export interface Envelope {
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Message
}
