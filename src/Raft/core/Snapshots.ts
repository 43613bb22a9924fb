/**
 * Snapshots as consensus sees them: when a peer needs one, what a received one means for the log, and what a local one
 * lets go. Pure: taking, storing, sending and restoring them is the shell's. Raft §7, C13, C14.
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
 * A chunk from the leader, for the shell to store; unless all that the snapshot stands for is committed here already. A
 * node whose state is suspect asked for it: its machine lacks what its log has.
 */
export const onInstallSnapshot = (state: State, draft: Draft.Draft, from: NodeId, message: InstallSnapshot): void => {
  Election.hearLeader(state, draft, from)
  const { snapshotIndex } = message
  if (snapshotIndex <= state.commitIndex && !state.isSuspect) replyInstalled(state, draft, from, snapshotIndex)
  else draft.snapshotChunk = { from, message }
}

/** The shell has stored so many bytes of it: the leader goes on from there. */
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
 * A received snapshot is whole and durable here. Where the log holds its last entry, all that it stands for is
 * committed, and nothing else changes; otherwise the log starts anew behind it, and the machine is restored from it.
 * Never one at or below the commit index: that would undo what is applied.
 */
export const install = (state: State, draft: Draft.Draft, snapshot: SnapshotInstalled): void => {
  const { configuration, index, term } = snapshot
  // A leader holds all that is committed (Fig. 3, Leader Completeness), whoever sent the snapshot before.
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

/** A snapshot of this node's own is durable: it is noted in the log, and what it stands for may be let go once that is. */
export const onLocal = (state: State, index: number): void => {
  invariant(index <= state.lastApplied, `a snapshot at ${index} was taken of what is not applied`)
  if (index <= (state.snapshot?.index ?? 0)) return
  const term = RaftLog.termAt(state.log, index)
  invariant(term !== undefined, `a snapshot was taken at ${index}, which is not in the log`)
  Draft.markSnapshot(state, { index, term })
  Configurations.forget(state.configurations, index)
}

/** Entries that a leader keeps for peers that answer, however little history is to stay. */
export const keptForPeersMaxCount = 1_000_000

/**
 * What the peers that answer lack, a leader keeps: one that is sent a snapshot under writes would else find, when it
 * has it, that what follows it is gone too, and be sent another, for ever.
 */
const heldByAll = (state: State): number => {
  const { role } = state
  if (role._tag !== "Leader") return Number.POSITIVE_INFINITY
  let index = Number.POSITIVE_INFINITY
  for (const [peer, { matchIndex }] of role.progress) {
    if (Election.isHeard(state, role, peer)) index = Math.min(index, matchIndex)
  }
  return Math.max(index, state.lastApplied - keptForPeersMaxCount)
}

/**
 * The mark is durable: history below it goes, but for the newest `logRetainedCount` entries, from which peers that lag
 * a little catch up without a snapshot (C14).
 */
export const compact = (state: State, draft: Draft.Draft): void => {
  if (state.snapshot === undefined || !state.isCompactionDue || state.snapshotSeq > state.durableSeq) return
  const wantedIndex = Math.min(state.snapshot.index, state.lastApplied - state.config.logRetainedCount)
  const heldIndex = heldByAll(state)
  const throughIndex = Math.min(wantedIndex, heldIndex)
  // The rest goes once the peer has it, or answers no more.
  state.isCompactionDue = heldIndex < wantedIndex
  if (throughIndex < state.log.firstIndex) return
  RaftLog.compact(state.log, throughIndex)
  draft.compact = { throughIndex }
}

/** How far the peer has come: for the shell to send on, or for replication to go on from the end of the snapshot. */
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

/** The shell sends no more to this peer: look for its end again, at once or, after a failure, a beat later. */
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
