/**
 * The pure core: one input in, one output out, over an owned state. This file only dispatches and orders. Raft Fig. 2
 * (Rules for Servers).
 */
import { invariant } from "../../Invariant.ts"
import * as Configurations from "./Configurations.ts"
import * as Draft from "./Draft.ts"
import * as Election from "./Election.ts"
import type { Input, Receive, Tick } from "./Input.ts"
import { countsForSender } from "./Instances.ts"
import * as Invariants from "./Invariants.ts"
import * as Membership from "./Membership.ts"
import type { Message, NodeId } from "./Message.ts"
import type { Output, RoleChanged, RoleName } from "./Output.ts"
import * as Peers from "./Peers.ts"
import * as RaftLog from "./RaftLog.ts"
import * as Reads from "./Reads.ts"
import * as Repair from "./Repair.ts"
import * as Replication from "./Replication.ts"
import * as Resending from "./Resending.ts"
import * as Snapshots from "./Snapshots.ts"
import * as Standstill from "./Standstill.ts"
import type { Leader, Role, State } from "./State.ts"
import * as Transfer from "./Transfer.ts"

/** Takes one input, changes `state`, and returns all work for the shell. Deterministic. */
export const step = (state: State, input: Input): Output => {
  const before = describe(state)
  const observed = Invariants.observe(state)
  const configurationBefore = state.configuration
  const draft = Draft.make()
  dispatch(state, draft, input)
  Repair.advance(state, draft)
  if (state.commitIndex > observed.commitIndex) {
    Membership.noteNamed(state, { afterIndex: observed.commitIndex })
    if (state.role._tag === "Leader") Membership.afterCommit(state, draft, state.role)
  }
  const write = Draft.takeWrite(state)
  const apply = takeApply(state)
  const throughIndex = Math.min(state.lastApplied, state.durableIndex)
  RaftLog.trim(state.log, { throughIndex, cacheBytes: state.config.cacheBytes })
  const after = describe(state)
  Invariants.check(state, observed)
  return {
    write,
    messages: draft.messages,
    restore: draft.restore,
    apply,
    readsReady: draft.readsReady,
    readsRefused: draft.readsRefused,
    proposal: draft.proposal,
    membership: draft.membership,
    transfer: draft.transfer,
    configurationChanged:
      state.configuration === configurationBefore ? undefined : Configurations.latest(state.configurations),
    readLog: draft.readLog,
    needsSnapshot: draft.needsSnapshot,
    snapshotChunk: draft.snapshotChunk,
    snapshotReply: draft.snapshotReply,
    compact: draft.compact,
    standstill: draft.standstill,
    repaired: draft.repaired,
    roleChanged: isSame(before, after) ? undefined : after
  }
}

const dispatch = (state: State, draft: Draft.Draft, input: Input): void => {
  const { role } = state
  switch (input._tag) {
    case "Tick":
      tick(state, draft, input)
      return
    case "Receive":
      receive(state, draft, input)
      return
    case "Propose":
      draft.proposal = Replication.propose(state, draft, input)
      return
    case "Read":
      Reads.register(state, draft, input)
      return
    case "Persisted":
      invariant(input.seq <= state.writtenSeq, `write ${input.seq} was never given out`)
      Draft.persisted(state, draft, input.seq)
      Snapshots.compact(state, draft)
      state.diskStalled = false
      if (role._tag === "Leader") Replication.advanceCommit(state, draft, role)
      else Election.countOwnVote(state, draft)
      return
    case "Applied":
      invariant(input.index <= state.applyingIndex, `entry ${input.index} was applied before it was given out`)
      state.lastApplied = Math.max(state.lastApplied, input.index)
      return
    case "LogRead":
      if (role._tag === "Leader") Replication.onLogRead(state, draft, role, input)
      return
    case "LocalSnapshot":
      Snapshots.onLocal(state, input.index)
      return
    case "SnapshotReceived":
      Snapshots.onReceived(state, draft, input)
      return
    case "SnapshotInstalled":
      Snapshots.install(state, draft, input)
      return
    case "SnapshotSent":
      if (role._tag === "Leader") Snapshots.onSent(state, draft, role, input)
      return
    case "PeerUnreachable":
      if (role._tag === "Leader") Resending.onUnreachable(state, role, input.peer)
      return
    case "PeerReachable":
      if (role._tag === "Leader") Resending.onReachable(state, draft, role, input.peer)
      return
    case "ChangeMembership":
      draft.membership = Membership.change(state, draft, input)
      return
    case "TransferLeadership":
      draft.transfer = Transfer.request(state, draft, input.to)
      return
    case "DiskStalled":
      // The overdue write may have completed just before. Then no other completion would end the stall.
      if (state.durableSeq === state.writtenSeq) return
      state.diskStalled = true
      standDown(state, draft)
      return
    case "StateSuspected":
      state.isSuspect = input.isSuspect
      if (!input.isSuspect) return
      standDown(state, draft)
      Reads.refuseAll(state, draft)
      return
    case "Discard":
      Snapshots.discard(state, draft, input.throughIndex)
      return
    case "ShutDown":
      Transfer.shutDown(state, draft)
      return
  }
}

/** Neither leads nor campaigns any more. */
const standDown = (state: State, draft: Draft.Draft): void => {
  const { role } = state
  if (role._tag === "Leader") Transfer.abdicate(state, draft, role)
  else if (role._tag !== "Follower") Election.becomeFollower(state, draft, { term: state.currentTerm })
}

/** Credits at most one heartbeat interval, so that a pause of the process deposes nobody (C19). */
const tick = (state: State, draft: Draft.Draft, { nowMs, random }: Tick): void => {
  state.random = random
  if (state.lastTickMs === undefined) {
    if (!Election.mayCampaignAtOnce(state)) Election.resetElectionTimer(state)
  } else {
    state.nowMs += Math.min(Math.max(0, nowMs - state.lastTickMs), state.config.heartbeatIntervalMs)
  }
  state.lastTickMs = nowMs
  Standstill.tick(state)
  if (state.role._tag !== "Leader") {
    Reads.tickFollower(state, draft)
    Election.tickElection(state, draft)
    return
  }
  Election.checkQuorum(state, draft, state.role)
  if (state.role._tag === "Leader") Transfer.tick(state, draft, state.role)
  if (state.role._tag === "Leader") tickLeader(state, draft, state.role)
}

/**
 * Runs a leader's periodic work. Each part has a deadline of its own that reads and writes do not move: otherwise a
 * busy leader would put it off for ever.
 */
const tickLeader = (state: State, draft: Draft.Draft, leader: Leader): void => {
  Reads.tickLeader(state, draft, leader)
  Peers.releaseLeft(state, leader)
  Resending.tick(state, draft, leader)
  Membership.promoteReady(state, draft, leader)
  Snapshots.compact(state, draft)
  Standstill.tickLeader(state, draft, leader)
}

const receive = (state: State, draft: Draft.Draft, { from, message }: Receive): void => {
  if (message.term > state.currentTerm && startsTerm(message)) {
    // A node that cannot hear the leader must not depose it for the nodes that do (diss. 4.2.3).
    if (message._tag === "RequestVote" && !message.transfer && Election.isLeaderAlive(state)) return
    Election.becomeFollower(state, draft, { term: message.term })
  }
  if (message.term < state.currentTerm) receiveStale(state, draft, { _tag: "Receive", from, message })
  else receiveCurrent(state, draft, { _tag: "Receive", from, message })
}

const receiveCurrent = (state: State, draft: Draft.Draft, { from, message }: Receive): void => {
  if (state.role._tag === "Leader") noteReply(state, state.role, from, message)
  switch (message._tag) {
    case "RequestVote":
      Election.onRequestVote(state, draft, from, message)
      return
    case "RequestVoteReply":
      Election.onRequestVoteReply(state, draft, from, message)
      return
    case "AppendEntries":
      Election.hearLeader(state, draft, from)
      state.leaderCommit = Math.max(state.leaderCommit, message.leaderCommit)
      Replication.onAppendEntries(state, draft, from, message)
      return
    case "Heartbeat": {
      Election.hearLeader(state, draft, from)
      // A beat compares no logs, so it commits only entries that the leader knows to be here. A beat to a former life may
      // know of entries that damage has taken since, or has replaced by older ones.
      const knownIndex = Math.min(message.matchIndex, state.repairing?.matchedIndex ?? Number.POSITIVE_INFINITY)
      Replication.advanceFollowerCommit(state, Math.min(message.leaderCommit, knownIndex))
      state.leaderCommit = Math.max(state.leaderCommit, message.leaderCommit)
      state.contactReportedMs = message.lastContactMs
      if (state.repairing !== undefined) {
        Repair.ask(state, draft, from, state.repairing.nonce)
        return
      }
      const { term, readNumber } = message
      Draft.sendAfterHardState(state, draft, from, { _tag: "HeartbeatReply", term, readNumber })
      return
    }
    case "AppendEntriesReply":
      if (state.role._tag !== "Leader") return
      Replication.onAppendEntriesReply(state, draft, state.role, from, message)
      Transfer.advance(state, draft, state.role)
      return
    case "HeartbeatReply":
      if (state.role._tag !== "Leader") return
      Reads.onHeartbeatReply(state, draft, state.role, from, message)
      Resending.onHeartbeatReply(state, draft, state.role, from, message)
      Repair.onEcho(state, draft, state.role, from, message.readNumber)
      return
    case "ReadIndex":
      Reads.onReadIndex(state, draft, from, message)
      return
    case "ReadIndexReply":
      Reads.onReadIndexReply(state, draft, message)
      return
    case "TimeoutNow":
      Transfer.onTimeoutNow(state, draft, from)
      return
    case "InstallSnapshot":
      Snapshots.onInstallSnapshot(state, draft, from, message)
      return
    case "InstallSnapshotReply":
      if (state.role._tag === "Leader") Snapshots.onReply(state, draft, state.role, from, message)
      return
    case "Repair":
      if (state.role._tag === "Leader") Repair.onRepair(state, draft, state.role, from, message)
      return
    case "RepairReply":
      Repair.onRepairReply(state, draft, from, message)
      return
  }
}

/** Only an answer proves that a peer hears this leader. Other messages may come over a one-way link. */
const noteReply = (state: State, leader: Leader, from: NodeId, message: Message): void => {
  if (!countsForSender(message)) return
  const progress = leader.progress.get(from)
  if (progress === undefined || message._tag === "Repair") return
  progress.lastContactMs = state.nowMs
  if (progress.repair !== undefined) {
    progress.repair.heardMs = state.nowMs
    // It is an acknowledgement or an echo: the peer has repaired its log.
    if (message._tag !== "AppendEntriesReply" && message._tag !== "HeartbeatReply") return
    progress.repair = undefined
  }
  progress.heardMs = state.nowMs
}

/** Whether the message names a term that a node has started. A pre-vote, asked or granted, names a future one. */
const startsTerm = (message: Message): boolean =>
  !(message._tag === "RequestVote" && message.preVote) &&
  !(message._tag === "RequestVoteReply" && message.preVote && message.granted)

/** Tells the sender of an older term that the term is over, so that a deposed leader learns of it (§5.1). */
const receiveStale = (state: State, draft: Draft.Draft, { from, message }: Receive): void => {
  const term = state.currentTerm
  const isOfLeader =
    message._tag === "AppendEntries" || message._tag === "Heartbeat" || message._tag === "InstallSnapshot"
  if (isOfLeader && state.repairing !== undefined) {
    Repair.ask(state, draft, from, state.repairing.nonce)
    return
  }
  switch (message._tag) {
    case "RequestVote":
      Election.onRequestVote(state, draft, from, message)
      return
    case "AppendEntries":
      Draft.sendAfterHardState(state, draft, from, {
        _tag: "AppendEntriesReply",
        term,
        prevLogIndex: message.prevLogIndex,
        result: { _tag: "Conflict", conflictTerm: 0, firstIndex: state.commitIndex + 1 }
      })
      return
    case "Heartbeat":
      Draft.sendAfterHardState(state, draft, from, {
        _tag: "HeartbeatReply",
        term,
        // The received number may be one from a former life of the node that leads this term.
        readNumber: 0
      })
      return
    case "ReadIndex":
      Reads.onReadIndex(state, draft, from, message)
      return
    case "InstallSnapshot":
      Draft.sendAfterHardState(state, draft, from, {
        _tag: "InstallSnapshotReply",
        term,
        snapshotIndex: message.snapshotIndex,
        receivedBytes: 0,
        installed: false
      })
      return
    case "RequestVoteReply":
    case "AppendEntriesReply":
    case "HeartbeatReply":
    case "ReadIndexReply":
    case "TimeoutNow":
    case "InstallSnapshotReply":
    case "Repair":
    case "RepairReply":
      return
  }
}

/** Applies committed entries only once they are durable here too: a restart must find the applied entries. */
const takeApply = (state: State): Output["apply"] => {
  const toIndex = Math.min(state.commitIndex, state.durableIndex)
  if (toIndex <= state.applyingIndex) return undefined
  const fromIndex = state.applyingIndex + 1
  state.applyingIndex = toIndex
  return { fromIndex, toIndex }
}

const describe = (state: State): RoleChanged => ({
  role: roleName(state.role),
  term: state.currentTerm,
  leader: leaderOf(state)
})

const leaderOf = (state: State): RoleChanged["leader"] => {
  if (state.role._tag === "Leader") return state.nodeId
  return state.role._tag === "Follower" ? state.role.leader : undefined
}

const roleName = (role: Role): RoleName => {
  switch (role._tag) {
    case "Follower":
      return "follower"
    case "PreCandidate":
      return "preCandidate"
    case "Candidate":
      return "candidate"
    case "Leader":
      return "leader"
  }
}

const isSame = (a: RoleChanged, b: RoleChanged): boolean =>
  a.role === b.role && a.term === b.term && a.leader === b.leader
