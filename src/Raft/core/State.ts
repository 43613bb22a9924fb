/** The state of the core on one node. One shell owns it, and only `step` changes it. Raft Fig. 2 (State). */
import type { HardState, LogEntry, Recovered, SnapshotMark } from "../../EventStore/LogEntry.ts"
import { invariant } from "../../Invariant.ts"
import type { Configuration } from "./Configuration.ts"
import * as Configurations from "./Configurations.ts"
import { type HandOvers, type LastMove, type LeaderLastMove, neverHandedOver } from "./LastMove.ts"
import type { Envelope, NodeId } from "./Message.ts"
import type { Progress } from "./Progress.ts"
import type { RaftConfig } from "./RaftConfig.ts"
import * as RaftLog from "./RaftLog.ts"
import type { FollowerReads, LeaderReads } from "./ReadRounds.ts"
import * as Repairing from "./Repairing.ts"

export interface Follower {
  readonly _tag: "Follower"
  leader: NodeId | undefined
}

/** Asks whether a campaign would succeed, before it starts a term (diss. 9.6). */
export interface PreCandidate {
  readonly _tag: "PreCandidate"
  readonly votes: Set<NodeId>
}

export interface Candidate {
  readonly _tag: "Candidate"
  readonly votes: Set<NodeId>
}

/** A numbered round of beats, with the real time of the last tick before it was sent. */
export interface Beat {
  readonly readNumber: number
  readonly sentMs: number
}

/** A hand-over under way. `isTold` says that the target was told to campaign. */
export interface Transfer {
  readonly target: NodeId
  readonly deadlineMs: number
  isTold: boolean
}

export interface Leader {
  readonly _tag: "Leader"
  readonly progress: Map<NodeId, Progress>
  readonly noopIndex: number
  readonly reads: LeaderReads
  /** Rounds of beats that may begin a lease, oldest first. Empty unless leases are configured. */
  readonly beats: Array<Beat>
  uncommittedBytes: number
  transfer: Transfer | undefined
  /**
   * Whether this leader told another node to campaign in this term. That node may do so whenever the message arrives.
   */
  hasYielded: boolean
  heartbeatDueMs: number
  lastMove: LeaderLastMove
}

export type Role = Follower | PreCandidate | Candidate | Leader

/** A write that the shell has not completed. `lastIndex` is the end of the durable log after it, at least. */
export interface PendingWrite {
  readonly seq: number
  lastIndex: number
}

export interface State {
  readonly config: RaftConfig
  readonly nodeId: NodeId
  /**
   * The instance of this data directory. A vote that a configuration gives to another instance is not this node's
   * (C16).
   */
  readonly instanceId: string
  readonly configurations: Configurations.Configurations
  /** The latest of `configurations`: the one in force here, committed or not (§6). */
  configuration: Configuration
  role: Role
  currentTerm: number
  votedFor: NodeId | undefined
  /** The node that leads `currentTerm`, if this node knows it. A term never has another leader (§5.2). */
  leaderOfTerm: NodeId | undefined
  readonly log: RaftLog.RaftLog
  commitIndex: number
  lastApplied: number
  /** The last index given out to apply: lastApplied ≤ applyingIndex ≤ min(commitIndex, durableIndex). */
  applyingIndex: number
  /** Entries through this index are synced, and equal those of `log`. */
  durableIndex: number
  /**
   * Where the log ended when this node started, or lower once a leader has replaced the end. A former life may have
   * served reads up to here.
   */
  recoveredIndex: number
  /** The index of the last committed configuration that names this very data directory, if any does. */
  namedIndex: number | undefined
  /** The newest snapshot that the log notes or will note, and the write that notes it. */
  snapshot: SnapshotMark | undefined
  snapshotSeq: number
  /** Whether compaction up to the snapshot is still to be done. */
  isCompactionDue: boolean
  /** No entry through here may stay in the log once the snapshot stands for it (Input `Discard`). */
  discardIndex: number
  writtenSeq: number
  durableSeq: number
  /** The write that makes the current hard state durable. */
  hardStateSeq: number
  pendingWrites: Array<PendingWrite>
  /** Messages that depend on a write, in the order in which they were sent. */
  held: Array<{ readonly seq: number; readonly envelope: Envelope }>
  /** The credited time. It is not a clock's time: a pause of the process must not count as an election timeout. */
  nowMs: number
  lastTickMs: number | undefined
  random: number
  electionDeadlineMs: number
  leaderHeardMs: number | undefined
  /**
   * The greatest commit index that a leader reported, and how long before its report it had last heard from this node.
   */
  leaderCommit: number
  contactReportedMs: number | undefined
  /** Never decreases while the process lives, so that no late echo confirms a later round (C5). */
  readNumber: number
  readonly followerReads: FollowerReads
  /** When this node last received some of the committed entries that it lacks. */
  lastMove: LastMove
  handOvers: HandOvers
  diskStalled: boolean
  /** Whether the machine's state is not to be trusted (Input `StateSuspected`). */
  isSuspect: boolean
  /** Present while this node repairs a damaged log from its leader's (C26). */
  repairing: Repairing.Repairing | undefined
  shutDown: boolean
  /** Additions of the current step to the log on disk. */
  unwritten: {
    truncateFromIndex: number | undefined
    snapshot: SnapshotMark | undefined
    hardState: HardState | undefined
    entries: Array<LogEntry>
  }
}

/** Whether a snapshot replaces entries that the log still holds: the process ended before the log noted it (§7). */
const isBehindSnapshot = (log: RaftLog.RaftLog, snapshot: SnapshotMark): boolean =>
  RaftLog.termAt(log, snapshot.index) !== snapshot.term

/**
 * The last entry that a start may apply before it knows a leader: the one that the node marked as applied, if its log
 * still has it; 0 if nothing behind the snapshot is known. Equal index and term mean equal logs (§5.3), and what was
 * applied was committed. A log that is repaired is left to its leader.
 */
export const knownThrough = (options: {
  readonly recovered: Recovered
  readonly snapshot: SnapshotMark | undefined
  readonly mark: SnapshotMark | undefined
}): number => {
  const { mark, recovered, snapshot } = options
  const log = RaftLog.fromRecovered(recovered)
  if (mark === undefined || mark.index <= (snapshot?.index ?? 0) || recovered.isRepairing === true) return 0
  if (snapshot !== undefined && isBehindSnapshot(log, snapshot)) return 0
  return RaftLog.termAt(log, mark.index) === mark.term ? mark.index : 0
}

/**
 * A node at its start: a follower without a leader, with the log, the hard state and the configurations from its disk.
 * It takes all configurations, since an uncommitted one is in force like any other. `snapshot` is the one that the
 * machine was restored from, if there was one.
 */
export const make = (options: {
  readonly config: RaftConfig
  readonly nodeId: NodeId
  readonly instanceId: string
  /** How many times the node has started in its data directory. No other life of it has this number. */
  readonly life: number
  readonly recovered: Recovered
  readonly configurations: ReadonlyArray<Configurations.ConfigurationAt>
  readonly snapshot?: SnapshotMark & { readonly configuration: Configuration }
  /** The last entry that the machine reflects: that of the snapshot unless told, or one behind it (`knownThrough`). */
  readonly appliedIndex?: number
}): State => {
  const { recovered, snapshot } = options
  const log = RaftLog.fromRecovered(recovered)
  const restoredIndex = snapshot?.index ?? 0
  invariant(restoredIndex >= log.firstIndex - 1, `entries ${restoredIndex + 1} to ${log.firstIndex - 1} are gone`)
  const isBehind = snapshot !== undefined && isBehindSnapshot(log, snapshot)
  if (isBehind) RaftLog.startAfter(log, snapshot, log.firstIndex - 1)
  const configurations = Configurations.make(isBehind ? [] : options.configurations, snapshot)
  // Only applied entries, which are committed, are ever noted as a snapshot.
  const { appliedIndex = restoredIndex } = options
  invariant(appliedIndex >= restoredIndex && appliedIndex <= log.lastIndex, "a start applied what its log lacks")
  const commitIndex = Math.max(appliedIndex, recovered.snapshot?.index ?? 0)
  const isUnmarked = restoredIndex > (recovered.snapshot?.index ?? 0)
  const mark = snapshot !== undefined && isUnmarked ? { index: snapshot.index, term: snapshot.term } : undefined
  // The snapshot came from a leader. Its term may be newer than the one on this disk.
  const { currentTerm, votedFor } = recovered.hardState
  const isTermLost = RaftLog.lastTerm(log) > currentTerm
  const hardState = isTermLost ? { currentTerm: RaftLog.lastTerm(log), votedFor: undefined } : { currentTerm, votedFor }
  const isRepairing = recovered.isRepairing === true
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
    lastApplied: appliedIndex,
    applyingIndex: appliedIndex,
    durableIndex: log.lastIndex,
    recoveredIndex: log.lastIndex,
    namedIndex: Configurations.lastNaming(Configurations.make(options.configurations), options, commitIndex),
    snapshot: mark ?? recovered.snapshot,
    snapshotSeq: 0,
    isCompactionDue: mark !== undefined,
    discardIndex: 0,
    writtenSeq: 0,
    durableSeq: 0,
    hardStateSeq: 0,
    pendingWrites: [],
    held: [],
    nowMs: 0,
    lastTickMs: undefined,
    random: 0,
    electionDeadlineMs: 0,
    // A former life of this node may have echoed a beat just now. This node keeps that promise (diss. 6.4.1).
    leaderHeardMs: options.config.readLease === undefined ? undefined : 0,
    leaderCommit: 0,
    contactReportedMs: undefined,
    readNumber: 0,
    followerReads: { life: options.life, nextRequestId: 1, outstanding: undefined, waiting: [] },
    lastMove: { index: 0, sinceMs: 0 },
    handOvers: neverHandedOver,
    diskStalled: false,
    isSuspect: false,
    repairing: isRepairing ? Repairing.begin(options.life) : undefined,
    shutDown: false,
    unwritten: {
      truncateFromIndex: undefined,
      snapshot: mark,
      // A repaired log holds the hard state again that the damaged one may have lost.
      hardState: isTermLost || isRepairing ? hardState : undefined,
      entries: []
    }
  }
}
