/**
 * The peers that a leader replicates to: the other members of the configuration in force, and for a while those that
 * left. Pure. §6.
 */
import { isMember, membersOf } from "./Configuration.ts"
import * as Configurations from "./Configurations.ts"
import * as Progress from "./Progress.ts"
import type { Leader, State } from "./State.ts"

/** Adds and releases peers after a change of configuration. */
export const track = (state: State, leader: Leader): void => {
  const { configuration, index } = Configurations.latest(state.configurations)
  for (const { id } of membersOf(configuration)) {
    if (id === state.nodeId) continue
    const known = leader.progress.get(id)
    // A former member of this name may have come back without its data, so its old progress proves nothing (C16).
    if (known !== undefined && known.leaving === undefined) continue
    leader.progress.set(id, Progress.make({ lastIndex: state.log.lastIndex, nowMs: state.nowMs }))
  }
  for (const [peer, progress] of leader.progress) {
    if (progress.leaving !== undefined || isMember(configuration, peer)) continue
    progress.leaving = { index, untilMs: state.nowMs + state.config.electionTimeoutMaxMs }
  }
}

/**
 * Forgets peers that left, once they know that the configuration without them is committed, or had time to learn it. A
 * peer that knows it campaigns no more. A peer that does not know it disturbs nobody (diss. 4.2.2, 4.2.3).
 */
export const releaseLeft = (state: State, leader: Leader): void => {
  for (const [peer, { commitSent, leaving }] of leader.progress) {
    if (leaving !== undefined && (commitSent >= leaving.index || state.nowMs >= leaving.untilMs)) {
      leader.progress.delete(peer)
    }
  }
}
