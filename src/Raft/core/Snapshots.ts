/**
 * The part of snapshots that consensus decides: when a peer needs one, how a received one changes the log, and which
 * entries a local one replaces. Pure: the shell takes, stores, sends and restores snapshots. Raft §7, C13, C14.
 */
import { invariant } from "../../Invariant.ts"
import * as Configurations from "./Configurations.ts"
import * as Draft from "./Draft.ts"
import * as Election from "./Election.ts"
import type { SnapshotInstalled, SnapshotReceived } from "./Input.ts"
import type { InstallSnapshot, InstallSnapshotReply, NodeId } from "./Message.ts"
import * as Progress from "./Progress.ts"
import * as RaftLog from "./RaftLog.ts"
import * as Replication from "./Replication.ts"
import type { Leader, State } from "./State.ts"

/**
 * Gives a chunk from the leader to the shell, which stores it. If this node has already committed everything that the
 * snapshot covers, it says so instead. A node with a suspect state stores it all the same: its machine lacks part of
 * its log.
 */
export const onInstallSnapshot = (state: State, draft: Draft.Draft, from: NodeId, message: InstallSnapshot): void => {
  Election.hearLeader(state, draft, from)
  const { snapshotIndex } = message
  if (snapshotIndex <= state.commitIndex && !state.isSuspect) replyInstalled(state, draft, from, snapshotIndex)
  else draft.snapshotChunk = { from, message }
}

/** The shell has stored this many bytes of a snapshot. The leader continues from there. */
export const onReceived = (state: State, draft: Draft.Draft, input: SnapshotReceived): void => {
  if (state.role._tag !== "Follower" || state.role.leader !== input.from) return
  const { receivedBytes, snapshotIndex } = input
  Draft.sendAfterHardState(state, draft, input.from, {
    _tag: "InstallSnapshotReply",
    term: state.currentTerm,
    snapshotIndex,
    receivedBytes,
    installed: false
  })
}

/**
 * A received snapshot is whole and durable here. If the log holds its last entry, everything that it covers is
 * committed, and nothing else changes. Otherwise the log starts over after the snapshot, and the machine is restored
 * from it. A snapshot at or below the commit index is ignored: it would undo applied entries.
 */
export const install = (state: State, draft: Draft.Draft, snapshot: SnapshotInstalled): void => {
  const { configuration, index, term } = snapshot
  // A leader holds all committed entries (Fig. 3, Leader Completeness), so it needs no snapshot from a former leader.
  if (state.role._tag === "Leader") return
  if (index > state.commitIndex) {
    if (RaftLog.termAt(state.log, index) !== term) {
      Draft.startAfter(state, { index, term }, configuration)
      draft.restore = { index, term }
    }
    state.commitIndex = index
  }
  if (state.role._tag === "Follower" && state.role.leader !== undefined) {
    replyInstalled(state, draft, state.role.leader, index)
  }
}

/**
 * A snapshot of this node's own is durable. The log notes it, and once that note is durable the entries that it covers
 * may go.
 */
export const onLocal = (state: State, index: number): void => {
  invariant(index <= state.lastApplied, `a snapshot at ${index} was taken of what is not applied`)
  if (index <= (state.snapshot?.index ?? 0)) return
  const term = RaftLog.termAt(state.log, index)
  invariant(term !== undefined, `a snapshot was taken at ${index}, which is not in the log`)
  Draft.markSnapshot(state, { index, term })
  Configurations.forget(state.configurations, index)
}

/** The most entries that a leader keeps for peers that answer, beyond the retained history. */
export const keptForPeersMaxCount = 1_000_000

/**
 * The last index that every answering peer holds. A leader keeps the entries above it: under steady writes a peer would
 * otherwise install a snapshot, find the following entries gone, and need another one, for ever.
 */
const heldByAll = (state: State): number => {
  const { role } = state
  if (role._tag !== "Leader") return Number.POSITIVE_INFINITY
  let index = Number.POSITIVE_INFINITY
  for (const progress of role.progress.values()) {
    const isAnswering = Progress.isAnswering(progress, {
      nowMs: state.nowMs,
      withinMs: state.config.electionTimeoutMinMs
    })
    if (isAnswering) index = Math.min(index, progress.matchIndex)
  }
  return Math.max(index, state.lastApplied - keptForPeersMaxCount)
}

/**
 * The note of the snapshot is durable, so the entries below it go. The newest ones stay, within `logRetainedCount` and
 * `logRetainedBytes`: peers that lag a little catch up from them without a snapshot (C14). Entries of an
 * erasure go even if a peer lacks them.
 */
export const compact = (state: State, draft: Draft.Draft): void => {
  if (state.snapshot === undefined || !state.isCompactionDue || state.snapshotSeq > state.durableSeq) return
  const heldIndex = heldByAll(state)
  const discardedIndex = Math.min(state.snapshot.index, state.discardIndex)
  // As long as a peer needs all of the log, nobody counts the bytes of the entries that are to stay.
  if (Math.max(heldIndex, discardedIndex) < state.log.firstIndex) return
  const retained = { maxCount: state.config.logRetainedCount, maxBytes: state.config.logRetainedBytes }
  const wantedIndex = Math.min(state.snapshot.index, RaftLog.lastBefore(state.log, state.lastApplied, retained))
  const throughIndex = Math.max(discardedIndex, Math.min(wantedIndex, heldIndex))
  // The rest goes once the peer has it, or stops answering.
  state.isCompactionDue = heldIndex < wantedIndex
  if (throughIndex < state.log.firstIndex) return
  RaftLog.compact(state.log, throughIndex)
  draft.compact = { throughIndex }
}

/** Entries with erased data go as soon as a snapshot stands for them. A peer that lacks them takes the snapshot. */
export const discard = (state: State, draft: Draft.Draft, throughIndex: number): void => {
  state.discardIndex = Math.max(state.discardIndex, throughIndex)
  state.isCompactionDue = true
  compact(state, draft)
}

/**
 * A peer reports how much of a snapshot it has. The shell continues to send, or replication continues after the
 * snapshot.
 */
export const onReply = (
  state: State,
  draft: Draft.Draft,
  leader: Leader,
  from: NodeId,
  reply: InstallSnapshotReply
): void => {
  if (!leader.progress.has(from)) return
  draft.snapshotReply = { peer: from, message: reply }
  if (!reply.installed) return
  Replication.acknowledged(state, draft, leader, from, reply.snapshotIndex)
  Replication.sendAppend(state, draft, leader, from)
}

/**
 * The shell has stopped sending to this peer. The leader looks for its end, at once or, after a failure, one beat
 * later.
 */
export const onSent = (
  state: State,
  draft: Draft.Draft,
  leader: Leader,
  sent: { readonly peer: NodeId; readonly ok: boolean }
): void => {
  const progress = leader.progress.get(sent.peer)
  if (progress === undefined || progress.mode._tag !== "Snapshot") return
  const probe = sent.ok ? undefined : Replication.sentNow(state)
  Progress.leaveSnapshot(progress, { nextIndex: state.log.firstIndex, sent: probe })
  Replication.sendAppend(state, draft, leader, sent.peer)
}

const replyInstalled = (state: State, draft: Draft.Draft, to: NodeId, snapshotIndex: number): void => {
  const reply: InstallSnapshotReply = {
    _tag: "InstallSnapshotReply",
    term: state.currentTerm,
    snapshotIndex,
    receivedBytes: 0,
    installed: true
  }
  Draft.sendOnceHeld(state, draft, to, snapshotIndex, reply)
}
