/**
 * Collects the output of the current step, and decides when each message may leave. Pure. Raft Fig. 2: durable before
 * replying.
 */
import type { LogEntry, SnapshotMark } from "../../EventStore/LogEntry.ts"
import { invariant } from "../../Invariant.ts"
import type { Configuration } from "./Configuration.ts"
import * as Configurations from "./Configurations.ts"
import type { Envelope, Message, NodeId } from "./Message.ts"
import type {
  LogReadRequest,
  MembershipResult,
  Output,
  ProposalResult,
  ReadReady,
  SequencedWrite,
  SnapshotRequest,
  TransferResult
} from "./Output.ts"
import * as RaftLog from "./RaftLog.ts"
import type { State } from "./State.ts"

/** The output so far of the current step. */
export interface Draft {
  readonly messages: Array<Envelope>
  readonly readsReady: Array<ReadReady>
  readonly readsRefused: Array<number>
  readonly readLog: Array<LogReadRequest>
  readonly needsSnapshot: Array<SnapshotRequest>
  snapshotChunk: Output["snapshotChunk"]
  snapshotReply: Output["snapshotReply"]
  restore: Output["restore"]
  compact: Output["compact"]
  proposal: ProposalResult | undefined
  membership: MembershipResult | undefined
  transfer: TransferResult | undefined
  standstill: Output["standstill"]
  repaired: Output["repaired"]
}

/** An empty output. */
export const make = (): Draft => ({
  messages: [],
  readsReady: [],
  readsRefused: [],
  readLog: [],
  needsSnapshot: [],
  snapshotChunk: undefined,
  snapshotReply: undefined,
  restore: undefined,
  compact: undefined,
  proposal: undefined,
  membership: undefined,
  transfer: undefined,
  standstill: undefined,
  repaired: undefined
})

/** Sends at once. Use it for messages that claim nothing about this node's disk. */
export const send = (state: State, draft: Draft, to: NodeId, message: Message): void => {
  draft.messages.push({ from: state.nodeId, to, message })
}

/** Sends once the current term and vote are durable (C1). */
export const sendAfterHardState = (state: State, draft: Draft, to: NodeId, message: Message): void =>
  sendAfter(state, draft, state.unwritten.hardState === undefined ? state.hardStateSeq : state.writtenSeq + 1, {
    from: state.nodeId,
    to,
    message
  })

/** Sends once all writes so far, those of this step included, are durable (C2). */
export const sendAfterWrites = (state: State, draft: Draft, to: NodeId, message: Message): void =>
  sendAfter(state, draft, isUnwritten(state) ? state.writtenSeq + 1 : state.writtenSeq, {
    from: state.nodeId,
    to,
    message
  })

/**
 * Sends a claim to hold every entry through `index`, once they are durable. If a snapshot holds them, the log must note
 * the snapshot first (C2).
 */
export const sendOnceHeld = (state: State, draft: Draft, to: NodeId, index: number, message: Message): void => {
  const isMarked = state.unwritten.snapshot === undefined && state.snapshotSeq <= state.durableSeq
  if (isMarked && index <= state.durableIndex) sendAfterHardState(state, draft, to, message)
  else sendAfterWrites(state, draft, to, message)
}

const sendAfter = (state: State, draft: Draft, seq: number, envelope: Envelope): void => {
  if (seq <= state.durableSeq) draft.messages.push(envelope)
  else state.held.push({ seq, envelope })
}

const isUnwritten = (state: State): boolean =>
  state.unwritten.truncateFromIndex !== undefined ||
  state.unwritten.snapshot !== undefined ||
  state.unwritten.hardState !== undefined ||
  state.unwritten.entries.length > 0

export const setHardState = (
  state: State,
  hardState: { readonly currentTerm: number; readonly votedFor: NodeId | undefined }
): void => {
  state.currentTerm = hardState.currentTerm
  state.votedFor = hardState.votedFor
  state.unwritten.hardState = { currentTerm: hardState.currentTerm, votedFor: hardState.votedFor }
}

export const append = (state: State, entry: LogEntry): void => {
  RaftLog.append(state.log, entry)
  state.unwritten.entries.push(entry)
  if (entry.type !== "configuration") return
  Configurations.append(state.configurations, entry)
  state.configuration = Configurations.latest(state.configurations).configuration
}

/** Removes a conflicting suffix. Writes of it that are still under way no longer make it durable. */
export const truncate = (state: State, fromIndex: number): void => {
  invariant(state.role._tag !== "Leader", `a leader was to overwrite its entry ${fromIndex}`)
  RaftLog.truncate(state.log, fromIndex)
  Configurations.truncate(state.configurations, fromIndex)
  state.configuration = Configurations.latest(state.configurations).configuration
  state.unwritten.truncateFromIndex = fromIndex
  state.durableIndex = Math.min(state.durableIndex, fromIndex - 1)
  state.recoveredIndex = Math.min(state.recoveredIndex, fromIndex - 1)
  for (const write of state.pendingWrites) write.lastIndex = Math.min(write.lastIndex, fromIndex - 1)
}

/** Notes a durable snapshot in the log on disk. */
export const markSnapshot = (state: State, mark: SnapshotMark): void => {
  state.snapshot = mark
  state.isCompactionDue = true
  state.unwritten.snapshot = mark
}

/**
 * Starts the log over after an installed snapshot. The snapshot makes every entry through its index durable, and
 * applied once the machine is restored. Writes of the old log that are still under way no longer count.
 */
export const startAfter = (state: State, mark: SnapshotMark, configuration: Configuration): void => {
  invariant(mark.index > state.commitIndex, `a snapshot at ${mark.index} would undo what is committed`)
  RaftLog.startAfter(state.log, mark, state.commitIndex)
  Configurations.startAfter(state.configurations, { index: mark.index, configuration })
  state.configuration = configuration
  markSnapshot(state, mark)
  state.applyingIndex = mark.index
  state.durableIndex = mark.index
  state.recoveredIndex = Math.min(state.recoveredIndex, mark.index)
  for (const write of state.pendingWrites) write.lastIndex = Math.min(write.lastIndex, mark.index)
}

/** Turns the additions of this step into one write, or returns undefined if there are none. */
export const takeWrite = (state: State): SequencedWrite | undefined => {
  if (!isUnwritten(state)) return undefined
  const { truncateFromIndex, snapshot, hardState, entries } = state.unwritten
  state.unwritten = { truncateFromIndex: undefined, snapshot: undefined, hardState: undefined, entries: [] }
  const seq = ++state.writtenSeq
  if (hardState !== undefined) state.hardStateSeq = seq
  if (snapshot !== undefined) state.snapshotSeq = seq
  state.pendingWrites.push({ seq, lastIndex: state.log.lastIndex })
  return {
    seq,
    ...(truncateFromIndex === undefined ? {} : { truncateFromIndex }),
    ...(snapshot === undefined ? {} : { snapshot }),
    ...(hardState === undefined ? {} : { hardState }),
    entries
  }
}

/** Write `seq` and all writes before it are durable: messages that waited for them may leave. */
export const persisted = (state: State, draft: Draft, seq: number): void => {
  state.durableSeq = Math.max(state.durableSeq, seq)
  while (state.pendingWrites.length > 0 && state.pendingWrites[0]!.seq <= seq) {
    state.durableIndex = Math.max(state.durableIndex, state.pendingWrites.shift()!.lastIndex)
  }
  const held = state.held
  state.held = []
  for (const each of held) {
    if (each.seq <= state.durableSeq) draft.messages.push(each.envelope)
    else state.held.push(each)
  }
}
