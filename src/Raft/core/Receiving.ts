/** A message of another node: of this term, of a later one, or of one that is over. Pure. Raft Fig. 2 (Rules for Servers). */
import * as Draft from "./Draft.ts"
import * as Election from "./Election.ts"
import type { Receive } from "./Input.ts"
import { countsForSender } from "./Instances.ts"
import { isNotice, type Message, type NodeId } from "./Message.ts"
import * as Reads from "./Reads.ts"
import * as Repair from "./Repair.ts"
import * as Replication from "./Replication.ts"
import * as Resending from "./Resending.ts"
import * as Snapshots from "./Snapshots.ts"
import type { Leader, State } from "./State.ts"
import * as Transfer from "./Transfer.ts"

/** Takes a message of another node. A later term ends this one. The sender of an earlier term learns that it is over. */
export const receive = (state: State, draft: Draft.Draft, { from, message }: Receive): void => {
  if (message.term > state.currentTerm && startsTerm(message)) {
    // A node that cannot hear the leader must not depose it for the nodes that do (diss. 4.2.3).
    if (message._tag === "RequestVote" && !message.transfer && Election.isLeaderAlive(state)) return
    Election.becomeFollower(state, draft, { term: message.term })
  }
  if (message.term < state.currentTerm) receiveStale(state, draft, { _tag: "Receive", from, message })
  else receiveCurrent(state, draft, { _tag: "Receive", from, message })
}

const receiveCurrent = (state: State, draft: Draft.Draft, { from, message }: Receive): void => {
  if (state.role._tag === "Leader") noteReply(state, state.role, from, message)
  switch (message._tag) {
    case "RequestVote":
      Election.onRequestVote(state, draft, from, message)
      return
    case "RequestVoteReply":
      Election.onRequestVoteReply(state, draft, from, message)
      return
    case "AppendEntries":
      Election.hearLeader(state, draft, from)
      state.leaderCommit = Math.max(state.leaderCommit, message.leaderCommit)
      Replication.onAppendEntries(state, draft, from, message)
      return
    case "Heartbeat": {
      Election.hearLeader(state, draft, from)
      // A beat compares no logs, so it commits only entries that the leader knows to be here. A beat to a former life may
      // know of entries that damage has taken since, or has replaced by older ones.
      const knownIndex = Math.min(message.matchIndex, state.repairing?.matchedIndex ?? Number.POSITIVE_INFINITY)
      Replication.advanceFollowerCommit(state, Math.min(message.leaderCommit, knownIndex))
      state.leaderCommit = Math.max(state.leaderCommit, message.leaderCommit)
      state.contactReportedMs = message.lastContactMs
      if (isNotice(message)) return
      if (state.repairing !== undefined) {
        Repair.ask(state, draft, from, state.repairing.nonce)
        return
      }
      const { term, readNumber } = message
      Draft.sendAfterHardState(state, draft, from, { _tag: "HeartbeatReply", term, readNumber })
      return
    }
    case "AppendEntriesReply":
      if (state.role._tag !== "Leader") return
      Replication.onAppendEntriesReply(state, draft, state.role, from, message)
      Transfer.advance(state, draft, state.role)
      return
    case "HeartbeatReply":
      if (state.role._tag !== "Leader") return
      Reads.onHeartbeatReply(state, draft, state.role, from, message)
      Resending.onHeartbeatReply(state, draft, state.role, from, message)
      Repair.onEcho(state, draft, state.role, from, message.readNumber)
      return
    case "ReadIndex":
      Reads.onReadIndex(state, draft, from, message)
      return
    case "ReadIndexReply":
      Reads.onReadIndexReply(state, draft, message)
      return
    case "TimeoutNow":
      Transfer.onTimeoutNow(state, draft, from)
      return
    case "InstallSnapshot":
      Snapshots.onInstallSnapshot(state, draft, from, message)
      return
    case "InstallSnapshotReply":
      if (state.role._tag === "Leader") Snapshots.onReply(state, draft, state.role, from, message)
      return
    case "Repair":
      if (state.role._tag === "Leader") Repair.onRepair(state, draft, state.role, from, message)
      return
    case "RepairReply":
      Repair.onRepairReply(state, draft, from, message)
      return
  }
}

/** Only an answer proves that a peer hears this leader. Other messages may come over a one-way link. */
const noteReply = (state: State, leader: Leader, from: NodeId, message: Message): void => {
  if (!countsForSender(message)) return
  const progress = leader.progress.get(from)
  if (progress === undefined || message._tag === "Repair") return
  progress.lastContactMs = state.nowMs
  if (progress.repair !== undefined) {
    progress.repair.heardMs = state.nowMs
    // It is an acknowledgement or an echo: the peer has repaired its log.
    if (message._tag !== "AppendEntriesReply" && message._tag !== "HeartbeatReply") return
    progress.repair = undefined
  }
  progress.heardMs = state.nowMs
}

/** Whether the message names a term that a node has started. A pre-vote, asked or granted, names a future one. */
const startsTerm = (message: Message): boolean =>
  !(message._tag === "RequestVote" && message.preVote) &&
  !(message._tag === "RequestVoteReply" && message.preVote && message.granted)

/** Tells the sender of an older term that the term is over, so that a deposed leader learns of it (§5.1). */
const receiveStale = (state: State, draft: Draft.Draft, { from, message }: Receive): void => {
  const term = state.currentTerm
  const isOfLeader =
    message._tag === "AppendEntries" || message._tag === "Heartbeat" || message._tag === "InstallSnapshot"
  if (isOfLeader && state.repairing !== undefined) {
    Repair.ask(state, draft, from, state.repairing.nonce)
    return
  }
  switch (message._tag) {
    case "RequestVote":
      Election.onRequestVote(state, draft, from, message)
      return
    case "AppendEntries":
      Draft.sendAfterHardState(state, draft, from, {
        _tag: "AppendEntriesReply",
        term,
        prevLogIndex: message.prevLogIndex,
        result: { _tag: "Conflict", conflictTerm: 0, firstIndex: state.commitIndex + 1 }
      })
      return
    case "Heartbeat":
      Draft.sendAfterHardState(state, draft, from, {
        _tag: "HeartbeatReply",
        term,
        // The received number may be one from a former life of the node that leads this term.
        readNumber: 0
      })
      return
    case "ReadIndex":
      Reads.onReadIndex(state, draft, from, message)
      return
    case "InstallSnapshot":
      Draft.sendAfterHardState(state, draft, from, {
        _tag: "InstallSnapshotReply",
        term,
        snapshotIndex: message.snapshotIndex,
        receivedBytes: 0,
        installed: false
      })
      return
    case "RequestVoteReply":
    case "AppendEntriesReply":
    case "HeartbeatReply":
    case "ReadIndexReply":
    case "TimeoutNow":
    case "InstallSnapshotReply":
    case "Repair":
    case "RepairReply":
      return
  }
}
