/**
 * When a leader sends a peer again what it lacks: a probe that was not answered, entries that were not acknowledged,
 * entries that had to wait. Each has a deadline of its own. Pure. Raft §5.3 ("retries indefinitely").
 */
import type * as Draft from "./Draft.ts"
import type { HeartbeatReply, NodeId } from "./Message.ts"
import * as Progress from "./Progress.ts"
import { sendAppend, sentNow } from "./Replication.ts"
import type { Leader, State } from "./State.ts"

/** Looks at every peer, in every tick: whether something is to be repeated, or may be sent by now. */
export const tick = (state: State, draft: Draft.Draft, leader: Leader): void => {
  for (const [peer, progress] of leader.progress) {
    if (isProbeDue(state, progress)) probeAgain(progress)
    else if (isOverdue(state, progress)) {
      Progress.toProbe(progress, { nextIndex: progress.matchIndex + 1, empty: true })
    }
    // Reads of the log that failed, and what was paced, wait for no answer.
    sendAppend(state, draft, leader, peer)
    if (progress.matchIndex >= state.commitIndex) progress.inStepMs = state.nowMs
  }
}

/**
 * A beat that left after the probe has come back, and the probe has not: it is taken for lost, and repeated at once. No
 * more than once in a tick, since a probe may only be waiting behind entries, and reads beat a thousand times a second.
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

/** What was in flight is lost: look for the peer's end, a beat later, or as soon as it can be reached. */
export const onUnreachable = (state: State, leader: Leader, peer: NodeId): void => {
  const progress = leader.progress.get(peer)
  if (progress === undefined) return
  Progress.toProbe(progress, { nextIndex: whereToLook(progress), empty: true, sent: sentNow(state) })
}

/** The peer is there again, and may lack anything that was sent before. */
export const onReachable = (state: State, draft: Draft.Draft, leader: Leader, peer: NodeId): void => {
  const progress = leader.progress.get(peer)
  if (progress === undefined) return
  Progress.toProbe(progress, { nextIndex: whereToLook(progress), empty: true })
  sendAppend(state, draft, leader, peer)
}

/** A peer whose end is unknown is looked for where it was, and not from the first entry on: it may hold nearly all. */
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

/** Whether something in flight was lost: nothing was acknowledged for an election timeout. */
const isOverdue = (state: State, { ackedMs, inflight }: Progress.Progress): boolean =>
  inflight.length > 0 && state.nowMs - ackedMs >= state.config.electionTimeoutMinMs
