/**
 * How fast a leader sends entries to a peer that is far behind. As long as no commit waits for that peer, the leader
 * leaves the others their share of cores, disks and links. If the peer still loses ground, the leader sends as fast as
 * the peer takes entries. Pure.
 */
import type { NodeId } from "./Message.ts"
import type { Progress } from "./Progress.ts"
import * as Quorum from "./Quorum.ts"
import type { Leader, State } from "./State.ts"

/** A peer that lacks more committed entries than this is far behind. */
export const farBehindCount = 4_096
const bytesPerSecond = 8 * 1024 * 1024

const lagOf = (state: State, { matchIndex }: Progress): number => state.commitIndex - matchIndex

/** Whether the next entries for `peer` must wait. A later beat or answer asks again. */
export const mustWait = (state: State, leader: Leader, peer: NodeId, progress: Progress): boolean => {
  if (state.nowMs >= progress.pacedUntilMs || lagOf(state, progress) <= farBehindCount) return false
  if (leader.transfer?.target === peer) return false
  // The others must be able to commit without this peer. Voters that answer and are not far behind count.
  return Quorum.isQuorum(state.configuration, (voter) => {
    if (voter === peer) return false
    const other = leader.progress.get(voter)
    if (other === undefined) return voter === state.nodeId
    const isHeard = other.repair === undefined && state.nowMs - other.heardMs < state.config.electionTimeoutMinMs
    return isHeard && lagOf(state, other) <= farBehindCount
  })
}

/** Notes that this much payload was sent to a peer, and when more may follow. */
export const sent = (state: State, progress: Progress, bytes: number): void => {
  const lagCount = lagOf(state, progress)
  const isGaining = lagCount < progress.pacedLagCount
  progress.pacedLagCount = lagCount
  progress.pacedUntilMs = isGaining ? state.nowMs + (bytes * 1000) / bytesPerSecond : state.nowMs
}
