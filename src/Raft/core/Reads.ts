/**
 * Linearizable reads without a log entry: the leader proves that it still led after the reads began. Pure. Diss. 6.4
 * (ReadIndex); rounds with fresh numbers after etcd issue 20418.
 */
import { invariant } from "../../Invariant.ts"
import { isMember } from "./Configuration.ts"
import * as Draft from "./Draft.ts"
import type { Read } from "./Input.ts"
import * as Leases from "./Leases.ts"
import type { HeartbeatReply, NodeId, ReadIndex, ReadIndexReply } from "./Message.ts"
import * as Quorum from "./Quorum.ts"
import type { LocalReads, ReadRequest } from "./ReadRounds.ts"
import type { Leader, State } from "./State.ts"

/** Registers reads of this node, or refuses them. */
export const register = (state: State, draft: Draft.Draft, input: Read): void => {
  const reads: LocalReads = { readIds: input.readIds, atLeastIndex: input.atLeastIndex ?? 0 }
  const role = state.role
  if (
    state.shutDown ||
    state.isSuspect ||
    state.repairing !== undefined ||
    waitingCount(state) + reads.readIds.length > state.config.readsWaitingCount
  ) {
    draft.readsRefused.push(...reads.readIds)
  } else if (role._tag === "Leader") {
    const leaseUntilMs = input.mayLease === true ? Leases.untilMs(state, role) : undefined
    // An answer that was decided on uncommitted entries waits for a round that began after it (D2).
    if (leaseUntilMs !== undefined && reads.atLeastIndex <= state.commitIndex) {
      for (const readId of reads.readIds) draft.readsReady.push({ readId, readIndex: state.commitIndex, leaseUntilMs })
      return
    }
    const readIndex = Math.max(state.commitIndex, reads.atLeastIndex)
    role.reads.waiting.push({ _tag: "Local", readIds: reads.readIds, readIndex })
    startRound(state, draft, role)
  } else if (role._tag === "Follower" && role.leader !== undefined) {
    state.followerReads.waiting.push(reads)
    ask(state, draft, role.leader)
  } else {
    draft.readsRefused.push(...reads.readIds)
  }
}

/**
 * The highest index that reads of this node may rely on. A former life may have served reads up to the recovered end of
 * the log. So this node serves none until it has applied that log again, or a leader has replaced its end.
 */
export const readableIndex = ({ lastApplied, recoveredIndex }: Readonly<State>): number =>
  lastApplied < recoveredIndex ? 0 : lastApplied

/**
 * Begins a round for all waiting reads, unless one is under way or the leader does not know the commit index yet (C4).
 */
export const startRound = (state: State, draft: Draft.Draft, leader: Leader): void => {
  if (leader.reads.round !== undefined || leader.reads.waiting.length === 0) return
  if (state.commitIndex < leader.noopIndex) return
  const requests = leader.reads.waiting
  // Reads from before the no-op's commit saw a commit index that may lag behind the former leader's.
  for (const request of requests) request.readIndex = Math.max(request.readIndex, leader.noopIndex)
  leader.reads.waiting = []
  leader.reads.round = { readNumber: state.readNumber + 1, requests, acks: new Set([state.nodeId]) }
  broadcastHeartbeat(state, draft, leader)
  finishRound(state, draft, leader)
}

/** Sends a beat when it is due, however many rounds of reads have sent beats meanwhile. */
export const tickLeader = (state: State, draft: Draft.Draft, leader: Leader): void => {
  if (state.nowMs < leader.heartbeatDueMs) return
  leader.heartbeatDueMs = state.nowMs + state.config.heartbeatIntervalMs
  broadcastHeartbeat(state, draft, leader)
}

/** Sends a beat with a new number to all peers. */
const broadcastHeartbeat = (state: State, draft: Draft.Draft, leader: Leader): void => {
  state.readNumber++
  Leases.sent(state, leader)
  for (const peer of leader.progress.keys()) sendHeartbeat(state, draft, leader, peer, state.readNumber)
}

/** Sends a beat of a round, or with `readNumber` 0 a notice of what is committed. */
export const sendHeartbeat = (
  state: State,
  draft: Draft.Draft,
  leader: Leader,
  peer: NodeId,
  readNumber: number
): void => {
  const progress = leader.progress.get(peer)
  if (progress === undefined) return
  const { lastContactMs, matchIndex } = progress
  progress.commitSent = Math.max(progress.commitSent, Math.min(state.commitIndex, matchIndex))
  Draft.send(state, draft, peer, {
    _tag: "Heartbeat",
    term: state.currentTerm,
    leaderCommit: state.commitIndex,
    matchIndex,
    lastContactMs: lastContactMs === undefined ? undefined : state.nowMs - lastContactMs,
    readNumber
  })
}

export const onHeartbeatReply = (
  state: State,
  draft: Draft.Draft,
  leader: Leader,
  from: NodeId,
  reply: HeartbeatReply
): void => {
  invariant(reply.readNumber <= state.readNumber, "a peer echoed a read number never sent")
  Leases.echoed(leader, from, reply.readNumber)
  const round = leader.reads.round
  if (round === undefined || reply.readNumber < round.readNumber) return
  round.acks.add(from)
  finishRound(state, draft, leader)
}

const finishRound = (state: State, draft: Draft.Draft, leader: Leader): void => {
  const round = leader.reads.round
  if (round === undefined || !Quorum.isQuorum(state.configuration, (voter) => round.acks.has(voter))) return
  leader.reads.round = undefined
  for (const request of round.requests) {
    if (request._tag === "Local") {
      for (const readId of request.readIds) draft.readsReady.push({ readId, readIndex: request.readIndex })
    } else {
      reply(state, draft, request, request.readIndex)
    }
  }
  startRound(state, draft, leader)
}

/** A follower asks for a read index. A node that is not a member gets none. */
export const onReadIndex = (state: State, draft: Draft.Draft, from: NodeId, message: ReadIndex): void => {
  const { life, requestId } = message
  const request = { _tag: "Remote" as const, peer: from, life, requestId, readIndex: state.commitIndex }
  if (state.role._tag !== "Leader" || message.term < state.currentTerm || !isMember(state.configuration, from)) {
    reply(state, draft, request, undefined)
    return
  }
  const reads = state.role.reads
  const isSame = (other: ReadRequest) =>
    other._tag === "Remote" && other.peer === from && other.life === life && other.requestId === requestId
  // A repeated request shares the round of its first copy, and is answered by it.
  if (reads.waiting.some(isSame) || reads.round?.requests.some(isSame) === true) return
  reads.waiting.push(request)
  startRound(state, draft, state.role)
}

export const onReadIndexReply = (state: State, draft: Draft.Draft, message: ReadIndexReply): void => {
  const { life, outstanding: asked } = state.followerReads
  if (asked === undefined || message.life !== life || message.requestId !== asked.requestId) return
  state.followerReads.outstanding = undefined
  for (const { readIds, atLeastIndex } of asked.reads) {
    if (message.readIndex === undefined) draft.readsRefused.push(...readIds)
    else {
      const readIndex = Math.max(message.readIndex, atLeastIndex)
      for (const readId of readIds) draft.readsReady.push({ readId, readIndex })
    }
  }
  if (state.role._tag === "Follower" && state.role.leader !== undefined) ask(state, draft, state.role.leader)
}

/** Asks again when the answer is overdue, since the request or the answer may be lost. */
export const tickFollower = (state: State, draft: Draft.Draft): void => {
  const { life, outstanding: asked } = state.followerReads
  if (asked === undefined || state.nowMs - asked.sentMs < state.config.electionTimeoutMinMs) return
  asked.sentMs = state.nowMs
  const { requestId } = asked
  Draft.send(state, draft, asked.leader, { _tag: "ReadIndex", term: state.currentTerm, life, requestId })
}

/** Refuses waiting reads, since the leader is lost or another. Their callers may try again. */
export const refuseAll = (state: State, draft: Draft.Draft): void => {
  const reads = state.followerReads
  for (const { readIds } of [...(reads.outstanding?.reads ?? []), ...reads.waiting]) draft.readsRefused.push(...readIds)
  reads.outstanding = undefined
  reads.waiting = []
  if (state.role._tag !== "Leader") return
  for (const request of [...(state.role.reads.round?.requests ?? []), ...state.role.reads.waiting]) {
    if (request._tag === "Local") draft.readsRefused.push(...request.readIds)
    else reply(state, draft, request, undefined)
  }
  state.role.reads.round = undefined
  state.role.reads.waiting = []
}

const ask = (state: State, draft: Draft.Draft, leader: NodeId): void => {
  const reads = state.followerReads
  if (reads.outstanding !== undefined || reads.waiting.length === 0) return
  const requestId = reads.nextRequestId++
  reads.outstanding = { requestId, reads: reads.waiting, sentMs: state.nowMs, leader }
  reads.waiting = []
  Draft.send(state, draft, leader, { _tag: "ReadIndex", term: state.currentTerm, life: reads.life, requestId })
}

const reply = (
  state: State,
  draft: Draft.Draft,
  request: { readonly peer: NodeId; readonly life: number; readonly requestId: number },
  readIndex: number | undefined
): void =>
  Draft.sendAfterHardState(state, draft, request.peer, {
    _tag: "ReadIndexReply",
    term: state.currentTerm,
    life: request.life,
    requestId: request.requestId,
    readIndex
  })

const waitingCount = (state: State): number => {
  const { outstanding, waiting } = state.followerReads
  let count = 0
  for (const { readIds } of outstanding?.reads ?? []) count += readIds.length
  for (const { readIds } of waiting) count += readIds.length
  if (state.role._tag !== "Leader") return count
  for (const request of [...(state.role.reads.round?.requests ?? []), ...state.role.reads.waiting]) {
    count += request._tag === "Local" ? request.readIds.length : 1
  }
  return count
}
