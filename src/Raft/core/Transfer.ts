/**
 * The hand-over of leadership: the leader stops taking proposals, brings one voter up to date and tells it to campaign
 * at once. It also happens on orderly shutdown, when the disk stalls, and when the leader is removed. Pure. Diss. 3.10,
 * C12.
 */
import * as Draft from "./Draft.ts"
import * as Election from "./Election.ts"
import type { NodeId } from "./Message.ts"
import type { TransferResult } from "./Output.ts"
import * as Progress from "./Progress.ts"
import type { Leader, State } from "./State.ts"

/** Begins to hand over to `to`, or to the voter that has caught up most. Otherwise says why not. */
export const request = (state: State, draft: Draft.Draft, to: NodeId | undefined): TransferResult => {
  const { role } = state
  if (role._tag !== "Leader") return { _tag: "Refused", reason: "notLeader" }
  if (role.transfer !== undefined) return { _tag: "Refused", reason: "transferring" }
  const target = to ?? mostCaughtUp(state, role)
  if (target === undefined) return { _tag: "Refused", reason: "noTarget" }
  if (target === state.nodeId || !state.configuration.voters.some(({ id }) => id === target)) {
    return { _tag: "Refused", reason: "notAnotherVoter" }
  }
  begin(state, draft, role, target)
  return { _tag: "Started", to: target }
}

/** Tells the target to campaign as soon as it holds the whole log. Before that it could not win (§5.4.1). */
export const advance = (state: State, draft: Draft.Draft, leader: Leader): void => {
  const { transfer } = leader
  if (transfer === undefined || transfer.isTold) return
  // A node that repairs its log would not campaign, so it counts as holding nothing (C26).
  if (Progress.countedIndex(leader.progress.get(transfer.target)) !== state.log.lastIndex) return
  transfer.isTold = true
  tell(state, draft, leader, transfer.target)
}

/** After an election timeout the target has failed, and this leader continues, unless it is to stop. */
export const tick = (state: State, draft: Draft.Draft, leader: Leader): void => {
  if (leader.transfer === undefined || state.nowMs < leader.transfer.deadlineMs) return
  leader.transfer = undefined
  if (state.shutDown) Election.becomeFollower(state, draft, { term: state.currentTerm })
}

/** Prepares to stop: this node leads until another can, follows and votes as before, and campaigns no more. */
export const shutDown = (state: State, draft: Draft.Draft): void => {
  state.shutDown = true
  const { role } = state
  if (role._tag === "Follower") return
  if (role._tag === "Leader" && role.transfer !== undefined) return
  const target = role._tag === "Leader" ? mostCaughtUp(state, role) : undefined
  if (role._tag === "Leader" && target !== undefined) begin(state, draft, role, target)
  else Election.becomeFollower(state, draft, { term: state.currentTerm })
}

/** Stops leading at once. It tells the best of the others to campaign, and does not wait for a result. */
export const abdicate = (
  state: State,
  draft: Draft.Draft,
  leader: Leader,
  target: NodeId | undefined = mostCaughtUp(state, leader)
): void => {
  if (target !== undefined) tell(state, draft, leader, target)
  Election.becomeFollower(state, draft, { term: state.currentTerm })
}

/** The leader tells this node to campaign at once, without a pre-vote. */
export const onTimeoutNow = (state: State, draft: Draft.Draft, from: NodeId): void => {
  Election.hearLeader(state, draft, from)
  if (Election.mayCampaign(state)) Election.startElection(state, draft, { transfer: true })
}

const begin = (state: State, draft: Draft.Draft, leader: Leader, target: NodeId): void => {
  const deadlineMs = state.nowMs + state.config.electionTimeoutMinMs
  leader.transfer = { target, deadlineMs, isTold: false }
  advance(state, draft, leader)
}

/**
 * From now on another node may lead at any time, however often a quorum confirms this leader. So its leases are over
 * (diss. 6.4.1).
 */
const tell = (state: State, draft: Draft.Draft, leader: Leader, target: NodeId): void => {
  leader.hasYielded = true
  Draft.send(state, draft, target, { _tag: "TimeoutNow", term: state.currentTerm })
}

/** The voter with the longest log, among those that answer. */
const mostCaughtUp = (state: State, leader: Leader): NodeId | undefined => {
  let best: NodeId | undefined
  for (const { id } of state.configuration.voters) {
    if (id === state.nodeId || !Election.isHeard(state, leader, id)) continue
    if (best === undefined || matchIndexOf(leader, id) > matchIndexOf(leader, best)) best = id
  }
  return best
}

const matchIndexOf = (leader: Leader, peer: NodeId): number => leader.progress.get(peer)?.matchIndex ?? 0
