/**
 * The pure core: one input in, one output out, over an owned state. This file only dispatches and orders. Raft Fig. 2
 * (Rules for Servers).
 */
import { invariant } from "../../Invariant.ts"
import * as Configurations from "./Configurations.ts"
import * as Draft from "./Draft.ts"
import * as Election from "./Election.ts"
import type { Input, Tick } from "./Input.ts"
import * as Invariants from "./Invariants.ts"
import * as Membership from "./Membership.ts"
import type { Output, RoleChanged, RoleName } from "./Output.ts"
import * as Peers from "./Peers.ts"
import * as RaftLog from "./RaftLog.ts"
import * as Reads from "./Reads.ts"
import { receive } from "./Receiving.ts"
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
