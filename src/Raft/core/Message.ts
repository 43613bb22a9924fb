/** What members of a cluster say to each other to agree. Pure data; the bytes are in Wire.ts. Raft Fig. 2, diss. 6.4, 9.6. */
import type { LogEntry } from "../../EventStore/LogEntry.ts"

/** A node's name: its address as its peers write it, unless `--id` says otherwise. */
export type NodeId = string

/** A candidate asks for a vote; `preVote` asks without starting a term (diss. 9.6), `term` then being the one it would start. */
export interface RequestVote {
  readonly _tag: "RequestVote"
  readonly term: number
  readonly preVote: boolean
  readonly lastLogIndex: number
  readonly lastLogTerm: number
  /** The leader itself asked for this campaign: that it lives is no reason to refuse (diss. 3.10, 4.2.3). */
  readonly transfer: boolean
}

/** The answer to {@link RequestVote}. A granted pre-vote carries the candidate's future term, a refusal the voter's own. */
export interface RequestVoteReply {
  readonly _tag: "RequestVoteReply"
  readonly term: number
  readonly preVote: boolean
  readonly granted: boolean
}

/** Entries that one message may carry, however small they are: whoever receives more takes none of them. */
export const entriesMaxCount = 65_536

/** At most {@link entriesMaxCount} entries to append, or none: an empty one probes. */
export interface AppendEntries {
  readonly _tag: "AppendEntries"
  readonly term: number
  readonly prevLogIndex: number
  readonly prevLogTerm: number
  readonly entries: ReadonlyArray<LogEntry>
  readonly leaderCommit: number
}

/** Sent only when the entries are durable (Fig. 2). A refusal says where the follower's log parts from the leader's (§5.3). */
export interface AppendEntriesReply {
  readonly _tag: "AppendEntriesReply"
  readonly term: number
  /** The `prevLogIndex` that is answered, so that a late refusal is told from a fresh one. */
  readonly prevLogIndex: number
  readonly result:
    | { readonly _tag: "Matched"; readonly matchIndex: number }
    | { readonly _tag: "Conflict"; readonly conflictTerm: number; readonly firstIndex: number }
}

/**
 * The leader lives. It compares no logs: of `leaderCommit` the receiver commits what is within `matchIndex`, the part of
 * its log that the leader knows. `lastContactMs` is how long ago the leader heard from it, if ever. `readNumber` opens a round of leadership confirmation (diss. 6.4) and is never used twice.
 */
export interface Heartbeat {
  readonly _tag: "Heartbeat"
  readonly term: number
  readonly leaderCommit: number
  readonly matchIndex: number
  readonly lastContactMs: number | undefined
  readonly readNumber: number
}

/** Echoes the round it confirms: a late echo confirms no later read (etcd issue 20418). */
export interface HeartbeatReply {
  readonly _tag: "HeartbeatReply"
  readonly term: number
  readonly readNumber: number
}

/**
 * A follower asks for a read index on behalf of reads that it named `requestId`, in its `life` (diss. 6.4). Two lives of
 * a node may give the same number: only both together name a request.
 */
export interface ReadIndex {
  readonly _tag: "ReadIndex"
  readonly term: number
  readonly life: number
  readonly requestId: number
}

/** The index at which the follower's reads are linearizable; undefined when this node cannot say (it does not lead). */
export interface ReadIndexReply {
  readonly _tag: "ReadIndexReply"
  readonly term: number
  readonly life: number
  readonly requestId: number
  readonly readIndex: number | undefined
}

/** The leader hands over: the receiver is to campaign at once (diss. 3.10). */
export interface TimeoutNow {
  readonly _tag: "TimeoutNow"
  readonly term: number
}

/**
 * One chunk of a snapshot, for a peer that lacks entries which are compacted away (§7). The digest names the whole of
 * it, so that a transfer goes on where another one stopped; an empty chunk only asks where that is.
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

/** How many bytes are stored from the beginning on; or that all which the snapshot stands for is held, and committed. */
export interface InstallSnapshotReply {
  readonly _tag: "InstallSnapshotReply"
  readonly term: number
  readonly snapshotIndex: number
  readonly receivedBytes: number
  readonly installed: boolean
}

/** Everything the core of one node sends to that of another. Cluster and node ids are the connection's (handshake). */
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

/** A message on its way: who says it to whom. */
export interface Envelope {
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Message
}
