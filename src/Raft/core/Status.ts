/**
 * The status of the cluster's members as one node sees them, for operators: which member lags, and which is silent.
 * Pure.
 */
import { type ConfigurationMember, isVoter, membersOf } from "./Configuration.ts"
import * as Standstill from "./Standstill.ts"
import type { State } from "./State.ts"

/** The status of one member. A field is undefined if this node cannot know it: only a leader knows all of them. */
export interface MemberStatus extends ConfigurationMember {
  readonly isVoter: boolean
  readonly isLeader: boolean
  /** The end of the member's durable log, as far as it is known, and how many committed entries the member lacks. */
  readonly matchIndex: number | undefined
  readonly lagCount: number | undefined
  /** How long the member has lacked committed entries and received none, in credited time. 0 if it lacks none. */
  readonly standstillMs: number | undefined
  /** The time since the member was last heard, in credited time. 0 for this node itself. */
  readonly lastContactMs: number | undefined
  /** Whether the member repairs its log, as far as this node knows. */
  readonly isRepairing: boolean
}

/** The status of every member of the configuration in force here. */
export const membersStatus = (state: State): ReadonlyArray<MemberStatus> => {
  const { role } = state
  const leader = role._tag === "Leader" ? state.nodeId : role._tag === "Follower" ? role.leader : undefined
  const commitIndex = Math.max(state.commitIndex, state.leaderCommit)
  return membersOf(state.configuration).map(({ address, id, instanceId }) => {
    const { lastContactMs, matchIndex, standstillMs } = known(state, id)
    return {
      id,
      address,
      instanceId,
      isVoter: isVoter(state.configuration, id),
      isLeader: id === leader,
      matchIndex,
      lagCount: matchIndex === undefined ? undefined : Math.max(0, commitIndex - matchIndex),
      standstillMs,
      lastContactMs,
      isRepairing: isRepairing(state, id)
    }
  })
}

const isRepairing = (state: State, id: string): boolean => {
  if (id === state.nodeId) return state.repairing !== undefined
  return state.role._tag === "Leader" && state.role.progress.get(id)?.repair !== undefined
}

const known = (state: State, id: string): Pick<MemberStatus, "matchIndex" | "standstillMs" | "lastContactMs"> => {
  if (id === state.nodeId) {
    return { matchIndex: state.durableIndex, standstillMs: Standstill.standstillMs(state), lastContactMs: 0 }
  }
  if (state.role._tag === "Leader") {
    const progress = state.role.progress.get(id)
    const heardMs = progress?.lastContactMs
    return {
      matchIndex: progress?.matchIndex,
      standstillMs: progress === undefined ? undefined : Standstill.standstillMsOf(state, progress),
      lastContactMs: heardMs === undefined ? undefined : state.nowMs - heardMs
    }
  }
  const isLeader = state.role._tag === "Follower" && state.role.leader === id
  const heardMs = isLeader ? state.leaderHeardMs : undefined
  const lastContactMs = heardMs === undefined ? undefined : state.nowMs - heardMs
  return { matchIndex: undefined, standstillMs: undefined, lastContactMs }
}
