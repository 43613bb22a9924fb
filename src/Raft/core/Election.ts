/** Leader election, with pre-vote and check-quorum. Pure. Raft §5.2, §5.4.1; diss. 6.2, 9.6. */
import { invariant } from "../../Invariant.ts"
import * as Configuration from "./Configuration.ts"
import * as Configurations from "./Configurations.ts"
import * as Draft from "./Draft.ts"
import type { NodeId, RequestVote, RequestVoteReply } from "./Message.ts"
import * as Peers from "./Peers.ts"
import * as Quorum from "./Quorum.ts"
import * as RaftLog from "./RaftLog.ts"
import * as Reads from "./Reads.ts"
import * as Repairing from "./Repairing.ts"
import * as Replication from "./Replication.ts"
import type { Leader, State } from "./State.ts"

/** Starts a pre-vote when the election timeout passes without a leader. A node that may not lead keeps waiting. */
export const tickElection = (state: State, draft: Draft.Draft): void => {
  if (state.nowMs < state.electionDeadlineMs) return
  if (mayCampaign(state)) startPreVote(state, draft)
}

/**
 * Whether this node may campaign: it is a voter with the data directory that holds its vote, its disk works, its state is
 * trusted, and its log needs no repair. A voter that only an uncommitted configuration leaves out may still campaign:
 * perhaps no other node holds that configuration and can be elected (diss. 4.2.2).
 */
export const mayCampaign = (state: State): boolean => {
  if (state.shutDown || state.diskStalled || state.isSuspect || state.repairing !== undefined) return false
  const committed = Configurations.at(state.configurations, state.commitIndex)
  return state.configurations.some(
    ({ configuration, index }) => index >= committed.index && Configuration.isVoterWith(configuration, own(state))
  )
}

/**
 * Whether this node may campaign right after its start: it is the only voter, and it made no promise to a leader that
 * is leaving the cluster (diss. 6.4.1).
 */
export const mayCampaignAtOnce = (state: State): boolean =>
  state.config.readLease === undefined &&
  Configuration.votersOf(state.configuration).length === 1 &&
  Configuration.isVoterWith(state.configuration, own(state))

const own = ({ instanceId, nodeId }: State) => ({ id: nodeId, instanceId })

/** A leader steps down if it has not heard from a quorum within an election timeout (diss. 6.2, C20). */
export const checkQuorum = (state: State, draft: Draft.Draft, leader: Leader): void => {
  const isQuorum = Quorum.isQuorum(state.configuration, (voter) => isHeard(state, leader, voter))
  if (!isQuorum) becomeFollower(state, draft, { term: state.currentTerm })
}

/**
 * Whether `voter` answered within an election timeout. This node itself always counts as heard, and a node that repairs
 * its log never (C26).
 */
export const isHeard = (state: Readonly<State>, leader: Leader, voter: NodeId): boolean => {
  if (voter === state.nodeId) return true
  const progress = leader.progress.get(voter)
  if (progress === undefined || progress.repair !== undefined) return false
  return state.nowMs - progress.heardMs < state.config.electionTimeoutMinMs
}

/** Follows `leader` in `term`, or waits for a leader. Reads that wait for another leader are refused. */
export const becomeFollower = (
  state: State,
  draft: Draft.Draft,
  to: { readonly term: number; readonly leader?: NodeId }
): void => {
  invariant(to.term >= state.currentTerm, "currentTerm went back")
  const isSame = state.role._tag === "Follower" && state.role.leader === to.leader && to.term === state.currentTerm
  if (isSame) return
  // A follower that only learns who leads its term has no waiting reads: without a leader they were refused.
  Reads.refuseAll(state, draft)
  if (to.term > state.currentTerm) {
    state.leaderOfTerm = undefined
    if (state.repairing !== undefined) Repairing.forgetLeader(state.repairing)
    Draft.setHardState(state, { currentTerm: to.term, votedFor: undefined })
  }
  state.role = { _tag: "Follower", leader: to.leader }
  resetElectionTimer(state)
}

/** Follows the leader of the current term, which has just sent a message, and restarts the election timeout. */
export const hearLeader = (state: State, draft: Draft.Draft, leader: NodeId): void => {
  invariant(
    state.leaderOfTerm === undefined || state.leaderOfTerm === leader,
    `${leader} and ${state.leaderOfTerm} both lead term ${state.currentTerm}`
  )
  state.leaderOfTerm = leader
  becomeFollower(state, draft, { term: state.currentTerm, leader })
  state.leaderHeardMs = state.nowMs
  resetElectionTimer(state)
}

/** Whether this node knows a live leader, in any term. Then it grants no vote (diss. 4.2.3, 9.6). */
export const isLeaderAlive = (state: State): boolean =>
  state.role._tag === "Leader" ||
  (state.leaderHeardMs !== undefined && state.nowMs - state.leaderHeardMs < state.config.electionTimeoutMinMs)

/**
 * Votes for a candidate whose log is at least as up to date as this one; a pre-vote changes nothing here (§5.2,
 * §5.4.1). This node grants no vote while a leader lives, however it learned of the term: under a lease it promised
 * that leader to wait (diss. 6.4.1). A candidate that the leader itself told to campaign need not wait (diss. 3.10).
 * A node that repairs its log says nothing: it may have acknowledged entries that its log lacks (C26).
 */
export const onRequestVote = (state: State, draft: Draft.Draft, from: NodeId, message: RequestVote): void => {
  if (state.repairing !== undefined) return
  const upToDate = RaftLog.isUpToDate(state.log, message)
  const mayElect = message.transfer || !isLeaderAlive(state)
  if (message.preVote) {
    const granted = upToDate && mayElect && message.term > state.currentTerm
    const term = granted ? message.term : state.currentTerm
    Draft.sendAfterHardState(state, draft, from, { _tag: "RequestVoteReply", term, preVote: true, granted })
    return
  }
  const isFree = state.votedFor === undefined || state.votedFor === from
  const granted =
    upToDate && isFree && mayElect && message.term === state.currentTerm && state.leaderOfTerm === undefined
  if (granted) {
    if (state.votedFor === undefined) {
      Draft.setHardState(state, { currentTerm: state.currentTerm, votedFor: from })
    }
    resetElectionTimer(state)
  }
  const term = state.currentTerm
  Draft.sendAfterHardState(state, draft, from, { _tag: "RequestVoteReply", term, preVote: false, granted })
}

export const onRequestVoteReply = (state: State, draft: Draft.Draft, from: NodeId, reply: RequestVoteReply): void => {
  if (!reply.granted) return
  const { role } = state
  if (reply.preVote && role._tag === "PreCandidate" && reply.term === state.currentTerm + 1) {
    role.votes.add(from)
    if (Quorum.isQuorum(state.configuration, (voter) => role.votes.has(voter)))
      startElection(state, draft, { transfer: false })
  } else if (!reply.preVote && role._tag === "Candidate" && reply.term === state.currentTerm) {
    role.votes.add(from)
    if (Quorum.isQuorum(state.configuration, (voter) => role.votes.has(voter))) becomeLeader(state, draft)
  }
}

/** A candidate counts its own vote, like any other, once it is durable. */
export const countOwnVote = (state: State, draft: Draft.Draft): void => {
  const { role } = state
  if (role._tag !== "Candidate" || state.hardStateSeq > state.durableSeq) return
  role.votes.add(state.nodeId)
  if (Quorum.isQuorum(state.configuration, (voter) => role.votes.has(voter))) becomeLeader(state, draft)
}

const startPreVote = (state: State, draft: Draft.Draft): void => {
  Reads.refuseAll(state, draft)
  const votes = new Set([state.nodeId])
  state.role = { _tag: "PreCandidate", votes }
  resetElectionTimer(state)
  requestVotes(state, draft, { preVote: true, transfer: false })
  if (Quorum.isQuorum(state.configuration, (voter) => votes.has(voter)))
    startElection(state, draft, { transfer: false })
}

export const startElection = (state: State, draft: Draft.Draft, { transfer }: { readonly transfer: boolean }): void => {
  Reads.refuseAll(state, draft)
  state.leaderOfTerm = undefined
  Draft.setHardState(state, { currentTerm: state.currentTerm + 1, votedFor: state.nodeId })
  state.role = { _tag: "Candidate", votes: new Set() }
  resetElectionTimer(state)
  requestVotes(state, draft, { preVote: false, transfer })
}

/**
 * Asks for votes. A request for a real vote leaves once the candidate's own term and vote are durable: after a restart
 * it must not vote again (C1).
 */
const requestVotes = (
  state: State,
  draft: Draft.Draft,
  { preVote, transfer }: { readonly preVote: boolean; readonly transfer: boolean }
): void => {
  const message: RequestVote = {
    _tag: "RequestVote",
    term: preVote ? state.currentTerm + 1 : state.currentTerm,
    preVote,
    lastLogIndex: state.log.lastIndex,
    lastLogTerm: RaftLog.lastTerm(state.log),
    transfer
  }
  for (const { id: voter } of Configuration.votersOf(state.configuration)) {
    if (voter === state.nodeId) continue
    if (preVote) Draft.send(state, draft, voter, message)
    else Draft.sendAfterHardState(state, draft, voter, message)
  }
}

/** Begins the term with a no-op: until it commits, the leader does not know the commit index (diss. 6.4, C4). */
const becomeLeader = (state: State, draft: Draft.Draft): void => {
  invariant(state.leaderOfTerm === undefined, `term ${state.currentTerm} already has a leader`)
  state.leaderOfTerm = state.nodeId
  const leader: Leader = {
    _tag: "Leader",
    progress: new Map(),
    noopIndex: state.log.lastIndex + 1,
    reads: { round: undefined, waiting: [] },
    beats: [],
    uncommittedBytes: 0,
    transfer: undefined,
    hasYielded: false,
    heartbeatDueMs: state.nowMs + state.config.heartbeatIntervalMs,
    lastMove: { index: state.commitIndex, sinceMs: state.nowMs, isTold: false }
  }
  state.role = leader
  Peers.track(state, leader)
  Replication.appendOwn(state, leader, { type: "noop", payload: new Uint8Array(0) })
  Replication.sendToAll(state, draft, leader)
}

export const resetElectionTimer = (state: State): void => {
  const { electionTimeoutMinMs, electionTimeoutMaxMs } = state.config
  state.electionDeadlineMs =
    state.nowMs + electionTimeoutMinMs + state.random * (electionTimeoutMaxMs - electionTimeoutMinMs)
}
