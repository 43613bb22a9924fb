/**
 * Leases: reads without a round of their own. For a while after a quorum has echoed a beat, that quorum elects no other
 * leader. Leases are opt-in, since they trust clocks. Pure; times are the real monotonic ones that ticks give. Diss.
 * 6.4.1, C7.
 *
 * A voter that echoes a beat promises to grant no vote for `electionTimeoutMinMs` of the time that *it* credits,
 * counted from a tick that may be one beat old. So a lease begins when its beat was *sent*. It is shorter than the
 * timeout by one beat, and by the bound on how far two clocks drift apart meanwhile. A voter that restarts has
 * forgotten its promise, so it waits as if it had just promised. The promise is void once this leader has told another
 * node to campaign.
 */
import type { NodeId } from "./Message.ts"
import * as Quorum from "./Quorum.ts"
import type { Leader, State } from "./State.ts"

/** How far two clocks may drift apart within a lease, unless the configuration says otherwise. */
export const defaultDriftBoundMs = 50

/** Notes that a round is being sent. Forgets rounds too old to begin a lease. */
export const sent = (state: State, leader: Leader): void => {
  if (state.config.readLease === undefined) return
  const nowMs = realNowMs(state)
  leader.beats.push({ readNumber: state.readNumber, sentMs: nowMs })
  while (nowMs - leader.beats[0]!.sentMs > state.config.electionTimeoutMinMs) leader.beats.shift()
}

/** `peer` echoed a round. Its promise counts from when that round was sent. */
export const echoed = (leader: Leader, peer: NodeId, readNumber: number): void => {
  const progress = leader.progress.get(peer)
  const beat = leader.beats.find((each) => each.readNumber === readNumber)
  if (progress === undefined || beat === undefined) return
  progress.promisedMs = Math.max(progress.promisedMs, beat.sentMs)
}

/** The time until which reads need no round, or undefined if they need one now. */
export const untilMs = (state: State, leader: Leader): number | undefined => {
  const { electionTimeoutMinMs, heartbeatIntervalMs, readLease } = state.config
  if (readLease === undefined || leader.hasYielded || state.commitIndex < leader.noopIndex) return undefined
  const promisedMs = Quorum.quorumValue(state.configuration, (voter) =>
    voter === state.nodeId
      ? Number.POSITIVE_INFINITY
      : (leader.progress.get(voter)?.promisedMs ?? Number.NEGATIVE_INFINITY)
  )
  const driftBoundMs = readLease.driftBoundMs ?? defaultDriftBoundMs
  const endMs = promisedMs + electionTimeoutMinMs - heartbeatIntervalMs - driftBoundMs
  return realNowMs(state) < endMs ? endMs : undefined
}

const realNowMs = (state: State): number => state.lastTickMs ?? Number.NEGATIVE_INFINITY
