/** What one node can say of the members of its cluster, for those who run it: who lags, and who is silent. Pure. */
import { type ConfigurationMember, isVoter, membersOf } from "./Configuration.ts"
import * as Standstill from "./Standstill.ts"
import type { State } from "./State.ts"

/** Undefined stands for what this node cannot know: only a leader knows of all. */
export interface MemberStatus extends ConfigurationMember {
  readonly isVoter: boolean
  readonly isLeader: boolean
  /** How far the member's log is known to be durable, and how many committed entries it lacks. */
  readonly matchIndex: number | undefined
  readonly lagCount: number | undefined
  /** For how long it lacks committed entries and has not got any, in the time that ticks credit; 0 while it lacks none. */
  readonly standstillMs: number | undefined
  /** How long ago it was last heard of, in the time that ticks credit; 0 of this node itself. */
  readonly lastContactMs: number | undefined
}

/** Of every member of the configuration in force here. */
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
      lastContactMs
    }
  })
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
