/**
 * Checks the repair of damaged logs in a simulated cluster, from what the disks held before the damage: no node that
 * repairs answers for its log, and a repaired one holds all that it may ever have acknowledged. C26.
 */
import type { Message, NodeId } from "../../Raft/core/Message.ts"
import type { Output } from "../../Raft/core/Output.ts"
import * as Quorum from "../../Raft/core/Quorum.ts"
import * as RaftLog from "../../Raft/core/RaftLog.ts"
import type { State } from "../../Raft/core/State.ts"
import type { Checks } from "./Checks.ts"
import { type Disk, entryAt } from "./Disk.ts"
import { fail } from "./Failure.ts"
import type { SimulatedNode } from "./Node.ts"

/** A life begins. If the log must be repaired, so does a repair: each life has one of its own. */
export const started = (checks: Checks, { disk, id, lives }: SimulatedNode): void => {
  checks.repairs.delete(id)
  if (disk.lost === undefined) return
  checks.repairs.set(id, { nonce: lives, committedCount: checks.committed.length, seen: new Map(), namedBy: new Set() })
}

export const afterStep = (
  checks: Checks,
  nodes: ReadonlyArray<SimulatedNode>,
  node: SimulatedNode,
  output: Output
): void => {
  const state = node.life?.core
  if (state === undefined || checks.repairs.size === 0) return
  for (const { seen } of checks.repairs.values()) {
    const terms = seen.get(node.id)
    if (terms === undefined) seen.set(node.id, new Set([state.currentTerm]))
    else terms.add(state.currentTerm)
  }
  if (node.disk.lost !== undefined) {
    for (const { message } of output.messages) answersForNothing(node.id, message)
    if (output.readsReady.length > 0) fail(`${node.id} reads while it repairs its log`)
    if (state.role._tag !== "Follower") fail(`${node.id} campaigns while it repairs its log`)
  }
  for (const { message, to } of output.messages) {
    if (message._tag === "RepairReply") isConfirmed(checks, state, to, message.nonce)
  }
  if (output.repaired === undefined) return
  isHeld(checks, nodes, node, state)
  checks.repairs.delete(node.id)
  checks.counts.healed++
}

/** Whether a message vouches for the log of its sender. */
const answersForNothing = (id: NodeId, message: Message): void => {
  const isVote = message._tag === "RequestVote" || (message._tag === "RequestVoteReply" && message.granted)
  if (isVote) fail(`${id} votes while it repairs its log`)
  const isEcho = message._tag === "HeartbeatReply" || message._tag === "AppendEntriesReply"
  if (isEcho) fail(`${id} acknowledges while it repairs its log`)
}

/** The leader that names R has a quorum without the node: each of it took a step in the leader's term since the node asked. */
const isConfirmed = (checks: Checks, state: State, to: NodeId, nonce: number): void => {
  const repair = checks.repairs.get(to)
  const leader = `${state.nodeId}/${state.currentTerm}`
  if (repair?.nonce !== nonce || repair.namedBy.has(leader)) return
  repair.namedBy.add(leader)
  const confirms = (voter: NodeId) => voter !== to && repair.seen.get(voter)?.has(state.currentTerm) === true
  if (!Quorum.isQuorum(state.configuration, confirms)) {
    fail(`${state.nodeId} names an index to ${to}, which repairs its log, without a quorum of others`)
  }
}

const holds = (disk: Disk, index: number, term: number): boolean =>
  index < disk.firstIndex || entryAt(disk, index)?.term === term

/**
 * A repaired log holds every entry that was committed when the repair began. It also holds every entry that it had before
 * the damage and that is committed, or that its leader still has and may commit by a late acknowledgement.
 */
const isHeld = (
  checks: Checks,
  nodes: ReadonlyArray<SimulatedNode>,
  { disk, id }: SimulatedNode,
  { currentTerm }: State
): void => {
  const count = checks.repairs.get(id)?.committedCount ?? 0
  for (const { index, term } of checks.committed.slice(0, count)) {
    if (!holds(disk, index, term)) fail(`${id} has repaired its log, without committed entry ${index}`)
  }
  const leader = nodes.find(({ life }) => life?.core.role._tag === "Leader" && life.core.currentTerm === currentTerm)
  for (const name of disk.lost ?? []) {
    const [index, term] = name.split("/").map(Number) as [number, number]
    const isCommitted = checks.committed[index - 1]?.term === term
    const mayCommit = leader?.life !== undefined && RaftLog.termAt(leader.life.core.log, index) === term
    if ((isCommitted || mayCommit) && !holds(disk, index, term)) {
      fail(`${id} has repaired its log, without entry ${index} of term ${term}, which it may have acknowledged`)
    }
  }
}
