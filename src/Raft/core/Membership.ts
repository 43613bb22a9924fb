/**
 * Changes the members of a running cluster by joint consensus, one change at a time. An operator begins a change, and
 * the leader ends it by itself. Pure. Raft §6, diss. 4. MembershipChange.ts says which changes there are.
 */
import { invariant } from "../../Invariant.ts"
import * as CatchUp from "./CatchUp.ts"
import { type Configuration, type ConfigurationMember, isVoter, names } from "./Configuration.ts"
import { encodeConfiguration } from "./ConfigurationCodec.ts"
import * as Configurations from "./Configurations.ts"
import type * as Draft from "./Draft.ts"
import * as Election from "./Election.ts"
import type { ChangeMembership } from "./Input.ts"
import { type ChangeRefusal, hasSameVoters, targetOf } from "./MembershipChange.ts"
import type { NodeId } from "./Message.ts"
import type { MembershipResult } from "./Output.ts"
import * as Peers from "./Peers.ts"
import * as Quorum from "./Quorum.ts"
import * as Replication from "./Replication.ts"
import type { Leader, State } from "./State.ts"
import * as Transfer from "./Transfer.ts"

/** Begins a change, or refuses it: a refused change has appended nothing. */
export const change = (state: State, draft: Draft.Draft, input: ChangeMembership): MembershipResult => {
  const { requestId } = input
  const refuse = (reason: ChangeRefusal): MembershipResult => ({ _tag: "Refused", requestId, reason })
  const { role } = state
  if (role._tag !== "Leader") return refuse("notLeader")
  const busy = busyReason(state, role)
  if (busy !== undefined) return refuse(busy)
  const target = targetOf(state.configuration, input.change)
  if (target._tag === "Refused") return refuse(target.reason)
  const { configuration } = target
  const isNew = ({ id }: ConfigurationMember) => !isVoter(state.configuration, id)
  if (!configuration.voters.filter(isNew).every(({ id }) => isReady(state, role, id))) return refuse("notCaughtUp")
  const isHeard = (voter: NodeId) => Election.isHeard(state, role, voter)
  if (!hasSameVoters(configuration, state.configuration) && !Quorum.isQuorum(configuration, isHeard)) {
    return refuse("unreachable")
  }
  enter(state, draft, role, configuration)
  return { _tag: "Accepted", requestId, index: state.log.lastIndex }
}

/** Makes voters of all learners that have `autoPromote` and have caught up, in one change (diss. 4.2.1, C11). */
export const promoteReady = (state: State, draft: Draft.Draft, leader: Leader): void => {
  if (busyReason(state, leader) !== undefined) return
  const { learners, voters } = state.configuration
  const ready = learners.filter(({ autoPromote, id }) => autoPromote && isReady(state, leader, id))
  if (ready.length === 0) return
  const ids = [...voters, ...ready].map(({ id }) => id)
  const target = targetOf(state.configuration, { _tag: "ReplaceVoters", voters: ids })
  if (target._tag === "Target") enter(state, draft, leader, target.configuration)
}

/** Whether a learner may become a voter: it keeps up with the log, and it answers. */
const isReady = (state: State, leader: Leader, learner: NodeId): boolean => {
  const progress = leader.progress.get(learner)
  if (progress === undefined || !Election.isHeard(state, leader, learner)) return false
  const { matchIndex } = progress
  const roundMaxMs = state.config.electionTimeoutMinMs
  return CatchUp.isCaughtUp(progress.catchUp, { matchIndex, nowMs: state.nowMs, roundMaxMs })
}

/** Why no change may begin now, or undefined if one may. */
const busyReason = (state: State, leader: Leader): ChangeRefusal | undefined => {
  if (state.shutDown || leader.transfer !== undefined) return "transferring"
  // A leader that does not know the commit index might begin a second change beside the first (erratum of 2015).
  if (state.commitIndex < leader.noopIndex) return "notReady"
  const { configuration, index } = Configurations.latest(state.configurations)
  return index > state.commitIndex || configuration.outgoing !== undefined ? "changing" : undefined
}

/**
 * Enters a joint configuration. If the same nodes vote before and after, quorums stay the same, and the target is
 * entered at once.
 */
const enter = (state: State, draft: Draft.Draft, leader: Leader, target: Configuration): void => {
  const { voters } = state.configuration
  append(state, draft, leader, hasSameVoters(target, state.configuration) ? target : { ...target, outgoing: voters })
}

/**
 * Continues a change whose configuration has just been committed. The current leader, even if it did not begin the
 * change, leaves a joint configuration. A leader that is no voter of the new configuration steps down (§6).
 */
export const afterCommit = (state: State, draft: Draft.Draft, leader: Leader): void => {
  const { configuration, index } = Configurations.latest(state.configurations)
  if (index > state.commitIndex || state.commitIndex < leader.noopIndex) return
  if (configuration.outgoing !== undefined) {
    append(state, draft, leader, { voters: configuration.voters, learners: configuration.learners })
  } else if (!isVoter(configuration, state.nodeId)) {
    Transfer.abdicate(state, draft, leader)
  }
}

/** Remembers the last committed configuration that names this node, before compaction or a snapshot removes it. */
export const noteNamed = (state: State, { afterIndex }: { readonly afterIndex: number }): void => {
  if (Configurations.at(state.configurations, state.commitIndex).index <= afterIndex) return
  state.namedIndex = Configurations.lastNaming(state.configurations, state, state.commitIndex) ?? state.namedIndex
}

/**
 * Whether this very data directory was a member and was removed by a committed configuration: by the latest one of its
 * own log, or by one at `toldIndex` that a peer reported. An uncommitted removal may be undone. A node that no
 * configuration has named yet is not removed: it waits to be added, however far it has caught up.
 */
export const isRemoved = (state: Readonly<State>, toldIndex = 0): boolean => {
  const namedIndex = Math.max(Configurations.lastNaming(state.configurations, state) ?? -1, state.namedIndex ?? -1)
  if (namedIndex < 0) return false
  const { index } = Configurations.latest(state.configurations)
  return toldIndex > namedIndex || (index > namedIndex && index <= state.commitIndex)
}

/**
 * The index of the latest configuration, if it is committed and does not name this peer. The peer is told this index.
 */
export const excludedAt = (
  state: Readonly<State>,
  peer: Pick<ConfigurationMember, "id" | "instanceId">
): number | undefined => {
  const { configuration, index } = Configurations.latest(state.configurations)
  return index > 0 && index <= state.commitIndex && !names(configuration, peer) ? index : undefined
}

const append = (state: State, draft: Draft.Draft, leader: Leader, configuration: Configuration): void => {
  const { index } = Configurations.latest(state.configurations)
  invariant(index <= state.commitIndex, `configuration ${index} is not committed, and another is begun`)
  Replication.appendOwn(state, leader, { type: "configuration", payload: encodeConfiguration(configuration) })
  Peers.track(state, leader)
  Replication.sendToAll(state, draft, leader)
}
