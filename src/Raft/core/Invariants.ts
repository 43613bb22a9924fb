/** The invariants of one node after every step. Pure; a broken invariant stops the node. docs/raft.md. */
import { invariant } from "../../Invariant.ts"
import { membersOf } from "./Configuration.ts"
import * as Configurations from "./Configurations.ts"
import type { NodeId } from "./Message.ts"
import * as RaftLog from "./RaftLog.ts"
import type { Leader, State } from "./State.ts"

/** The part of a state that is compared with the state after the next step. */
export interface Observed {
  readonly currentTerm: number
  readonly votedFor: NodeId | undefined
  readonly commitIndex: number
  readonly readNumber: number
  readonly lastIndex: number
  readonly isLeader: boolean
}

export const observe = (state: State): Observed => ({
  currentTerm: state.currentTerm,
  votedFor: state.votedFor,
  commitIndex: state.commitIndex,
  readNumber: state.readNumber,
  lastIndex: state.log.lastIndex,
  isLeader: state.role._tag === "Leader"
})

export const check = (state: State, before: Observed): void => {
  checkTransition(state, before)
  checkIndexes(state)
  const { configuration } = Configurations.latest(state.configurations)
  invariant(state.configuration === configuration, "the configuration in force is not the latest of the log")
  if (state.role._tag === "Leader") checkLeader(state, state.role)
  invariant(state.repairing === undefined || state.role._tag === "Follower", "a node that repairs its log campaigns")
}

const checkTransition = (state: State, before: Observed): void => {
  invariant(state.currentTerm >= before.currentTerm, "currentTerm went back")
  invariant(state.commitIndex >= before.commitIndex, "commitIndex went back")
  invariant(state.readNumber >= before.readNumber, "readNumber went back")
  if (state.currentTerm !== before.currentTerm) return
  const keepsVote = before.votedFor === undefined || state.votedFor === before.votedFor
  invariant(keepsVote, `voted for ${before.votedFor} and ${state.votedFor} in term ${state.currentTerm}`)
  const isStillLeader = before.isLeader && state.role._tag === "Leader"
  invariant(!isStillLeader || state.log.lastIndex >= before.lastIndex, "a leader overwrote its log")
}

const checkIndexes = (state: State): void => {
  const { log } = state
  invariant(state.commitIndex <= log.lastIndex, "commitIndex passed the last index")
  invariant(state.durableIndex <= log.lastIndex, "durableIndex passed the last index")
  invariant(state.applyingIndex <= state.commitIndex, "lastApplied passed commitIndex")
  invariant(state.applyingIndex <= state.durableIndex, "lastApplied passed durableIndex")
  invariant(state.lastApplied <= state.applyingIndex, "lastApplied passed what was given out")
  const snapshotIndex = state.snapshot?.index ?? 0
  invariant(snapshotIndex <= state.applyingIndex, "a snapshot passed lastApplied")
  invariant(log.firstIndex - 1 <= snapshotIndex, "entries are gone that no snapshot stands for")
  invariant(RaftLog.lastTerm(log) <= state.currentTerm, "the log is ahead of currentTerm")
}

const checkLeader = (state: State, leader: Leader): void => {
  for (const [peer, progress] of leader.progress) {
    invariant(progress.matchIndex <= state.log.lastIndex, `matchIndex of ${peer} passed the last index`)
  }
  for (const { id } of membersOf(state.configuration)) {
    invariant(id === state.nodeId || leader.progress.has(id), `${id} is a member, and nothing is sent to it`)
  }
  // Configurations before the no-op come from other leaders, and may be committed without this leader knowing it.
  const own = state.configurations.filter(({ index }) => index > state.commitIndex && index > leader.noopIndex)
  invariant(own.length <= 1, "two configurations are uncommitted")
}
