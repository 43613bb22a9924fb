/**
 * Logs that stand still although every peer answers. A leader whose quorum answers, and whose entries do not commit,
 * reports it and hands over to a voter in a better position. A member that lacks committed entries and receives none
 * reports it too. Pure.
 */
import { votersOf } from "./Configuration.ts"
import type * as Draft from "./Draft.ts"
import * as Election from "./Election.ts"
import type { NodeId } from "./Message.ts"
import type { Progress } from "./Progress.ts"
import * as Quorum from "./Quorum.ts"
import type { Leader, State } from "./State.ts"
import * as Transfer from "./Transfer.ts"

/** A leader stands still if it commits nothing for this many election timeouts while entries wait. */
const standstillTimeoutsCount = 5

/**
 * How long a node waits before it hands over again for lastMove still. The wait doubles each time: if every disk is
 * slow, no voter is in a better position, and leadership must not go round. After a long time without a hand-over the
 * wait starts from the minimum.
 */
export const pauseMinMs = 10_000
export const pauseMaxMs = 600_000
const forgottenAfterPausesCount = 4

/**
 * Notes, in every tick, whether this node holds all entries that it knows to be committed, or has received some of
 * them.
 */
export const tick = (state: State): void => {
  const index = heldIndexOf(state)
  const isInStep = index >= Math.max(state.commitIndex, state.leaderCommit)
  if (isInStep || index > state.lastMove.index) state.lastMove = { index, sinceMs: state.nowMs }
}

/** How long this node has lacked committed entries and received none. 0 if it lacks none. */
export const standstillMs = (state: Readonly<State>): number => state.nowMs - state.lastMove.sinceMs

/** The same for a peer, as its leader sees it. */
export const standstillMsOf = (state: Readonly<State>, { inStepMs, matchIndex }: Progress): number =>
  matchIndex >= state.commitIndex ? 0 : state.nowMs - inStepMs

/** How long this leader has committed nothing while entries wait. 0 on other nodes. */
export const commitStandstillMs = ({ nowMs, role }: Readonly<State>): number =>
  role._tag === "Leader" ? nowMs - role.lastMove.sinceMs : 0

/**
 * The last index that is committed and durable here. Entries above the commit index do not count: they may come from
 * another leader.
 */
const heldIndexOf = ({ commitIndex, durableIndex }: Readonly<State>): number => Math.min(commitIndex, durableIndex)

/** Checks, in every tick, whether this leader stands still, and hands over if another voter is in a better position. */
export const tickLeader = (state: State, draft: Draft.Draft, leader: Leader): void => {
  const { commitIndex, config, nowMs } = state
  const isMoving =
    commitIndex > leader.lastMove.index || commitIndex === state.log.lastIndex || isCatchingUp(state, leader)
  if (isMoving) leader.lastMove = { index: commitIndex, sinceMs: nowMs, isTold: false }
  const forMs = nowMs - leader.lastMove.sinceMs
  if (forMs < standstillTimeoutsCount * config.electionTimeoutMaxMs) return
  if (leader.transfer !== undefined || state.shutDown) return
  const { lastMs, pauseMs } = state.handOvers
  const to = nowMs >= lastMs + pauseMs ? betterPlaced(state, leader) : undefined
  if (to === undefined && leader.lastMove.isTold) return
  leader.lastMove.isTold = true
  draft.standstill = { forMs, commitIndex, lastIndex: state.log.lastIndex, to }
  if (to === undefined) return
  state.handOvers = { lastMs: nowMs, pauseMs: nextPauseMs(state) }
  Transfer.abdicate(state, draft, leader, to)
}

const nextPauseMs = ({ handOvers: { lastMs, pauseMs }, nowMs }: State): number => {
  if (nowMs - lastMs > forgottenAfterPausesCount * pauseMs) return pauseMinMs
  return Math.min(2 * pauseMs, pauseMaxMs)
}

/** Whether a voter is catching up with the committed entries. The leader may be unable to commit more until it has. */
const isCatchingUp = (state: State, leader: Leader): boolean =>
  votersOf(state.configuration).some(({ id }) => {
    const progress = leader.progress.get(id)
    if (progress === undefined || !Election.isHeard(state, leader, id)) return false
    if (progress.mode._tag === "Snapshot") return true
    return (
      progress.matchIndex < state.commitIndex && state.nowMs - progress.inStepMs < state.config.electionTimeoutMinMs
    )
  })

/**
 * The voter with the longest log among those that the answering voters would elect, as far as the leader knows their
 * logs. Among equally long logs it takes any, since the leader cannot tell which voter does better.
 */
const betterPlaced = (state: State, leader: Leader): NodeId | undefined => {
  const indexOf = (voter: NodeId) =>
    voter === state.nodeId ? state.log.lastIndex : (leader.progress.get(voter)?.matchIndex ?? 0)
  const heard = votersOf(state.configuration).filter(({ id }) => Election.isHeard(state, leader, id))
  const electable = heard.filter(({ id }) => {
    const votes = (voter: NodeId) => indexOf(voter) <= indexOf(id) && heard.some((each) => each.id === voter)
    return id !== state.nodeId && Quorum.isQuorum(state.configuration, votes)
  })
  const furthest = Math.max(...electable.map(({ id }) => indexOf(id)))
  const best = electable.filter(({ id }) => indexOf(id) === furthest)
  return best[Math.floor(state.random * best.length)]?.id
}
