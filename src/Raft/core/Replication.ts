/** Log replication: proposing, sending, acknowledging and committing entries. Pure. Raft §5.3, §5.4.2. */
import type { EntryType, LogEntry } from "../../EventStore/LogEntry.ts"
import { invariant } from "../../Invariant.ts"
import * as CatchUp from "./CatchUp.ts"
import * as Draft from "./Draft.ts"
import type { Propose } from "./Input.ts"
import { type AppendEntries, type AppendEntriesReply, entriesMaxCount, type Message, type NodeId } from "./Message.ts"
import type { ProposalResult } from "./Output.ts"
import * as Pacing from "./Pacing.ts"
import * as Progress from "./Progress.ts"
import * as Quorum from "./Quorum.ts"
import * as RaftLog from "./RaftLog.ts"
import * as Reads from "./Reads.ts"
import type { Leader, State } from "./State.ts"

/**
 * Appends a batch exactly where it was decided, or refuses all of it (C18). One batch may pass the cap on uncommitted
 * bytes; the next one is refused. The shell checks the cap before it decides a batch (docs/raft.md).
 */
export const propose = (state: State, draft: Draft.Draft, batch: Propose): ProposalResult => {
  const role = state.role
  if (role._tag !== "Leader") return { _tag: "Refused", reason: "notLeader" }
  if (batch.term !== state.currentTerm || batch.lastIndex !== state.log.lastIndex) {
    return { _tag: "Refused", reason: "stale" }
  }
  if (state.shutDown || role.transfer !== undefined) return { _tag: "Refused", reason: "transferring" }
  if (role.uncommittedBytes >= state.config.uncommittedBytes) return { _tag: "Refused", reason: "overloaded" }
  const firstIndex = state.log.lastIndex + 1
  for (const entry of batch.entries) appendOwn(state, role, entry)
  sendToAll(state, draft, role)
  return { _tag: "Accepted", firstIndex, lastIndex: state.log.lastIndex }
}

/** Appends one entry to the leader's own log, which it never overwrites (Fig. 3, Leader Append-Only). */
export const appendOwn = (
  state: State,
  leader: Leader,
  entry: { readonly type: EntryType; readonly payload: Uint8Array }
): void => {
  const index = state.log.lastIndex + 1
  Draft.append(state, { index, term: state.currentTerm, type: entry.type, payload: entry.payload })
  leader.uncommittedBytes += entry.payload.length
}

/** Sends to every peer the entries that it lacks. */
export const sendToAll = (state: State, draft: Draft.Draft, leader: Leader): void => {
  for (const peer of leader.progress.keys()) sendAppend(state, draft, leader, peer)
}

/** Sends the entries that the peer lacks, as far as its mode and the caps on messages and bytes in flight allow. */
export const sendAppend = (state: State, draft: Draft.Draft, leader: Leader, peer: NodeId): void => {
  const progress = leader.progress.get(peer)
  if (progress === undefined || progress.mode._tag === "Snapshot") return
  if (progress.nextIndex < state.log.firstIndex && !lookAbove(state, draft, progress, peer)) return
  if (progress.mode._tag === "Probe") {
    if (progress.mode.sent !== undefined) return
    progress.mode.sent = sentNow(state)
    const entries = progress.mode.empty ? [] : nextEntries(state, progress)
    sendEntries(state, draft, progress, peer, entries)
    return
  }
  while (progress.nextIndex <= state.log.lastIndex && !Progress.isFull(progress, state.config)) {
    if (Pacing.mustWait(state, leader, peer, progress)) return
    const entries = nextEntries(state, progress)
    if (entries.length === 0) {
      requestRead(state, draft, progress, peer)
      return
    }
    sendInFlight(state, draft, progress, peer, entries)
  }
}

/** The time and round of a message that leaves now: see {@link Progress.Sent}. */
export const sentNow = ({ nowMs, readNumber }: State): Progress.Sent => ({ atMs: nowMs, readNumber })

/**
 * The peer's next entries are compacted away. A peer that answers gets a snapshot. A silent peer may hold more than the
 * leader knows, so the leader looks for its end from the first entry on.
 */
const lookAbove = (state: State, draft: Draft.Draft, progress: Progress.Progress, peer: NodeId): boolean => {
  const { firstIndex } = state.log
  if (Progress.isAnswering(progress, { nowMs: state.nowMs, withinMs: state.config.electionTimeoutMinMs })) {
    Progress.toSnapshot(progress)
    draft.needsSnapshot.push({ peer, atLeastIndex: firstIndex - 1 })
    return false
  }
  Progress.toProbe(progress, { nextIndex: firstIndex, empty: true })
  return true
}

/** The answer to a read of the log on disk, for a peer that is behind the window. */
export const onLogRead = (
  state: State,
  draft: Draft.Draft,
  leader: Leader,
  read: { readonly peer: NodeId; readonly entries: ReadonlyArray<LogEntry> }
): void => {
  const progress = leader.progress.get(read.peer)
  const first = read.entries[0]
  if (progress === undefined || progress.readLogFromIndex === undefined) return
  // This answers a request of an earlier leadership. The awaited answer is still to come.
  if (first !== undefined && first.index !== progress.readLogFromIndex) return
  progress.readLogFromIndex = undefined
  if (first === undefined) {
    progress.readLogDueMs = state.nowMs + state.config.heartbeatIntervalMs
    return
  }
  // If this node lost leadership meanwhile and won it back, the log may have been compacted or truncated since the
  // read.
  const isOwn =
    first.index >= state.log.firstIndex &&
    read.entries.every((entry) => RaftLog.termAt(state.log, entry.index) === entry.term)
  const isNext = progress.mode._tag === "Replicate" && first.index === progress.nextIndex
  if (isOwn && isNext) sendInFlight(state, draft, progress, read.peer, read.entries)
  sendAppend(state, draft, leader, read.peer)
}

/**
 * A follower takes entries from its leader (Fig. 2, AppendEntries RPC, receiver). One that repairs its log takes them too,
 * and acknowledges none (C26).
 */
export const onAppendEntries = (state: State, draft: Draft.Draft, from: NodeId, message: AppendEntries): void => {
  const { log, repairing } = state
  const { prevLogIndex, prevLogTerm } = message
  const term = state.currentTerm
  const reply = (result: AppendEntriesReply["result"]): Message =>
    repairing === undefined
      ? { _tag: "AppendEntriesReply", term, prevLogIndex, result }
      : { _tag: "Repair", term, nonce: repairing.nonce, answer: { prevLogIndex, result } }
  // Every leader holds all committed entries (Fig. 3, Leader Completeness), so they need no comparison.
  if (prevLogIndex > state.commitIndex && RaftLog.termAt(log, prevLogIndex) !== prevLogTerm) {
    const isShort = prevLogIndex > log.lastIndex
    const conflictTerm = isShort ? 0 : RaftLog.termAt(log, prevLogIndex)!
    const firstIndex = isShort
      ? log.lastIndex + 1
      : Math.max(RaftLog.firstIndexOfRun(log, prevLogIndex), state.commitIndex + 1)
    const conflict = reply({ _tag: "Conflict", conflictTerm, firstIndex })
    Draft.sendAfterHardState(state, draft, from, conflict)
    return
  }
  appendMissing(state, message.entries)
  const matchIndex = prevLogIndex + message.entries.length
  advanceFollowerCommit(state, Math.min(message.leaderCommit, matchIndex))
  if (repairing !== undefined) repairing.matchedIndex = Math.max(repairing.matchedIndex, matchIndex)
  Draft.sendOnceHeld(state, draft, from, matchIndex, reply({ _tag: "Matched", matchIndex }))
}

/**
 * Truncates only on a real conflict, and never a committed entry: a late message must not undo a newer one (§5.3, C8).
 */
const appendMissing = (state: State, entries: ReadonlyArray<LogEntry>): void => {
  for (const entry of entries) {
    // This entry is committed and compacted away. Its term is forgotten, and it needs no comparison.
    if (entry.index < state.log.firstIndex) continue
    if (entry.index <= state.log.lastIndex) {
      if (RaftLog.termAt(state.log, entry.index) === entry.term) continue
      invariant(entry.index > state.commitIndex, `entry ${entry.index} conflicts with a committed one`)
      Draft.truncate(state, entry.index)
    }
    Draft.append(state, entry)
  }
}

/** A follower takes over its leader's commit index, as far as its own log reaches. */
export const advanceFollowerCommit = (state: State, leaderCommit: number): void => {
  state.commitIndex = Math.max(state.commitIndex, Math.min(leaderCommit, state.log.lastIndex))
}

/** A peer's answer moves its progress: forward, or back to where the logs may still agree. */
export const onAppendEntriesReply = (
  state: State,
  draft: Draft.Draft,
  leader: Leader,
  from: NodeId,
  message: Pick<AppendEntriesReply, "prevLogIndex" | "result">
): void => {
  const progress = leader.progress.get(from)
  if (progress === undefined) return
  const { result, prevLogIndex } = message
  switch (result._tag) {
    case "Matched": {
      acknowledged(state, draft, leader, from, result.matchIndex)
      break
    }
    case "Conflict": {
      const isLate =
        progress.mode._tag === "Snapshot" ||
        prevLogIndex <= progress.matchIndex ||
        (progress.mode._tag === "Probe" && prevLogIndex !== progress.nextIndex - 1)
      if (isLate) return
      const nextIndex = backOff(state, { prevLogIndex, ...result })
      Progress.toProbe(progress, { nextIndex, empty: false })
      break
    }
  }
  sendAppend(state, draft, leader, from)
  tellCommit(state, draft, leader, from)
}

/** A peer holds every entry through `matchIndex`, durably. */
export const acknowledged = (
  state: State,
  draft: Draft.Draft,
  leader: Leader,
  from: NodeId,
  matchIndex: number
): void => {
  const progress = leader.progress.get(from)
  if (progress === undefined) return
  invariant(matchIndex <= state.log.lastIndex, `${from} matched past the leader's last index`)
  const { nowMs } = state
  Progress.matched(progress, { matchIndex, firstIndex: state.log.firstIndex, nowMs })
  CatchUp.matched(progress.catchUp, {
    matchIndex: progress.matchIndex,
    lastIndex: state.log.lastIndex,
    nowMs,
    roundMaxMs: state.config.electionTimeoutMinMs
  })
  advanceCommit(state, draft, leader)
}

/** Skips a whole term per refusal (§5.3, end): past the leader's own entries of it, or before the follower's. */
const backOff = (
  state: State,
  conflict: { readonly prevLogIndex: number; readonly conflictTerm: number; readonly firstIndex: number }
): number => {
  const last = conflict.conflictTerm === 0 ? undefined : RaftLog.lastIndexOfTerm(state.log, conflict.conflictTerm)
  const nextIndex = last !== undefined && last < conflict.prevLogIndex ? last + 1 : conflict.firstIndex
  return Math.max(1, Math.min(nextIndex, conflict.prevLogIndex))
}

/**
 * Commits the entries that a quorum holds durably, if the last one is of the current term. Entries before it commit
 * with it (§5.4.2, C3).
 */
export const advanceCommit = (state: State, draft: Draft.Draft, leader: Leader): void => {
  const index = Quorum.quorumValue(state.configuration, (voter) =>
    voter === state.nodeId ? state.durableIndex : Progress.countedIndex(leader.progress.get(voter))
  )
  if (index <= state.commitIndex || RaftLog.termAt(state.log, index) !== state.currentTerm) return
  for (let own = Math.max(state.commitIndex + 1, leader.noopIndex); own <= index; own++) {
    leader.uncommittedBytes -= RaftLog.entryAt(state.log, own)?.payload.length ?? 0
  }
  state.commitIndex = index
  sendToAll(state, draft, leader)
  for (const peer of leader.progress.keys()) tellCommit(state, draft, leader, peer)
  Reads.startRound(state, draft, leader)
}

/**
 * Tells a peer at once that entries which it holds are committed, so that it applies them without waiting for the next
 * beat. Skips this if entries on their way to the peer say so. A peer that is slower than the quorum is told when it
 * acknowledges. An answer would tell the leader nothing, and cost each write of a lone client two messages more.
 */
const tellCommit = (state: State, draft: Draft.Draft, leader: Leader, peer: NodeId): void => {
  const progress = leader.progress.get(peer)
  if (progress === undefined || progress.commitSent >= Math.min(state.commitIndex, progress.matchIndex)) return
  Reads.sendHeartbeat(state, draft, leader, peer, 0)
}

/** The last entry that a message from `nextIndex` may carry. Its receiver accepts no more. */
const lastIndexOfMessage = (state: State, { nextIndex }: Progress.Progress): number =>
  Math.min(state.log.lastIndex, nextIndex + entriesMaxCount - 1)

const nextEntries = (state: State, progress: Progress.Progress): ReadonlyArray<LogEntry> =>
  RaftLog.slice(state.log, {
    fromIndex: progress.nextIndex,
    toIndex: lastIndexOfMessage(state, progress),
    maxBytes: state.config.appendBatchBytes
  })

const requestRead = (state: State, draft: Draft.Draft, progress: Progress.Progress, peer: NodeId): void => {
  if (progress.readLogFromIndex !== undefined || state.nowMs < progress.readLogDueMs) return
  const { nextIndex: fromIndex } = progress
  progress.readLogFromIndex = fromIndex
  const toIndex = lastIndexOfMessage(state, progress)
  draft.readLog.push({ peer, fromIndex, toIndex, maxBytes: state.config.appendBatchBytes })
}

const sendInFlight = (
  state: State,
  draft: Draft.Draft,
  progress: Progress.Progress,
  peer: NodeId,
  entries: ReadonlyArray<LogEntry>
): void => {
  sendEntries(state, draft, progress, peer, entries)
  const bytes = entries.reduce((sum, entry) => sum + entry.payload.length, 0)
  Progress.sent(progress, { lastIndex: entries[entries.length - 1]!.index, bytes, nowMs: state.nowMs })
  Pacing.sent(state, progress, bytes)
}

/**
 * Sends without waiting for the leader's own write: the leader counts itself only once that is durable (diss. 10.2.1).
 */
const sendEntries = (
  state: State,
  draft: Draft.Draft,
  progress: Progress.Progress,
  peer: NodeId,
  entries: ReadonlyArray<LogEntry>
): void => {
  const prevLogIndex = progress.nextIndex - 1
  const prevLogTerm = RaftLog.termAt(state.log, prevLogIndex)
  invariant(prevLogTerm !== undefined, `the term of entry ${prevLogIndex} is unknown`)
  const through = prevLogIndex + entries.length
  progress.commitSent = Math.max(progress.commitSent, Math.min(state.commitIndex, through))
  Draft.send(state, draft, peer, {
    _tag: "AppendEntries",
    term: state.currentTerm,
    prevLogIndex,
    prevLogTerm,
    entries,
    leaderCommit: state.commitIndex
  })
}
