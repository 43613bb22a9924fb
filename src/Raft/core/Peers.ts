/** Whom a leader replicates to: every other member of the configuration in force, and for a while those that left. Pure. §6. */
import { isMember, membersOf } from "./Configuration.ts"
import * as Configurations from "./Configurations.ts"
import * as Progress from "./Progress.ts"
import type { Leader, State } from "./State.ts"

/** Follows a change of configuration. */
export const track = (state: State, leader: Leader): void => {
  const { configuration, index } = Configurations.latest(state.configurations)
  for (const { id } of membersOf(configuration)) {
    if (id === state.nodeId) continue
    const known = leader.progress.get(id)
    // What a former member of that name held proves nothing: it may have come back without its data (C16).
    if (known !== undefined && known.leaving === undefined) continue
    leader.progress.set(id, Progress.make({ lastIndex: state.log.lastIndex, nowMs: state.nowMs }))
  }
  for (const [peer, progress] of leader.progress) {
    if (progress.leaving !== undefined || isMember(configuration, peer)) continue
    progress.leaving = { index, untilMs: state.nowMs + state.config.electionTimeoutMaxMs }
  }
}

/**
 * Forgets peers that left, once they were told that the configuration without them is committed, or could have been.
 * One that knows campaigns no more; one that does not disturbs nobody (diss. 4.2.2, 4.2.3).
 */
export const releaseLeft = (state: State, leader: Leader): void => {
  for (const [peer, { commitSent, leaving }] of leader.progress) {
    if (leaving !== undefined && (commitSent >= leaving.index || state.nowMs >= leaving.untilMs)) {
      leader.progress.delete(peer)
    }
  }
}
