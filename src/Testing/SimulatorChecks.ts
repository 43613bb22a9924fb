/** What must hold of a simulated cluster after every step. Not what makes it happen (Simulator.ts). Raft Fig. 3, diss. 6.4. */
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { invariant } from "../Invariant.ts"
import type { NodeId } from "../Raft/Message.ts"
import type { Output } from "../Raft/Output.ts"
import * as RaftLog from "../Raft/RaftLog.ts"
import type { SimulatedNode } from "./Simulator.ts"

export interface Checks {
  /** Everything that any node ever held committed, in order. */
  readonly committed: Array<LogEntry>
  readonly leaders: Map<number, NodeId>
  /** Per "index/term", the entry ever written there and the term of the one before: by induction, Log Matching. */
  readonly written: Map<string, { readonly entry: LogEntry; readonly prevTerm: number }>
  /** Per "node/term", whom it voted for: across restarts, one vote a term. */
  readonly votes: Map<string, NodeId>
  readonly last: Map<NodeId, { readonly currentTerm: number; readonly commitIndex: number }>
  /** Per read, what was committed when it began. */
  readonly reads: Map<number, number>
  readsCount: number
}

export const make = (): Checks => ({
  committed: [],
  leaders: new Map(),
  written: new Map(),
  votes: new Map(),
  last: new Map(),
  reads: new Map(),
  readsCount: 0
})

export const fail = (message: string): never => {
  throw new Error(message)
}

/** A restart may forget the commit index, never a term that the node acknowledged: votes and replies are checked for it. */
export const started = (checks: Checks, node: SimulatedNode): void => {
  checks.last.set(node.id, { currentTerm: node.disk.hardState.currentTerm, commitIndex: 0 })
}

export const readBegins = (checks: Checks, readId: number): void => {
  checks.reads.set(readId, checks.committed.length)
}

export const afterStep = (
  checks: Checks,
  nodes: ReadonlyArray<SimulatedNode>,
  node: SimulatedNode,
  output: Output
): void => {
  const state = node.state
  invariant(state !== undefined, `${node.id} stepped while stopped`)
  const last = checks.last.get(node.id)
  if (last !== undefined && state.currentTerm < last.currentTerm) fail(`${node.id}: the term went back`)
  if (last !== undefined && state.commitIndex < last.commitIndex) fail(`${node.id}: the commit index went back`)
  checks.last.set(node.id, { currentTerm: state.currentTerm, commitIndex: state.commitIndex })
  logMatching(checks, node, output)
  electionSafety(checks, node, output)
  commitSafety(checks, nodes, node)
  applySafety(checks, node, output)
  for (const { readId, readIndex } of output.readsReady) {
    checks.readsCount++
    if (readIndex < checks.reads.get(readId)!) fail(`${node.id}: read ${readId} misses what was committed before it`)
  }
}

const logMatching = (checks: Checks, node: SimulatedNode, output: Output): void => {
  const { log } = node.state!
  for (const entry of output.write?.entries ?? []) {
    const key = `${entry.index}/${entry.term}`
    const prevTerm = RaftLog.termAt(log, entry.index - 1)!
    const known = checks.written.get(key)
    if (known === undefined) checks.written.set(key, { entry, prevTerm })
    else if (known.prevTerm !== prevTerm || !isSame(known.entry, entry)) fail(`${node.id}: two entries at ${key}`)
  }
}

const electionSafety = (checks: Checks, node: SimulatedNode, output: Output): void => {
  const state = node.state!
  for (const { to, message } of output.messages) {
    if (message._tag !== "RequestVoteReply" || message.preVote || !message.granted) continue
    const key = `${node.id}/${message.term}`
    const vote = checks.votes.get(key)
    if (vote !== undefined && vote !== to) fail(`${node.id} voted twice in term ${message.term}`)
    checks.votes.set(key, to)
    if (node.disk.hardState.currentTerm < message.term) fail(`${node.id}: a vote left before it was durable`)
  }
  if (output.roleChanged?.role !== "leader") return
  const leader = checks.leaders.get(state.currentTerm)
  if (leader !== undefined) fail(`${leader} and ${node.id} both lead term ${state.currentTerm}`)
  checks.leaders.set(state.currentTerm, node.id)
  for (const { index, term } of checks.committed) {
    if (RaftLog.termAt(state.log, index) !== term) fail(`${node.id} leads without committed entry ${index}`)
  }
}

/** What a node holds committed is on the disks of a quorum, and is what every other node holds committed there. */
const commitSafety = (checks: Checks, nodes: ReadonlyArray<SimulatedNode>, node: SimulatedNode): void => {
  const { log, commitIndex } = node.state!
  for (let index = checks.committed.length + 1; index <= commitIndex; index++) {
    const term = RaftLog.termAt(log, index)!
    const holders = nodes.filter(({ disk }) => disk.entries[index - 1]?.term === term)
    if (holders.length * 2 <= nodes.length) fail(`${node.id}: committed entry ${index} is not on a quorum of disks`)
    checks.committed.push(holders[0]!.disk.entries[index - 1]!)
  }
}

/** Applied entries are durable on the node itself, and equal to those that every node applies (State Machine Safety). */
const applySafety = (checks: Checks, node: SimulatedNode, output: Output): void => {
  if (output.apply === undefined) return
  for (let index = output.apply.fromIndex; index <= output.apply.toIndex; index++) {
    const entry = node.disk.entries[index - 1]
    const committed = checks.committed[index - 1]
    if (entry === undefined) fail(`${node.id}: applies entry ${index}, which its disk lacks`)
    else if (committed === undefined || !isSame(entry, committed)) fail(`${node.id}: applies another entry ${index}`)
  }
}

const isSame = (a: LogEntry, b: LogEntry): boolean =>
  a.index === b.index &&
  a.term === b.term &&
  a.type === b.type &&
  a.payload.length === b.payload.length &&
  a.payload.every((byte, at) => byte === b.payload[at])
