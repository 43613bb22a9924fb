/**
 * Reads without a round of their own: for a while after a quorum echoed a beat, none of it elects another leader. Opt-in,
 * since it trusts clocks. Pure; time is the real monotonic one, as ticks give it. Diss. 6.4.1, C7.
 *
 * A voter that echoes a beat promises to grant no vote for `electionTimeoutMinMs` of the time that *it* credits, counted
 * from a tick that may lie up to a beat before. So a lease begins when its beat was *sent*, and is shorter by a beat and
 * by the bound on how far two clocks drift apart within it. A voter that starts has forgotten its promise, and keeps it
 * all the same; the promise is void once this leader itself has told another node to campaign.
 */
import type { NodeId } from "./Message.ts"
import * as Quorum from "./Quorum.ts"
import type { Leader, State } from "./State.ts"

/** A numbered round of beats, and the real time of the last tick before it was sent. */
export interface Beat {
  readonly readNumber: number
  readonly sentMs: number
}

/** How far clocks are trusted not to drift apart within a lease, where the configuration does not say. */
export const defaultDriftBoundMs = 50

/** Notes that a round is being sent; those too old to begin a lease are forgotten. */
export const sent = (state: State, leader: Leader): void => {
  if (state.config.readLease === undefined) return
  const nowMs = realNowMs(state)
  leader.beats.push({ readNumber: state.readNumber, sentMs: nowMs })
  while (nowMs - leader.beats[0]!.sentMs > state.config.electionTimeoutMinMs) leader.beats.shift()
}

/** `peer` echoed a round: it keeps its promise from when that was sent. */
export const echoed = (leader: Leader, peer: NodeId, readNumber: number): void => {
  const progress = leader.progress.get(peer)
  const beat = leader.beats.find((each) => each.readNumber === readNumber)
  if (progress === undefined || beat === undefined) return
  progress.promisedMs = Math.max(progress.promisedMs, beat.sentMs)
}

/** Until when reads may be served without a round; undefined when they may not be. */
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
