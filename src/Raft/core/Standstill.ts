/**
 * Logs that stand still though nobody is silent. A leader whose quorum answers and whose entries are not committed says so,
 * and lets a voter lead that is better placed. A member that lacks committed entries, and gets none, knows it. Pure.
 */
import { votersOf } from "./Configuration.ts"
import type * as Draft from "./Draft.ts"
import * as Election from "./Election.ts"
import type { NodeId } from "./Message.ts"
import type { Progress } from "./Progress.ts"
import * as Quorum from "./Quorum.ts"
import type { Leader, State } from "./State.ts"
import * as Transfer from "./Transfer.ts"

/** A leader commits nothing for so many election timeouts, though entries wait: then it stands still. */
const patienceTimeoutsCount = 5

/**
 * After a node has handed over it waits so long before it does so again, and each time twice as long: where every disk is
 * slow no voter is better placed than another, and leadership must not go round. A long time without forgets it.
 */
export const pauseMinMs = 10_000
export const pauseMaxMs = 600_000
const forgottenAfterPausesCount = 4

/** How long an index has not moved. */
export interface Standing {
  readonly index: number
  readonly sinceMs: number
}

/** Of a leader: what it had committed when that last moved, or nothing waited; and whether it said that it stands still. */
export interface LeaderStanding extends Standing {
  isTold: boolean
}

/** When this node last handed over for standing still, and how long it is not to do so again. */
export interface HandOvers {
  readonly lastMs: number
  readonly pauseMs: number
}

export const neverHandedOver: HandOvers = { lastMs: Number.NEGATIVE_INFINITY, pauseMs: 0 }

/** Notes, in every tick, whether this node holds all that it knows to be committed, or has come nearer to that. */
export const tick = (state: State): void => {
  const index = heldIndexOf(state)
  const isInStep = index >= Math.max(state.commitIndex, state.leaderCommit)
  if (isInStep || index > state.standing.index) state.standing = { index, sinceMs: state.nowMs }
}

/** For how long this node lacks committed entries and has not got any; 0 while it lacks none. */
export const standstillMs = (state: Readonly<State>): number => state.nowMs - state.standing.sinceMs

/** The same of a peer, as its leader sees it. */
export const standstillMsOf = (state: Readonly<State>, { inStepMs, matchIndex }: Progress): number =>
  matchIndex >= state.commitIndex ? 0 : state.nowMs - inStepMs

/** For how long entries have waited while this node leads, and none was committed; 0 on others. */
export const commitStandstillMs = ({ nowMs, role }: Readonly<State>): number =>
  role._tag === "Leader" ? nowMs - role.standing.sinceMs : 0

/** Committed entries that are durable here. An end of the log that the leader does not know may be another leader's. */
const heldIndexOf = ({ commitIndex, durableIndex }: Readonly<State>): number => Math.min(commitIndex, durableIndex)

/** Looks, in every tick, whether this leader stands still, and hands over if another voter is better placed. */
export const tickLeader = (state: State, draft: Draft.Draft, leader: Leader): void => {
  const { commitIndex, config, nowMs } = state
  const isMoving =
    commitIndex > leader.standing.index || commitIndex === state.log.lastIndex || isCatchingUp(state, leader)
  if (isMoving) leader.standing = { index: commitIndex, sinceMs: nowMs, isTold: false }
  const forMs = nowMs - leader.standing.sinceMs
  if (forMs < patienceTimeoutsCount * config.electionTimeoutMaxMs) return
  if (leader.transfer !== undefined || state.shutDown) return
  const { lastMs, pauseMs } = state.handOvers
  const to = nowMs >= lastMs + pauseMs ? betterPlaced(state, leader) : undefined
  if (to === undefined && leader.standing.isTold) return
  leader.standing.isTold = true
  draft.standstill = { forMs, commitIndex, lastIndex: state.log.lastIndex, to }
  if (to === undefined) return
  state.handOvers = { lastMs: nowMs, pauseMs: nextPauseMs(state) }
  Transfer.abdicate(state, draft, leader, to)
}

const nextPauseMs = ({ handOvers: { lastMs, pauseMs }, nowMs }: State): number => {
  if (nowMs - lastMs > forgottenAfterPausesCount * pauseMs) return pauseMinMs
  return Math.min(2 * pauseMs, pauseMaxMs)
}

/** Whether a voter comes nearer to what is committed: nothing more is, maybe, before it is there. */
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
 * A voter that those who answer would elect, as far as their logs are known here, and of these the one whose log reaches
 * furthest. Where several reach as far, any: nobody here knows which of them does better.
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
