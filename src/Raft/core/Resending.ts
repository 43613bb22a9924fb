/**
 * When a leader sends again: after an unanswered probe, after unacknowledged entries, and when entries had to wait.
 * Each has its own deadline. Pure. Raft §5.3 ("retries indefinitely").
 */
import type * as Draft from "./Draft.ts"
import type { HeartbeatReply, NodeId } from "./Message.ts"
import * as Progress from "./Progress.ts"
import { sendAppend, sentNow } from "./Replication.ts"
import type { Leader, State } from "./State.ts"

/** Checks every peer, in every tick, and sends what is due. */
export const tick = (state: State, draft: Draft.Draft, leader: Leader): void => {
  for (const [peer, progress] of leader.progress) {
    if (isProbeDue(state, progress)) probeAgain(progress)
    else if (isOverdue(state, progress)) {
      Progress.toProbe(progress, { nextIndex: progress.matchIndex + 1, empty: true })
    }
    // Entries that wait for a log read or for pacing wait for no answer, so nothing else would send them.
    sendAppend(state, draft, leader, peer)
    if (progress.matchIndex >= state.commitIndex) progress.inStepMs = state.nowMs
  }
}

/**
 * A beat that left after the probe was answered, and the probe was not. So the leader takes the probe for lost and
 * repeats it at once. It repeats at most once per tick, since the probe may only wait behind entries, and reads cause a
 * thousand beats a second.
 */
export const onHeartbeatReply = (
  state: State,
  draft: Draft.Draft,
  leader: Leader,
  from: NodeId,
  { readNumber }: HeartbeatReply
): void => {
  const progress = leader.progress.get(from)
  if (progress === undefined) return
  const sent = probeSent(progress)
  if (sent !== undefined && readNumber > sent.readNumber && state.nowMs > sent.atMs) probeAgain(progress)
  sendAppend(state, draft, leader, from)
}

/**
 * Messages in flight are lost. The leader looks for the peer's end after one beat, or as soon as the peer is reachable.
 */
export const onUnreachable = (state: State, leader: Leader, peer: NodeId): void => {
  const progress = leader.progress.get(peer)
  if (progress === undefined) return
  Progress.toProbe(progress, { nextIndex: whereToLook(progress), empty: true, sent: sentNow(state) })
}

/** The peer is reachable again, and any earlier message may be lost. */
export const onReachable = (state: State, draft: Draft.Draft, leader: Leader, peer: NodeId): void => {
  const progress = leader.progress.get(peer)
  if (progress === undefined) return
  Progress.toProbe(progress, { nextIndex: whereToLook(progress), empty: true })
  sendAppend(state, draft, leader, peer)
}

/**
 * Where to look for a peer's end. If the end is unknown, the leader continues where it was looking: the peer may hold
 * nearly all entries.
 */
const whereToLook = ({ matchIndex, mode, nextIndex }: Progress.Progress): number =>
  mode._tag === "Probe" ? nextIndex : matchIndex + 1

const probeSent = ({ mode }: Progress.Progress): Progress.Sent | undefined =>
  mode._tag === "Probe" ? mode.sent : undefined

const isProbeDue = (state: State, progress: Progress.Progress): boolean => {
  const sent = probeSent(progress)
  return sent !== undefined && state.nowMs - sent.atMs >= state.config.heartbeatIntervalMs
}

const probeAgain = (progress: Progress.Progress): void =>
  Progress.toProbe(progress, { nextIndex: progress.nextIndex, empty: true })

/** Whether a message in flight is lost: no acknowledgement came for an election timeout. */
const isOverdue = (state: State, { ackedMs, inflight }: Progress.Progress): boolean =>
  inflight.length > 0 && state.nowMs - ackedMs >= state.config.electionTimeoutMinMs
