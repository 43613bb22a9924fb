/** The state of the core on one node. Owned by one shell, changed only by `step`. Raft Fig. 2 (State). */
import type { HardState, LogEntry, Recovered, SnapshotMark } from "../../EventStore/LogEntry.ts"
import { invariant } from "../../Invariant.ts"
import type { Configuration } from "./Configuration.ts"
import * as Configurations from "./Configurations.ts"
import type { Beat } from "./Leases.ts"
import type { Envelope, NodeId } from "./Message.ts"
import type { Progress } from "./Progress.ts"
import type { RaftConfig } from "./RaftConfig.ts"
import * as RaftLog from "./RaftLog.ts"
import type { FollowerReads, LeaderReads } from "./Reads.ts"
import * as Standstill from "./Standstill.ts"
import type { Transfer } from "./Transfer.ts"

export interface Follower {
  readonly _tag: "Follower"
  leader: NodeId | undefined
}

/** Asks whether a campaign would succeed before it starts a term (diss. 9.6). */
export interface PreCandidate {
  readonly _tag: "PreCandidate"
  readonly votes: Set<NodeId>
}

export interface Candidate {
  readonly _tag: "Candidate"
  readonly votes: Set<NodeId>
}

export interface Leader {
  readonly _tag: "Leader"
  readonly progress: Map<NodeId, Progress>
  readonly noopIndex: number
  readonly reads: LeaderReads
  /** Rounds of beats that may begin a lease, oldest first; none unless leases are configured. */
  readonly beats: Array<Beat>
  uncommittedBytes: number
  transfer: Transfer | undefined
  /** Another was told to campaign in this term: it may do so whenever that arrives. */
  hasYielded: boolean
  heartbeatDueMs: number
  standing: Standstill.LeaderStanding
}

export type Role = Follower | PreCandidate | Candidate | Leader

/** Writes given out and not known durable; `lastIndex` is what the log on disk will surely reach with it. */
export interface PendingWrite {
  readonly seq: number
  lastIndex: number
}

export interface State {
  readonly config: RaftConfig
  readonly nodeId: NodeId
  /** Of this data directory: a vote that a configuration gives to another one was lost with it (C16). */
  readonly instanceId: string
  readonly configurations: Configurations.Configurations
  /** The latest of `configurations`: the one in force here, committed or not (§6). */
  configuration: Configuration
  role: Role
  currentTerm: number
  votedFor: NodeId | undefined
  /** Who was seen to lead `currentTerm`: there is never another one (§5.2). */
  leaderOfTerm: NodeId | undefined
  readonly log: RaftLog.RaftLog
  commitIndex: number
  lastApplied: number
  /** The end of the last range given out to be applied: lastApplied ≤ applyingIndex ≤ min(commitIndex, durableIndex). */
  applyingIndex: number
  /** Entries up to here are synced, and equal those of `log`. */
  durableIndex: number
  /** Where the log ended when this node started, or less once a leader replaced the end: its former life may have read so far. */
  recoveredIndex: number
  /** The last committed configuration that names this very data directory; undefined where the log knows of none. */
  namedIndex: number | undefined
  /** The newest snapshot that the log notes or will, and the write that does so. */
  snapshot: SnapshotMark | undefined
  snapshotSeq: number
  /** Since the snapshot was noted, nothing that it stands for was let go. */
  isCompactionDue: boolean
  writtenSeq: number
  durableSeq: number
  /** The write that made the current hard state durable, or will. */
  hardStateSeq: number
  pendingWrites: Array<PendingWrite>
  /** Messages that depend on a write, in the order in which they were said. */
  held: Array<{ readonly seq: number; readonly envelope: Envelope }>
  /** Time credited so far, not the time of any clock: a pause of the process is not an election timeout. */
  nowMs: number
  lastTickMs: number | undefined
  random: number
  electionDeadlineMs: number
  leaderHeardMs: number | undefined
  /** The greatest commit index that a leader told of, and how long before it had last heard from this node. */
  leaderCommit: number
  contactReportedMs: number | undefined
  /** Never goes back while the process lives, so that no late echo confirms a later round (C5). */
  readNumber: number
  readonly followerReads: FollowerReads
  /** Since when this node has got none of the committed entries that it lacks. */
  standing: Standstill.Standing
  handOvers: Standstill.HandOvers
  diskStalled: boolean
  /** What the machine holds is not to be believed (Input `StateSuspected`). */
  isSuspect: boolean
  shutDown: boolean
  /** What the step under way adds to the log on disk. */
  unwritten: {
    truncateFromIndex: number | undefined
    snapshot: SnapshotMark | undefined
    hardState: HardState | undefined
    entries: Array<LogEntry>
  }
}

/**
 * A node as it starts: a follower that knows no leader, with the log and the hard state that its disk held, and the
 * configurations among its entries: all of them, for an uncommitted one is in force like any other. `snapshot` is the
 * one that the machine was restored from, if it was.
 */
export const make = (options: {
  readonly config: RaftConfig
  readonly nodeId: NodeId
  readonly instanceId: string
  /** How often the node has started in its data directory: no other life of it has this number. */
  readonly life: number
  readonly recovered: Recovered
  readonly configurations: ReadonlyArray<Configurations.ConfigurationAt>
  readonly snapshot?: SnapshotMark & { readonly configuration: Configuration }
}): State => {
  const { recovered, snapshot } = options
  const log = RaftLog.fromRecovered(recovered)
  const restoredIndex = snapshot?.index ?? 0
  invariant(restoredIndex >= log.firstIndex - 1, `entries ${restoredIndex + 1} to ${log.firstIndex - 1} are gone`)
  // A crash came between an installed snapshot and its mark: the log still holds what it was to replace (§7).
  const isBehind = snapshot !== undefined && RaftLog.termAt(log, snapshot.index) !== snapshot.term
  if (isBehind) RaftLog.startAfter(log, snapshot)
  const configurations = Configurations.make(isBehind ? [] : options.configurations, snapshot)
  // Only what was applied, and so committed, is ever marked.
  const commitIndex = Math.max(restoredIndex, recovered.snapshot?.index ?? 0)
  const isUnmarked = restoredIndex > (recovered.snapshot?.index ?? 0)
  const mark = snapshot !== undefined && isUnmarked ? { index: snapshot.index, term: snapshot.term } : undefined
  // The snapshot came from a leader whose term, unlike the snapshot itself, may not have reached this disk.
  const { currentTerm, votedFor } = recovered.hardState
  const isTermLost = RaftLog.lastTerm(log) > currentTerm
  const hardState = isTermLost ? { currentTerm: RaftLog.lastTerm(log), votedFor: undefined } : { currentTerm, votedFor }
  return {
    config: options.config,
    nodeId: options.nodeId,
    instanceId: options.instanceId,
    configurations,
    configuration: Configurations.latest(configurations).configuration,
    role: { _tag: "Follower", leader: undefined },
    ...hardState,
    leaderOfTerm: undefined,
    log,
    commitIndex,
    lastApplied: restoredIndex,
    applyingIndex: restoredIndex,
    durableIndex: log.lastIndex,
    recoveredIndex: log.lastIndex,
    namedIndex: Configurations.lastNaming(Configurations.make(options.configurations), options, commitIndex),
    snapshot: mark ?? recovered.snapshot,
    snapshotSeq: 0,
    isCompactionDue: mark !== undefined,
    writtenSeq: 0,
    durableSeq: 0,
    hardStateSeq: 0,
    pendingWrites: [],
    held: [],
    nowMs: 0,
    lastTickMs: undefined,
    random: 0,
    electionDeadlineMs: 0,
    // A former life of this node may have echoed a beat just now: its promise is kept (diss. 6.4.1).
    leaderHeardMs: options.config.readLease === undefined ? undefined : 0,
    leaderCommit: 0,
    contactReportedMs: undefined,
    readNumber: 0,
    followerReads: { life: options.life, nextRequestId: 1, outstanding: undefined, waiting: [] },
    standing: { index: 0, sinceMs: 0 },
    handOvers: Standstill.neverHandedOver,
    diskStalled: false,
    isSuspect: false,
    shutDown: false,
    unwritten: {
      truncateFromIndex: undefined,
      snapshot: mark,
      hardState: isTermLost ? hardState : undefined,
      entries: []
    }
  }
}
