/** What must hold of a simulated cluster after every step. Not what makes it happen (Simulator.ts). Raft Fig. 3, §6, §7, diss. 6.4. */
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { invariant } from "../Invariant.ts"
import type { Configuration } from "../Raft/Configuration.ts"
import { hasSameVoters } from "../Raft/MembershipChange.ts"
import type { Message, NodeId } from "../Raft/Message.ts"
import type { Output, ReadReady } from "../Raft/Output.ts"
import * as Quorum from "../Raft/Quorum.ts"
import * as RaftLog from "../Raft/RaftLog.ts"
import type { State } from "../Raft/State.ts"
import { configurationsOf, type Disk, entryAt, instanceIdOf, type SimulatedNode } from "./SimulatorNode.ts"

export interface Checks {
  /** Everything that any node ever held committed, in order, and the machine's hash after each. */
  readonly committed: Array<LogEntry>
  readonly hashes: Array<number>
  /** The term of the leader that committed each: only leaders of later terms must have it. */
  readonly committedInTerms: Array<number>
  /** The latest committed configuration. */
  configuration: Configuration | undefined
  readonly leaders: Map<number, NodeId>
  /** Per "index/term", the entry ever written there and the term of the one before: by induction, Log Matching. */
  readonly written: Map<string, { readonly entry: LogEntry; readonly prevTerm: number }>
  /** Per "instance/term", whom it voted for: across restarts, one vote a term. */
  readonly votes: Map<string, NodeId>
  readonly last: Map<NodeId, { readonly currentTerm: number; readonly commitIndex: number }>
  /** Per read, what was committed when it began. */
  readonly reads: Map<number, number>
  readonly counts: Counts
}

/** What happened: a run in which nothing does proves nothing. */
export interface Counts {
  reads: number
  leaseReads: number
  changes: number
  transfers: number
  installs: number
  compactions: number
}

export const make = (): Checks => ({
  committed: [],
  hashes: [],
  committedInTerms: [],
  configuration: undefined,
  leaders: new Map(),
  written: new Map(),
  votes: new Map(),
  last: new Map(),
  reads: new Map(),
  counts: { reads: 0, leaseReads: 0, changes: 0, transfers: 0, installs: 0, compactions: 0 }
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
  logMatching(checks, state, output)
  electionSafety(checks, node, state, output)
  commitSafety(checks, nodes, node, state, output)
  for (const { message } of output.messages) {
    // What an older term's leader is told late was durable, and may be replaced since: it has lost to the new one.
    if (message.term === state.currentTerm) acknowledgedIsDurable(node, message)
  }
  if (output.restore !== undefined) checks.counts.installs++
  if (output.compact !== undefined) checks.counts.compactions++
}

/** A read sees what was committed anywhere when it began. Under a lease that has ended meanwhile it is not answered. */
export const readsServed = (
  checks: Checks,
  node: SimulatedNode,
  served: { readonly reads: ReadonlyArray<ReadReady>; readonly nowMs: number }
): void => {
  for (const { leaseUntilMs, readId, readIndex } of served.reads) {
    if (leaseUntilMs !== undefined && served.nowMs >= leaseUntilMs) continue
    checks.counts.reads++
    if (leaseUntilMs !== undefined) checks.counts.leaseReads++
    if (readIndex < checks.reads.get(readId)!) fail(`${node.id}: read ${readId} misses what was committed before it`)
  }
}

/** State Machine Safety: whatever was applied or restored, machines at one index are equal. */
export const applied = (checks: Checks, { applied, id }: SimulatedNode): void => {
  if (applied.index > checks.committed.length) fail(`${id}: applied entry ${applied.index}, which is not committed`)
  if (applied.hash !== checks.hashes[applied.index - 1]) fail(`${id}: its machine differs at entry ${applied.index}`)
}

/** FNV-1a over everything that an entry says, from the hash of all before it. */
export const hashOf = (before: number, entry: LogEntry): number => {
  let hash = before ^ 0x811c9dc5
  const mix = (value: number) => {
    hash = Math.imul(hash ^ value, 0x01000193)
  }
  mix(entry.index)
  mix(entry.term)
  mix(entry.type.length)
  for (const byte of entry.payload) mix(byte)
  return hash >>> 0
}

const logMatching = (checks: Checks, { log }: State, output: Output): void => {
  for (const entry of output.write?.entries ?? []) {
    const key = `${entry.index}/${entry.term}`
    const prevTerm = RaftLog.termAt(log, entry.index - 1)!
    const known = checks.written.get(key)
    if (known === undefined) checks.written.set(key, { entry, prevTerm })
    else if (known.prevTerm !== prevTerm || !isSame(known.entry, entry)) fail(`two entries at ${key}`)
  }
}

const electionSafety = (checks: Checks, node: SimulatedNode, state: State, output: Output): void => {
  for (const { to, message } of output.messages) {
    if (message._tag !== "RequestVoteReply" || message.preVote || !message.granted) continue
    const key = `${instanceIdOf(node)}/${message.term}`
    const vote = checks.votes.get(key)
    if (vote !== undefined && vote !== to) fail(`${node.id} voted twice in term ${message.term}`)
    checks.votes.set(key, to)
    if (node.disk.hardState.currentTerm < message.term) fail(`${node.id}: a vote left before it was durable`)
  }
  if (output.roleChanged?.role !== "leader") return
  const leader = checks.leaders.get(state.currentTerm)
  if (leader !== undefined) fail(`${leader} and ${node.id} both lead term ${state.currentTerm}`)
  checks.leaders.set(state.currentTerm, node.id)
  for (let at = state.log.firstIndex - 1; at < checks.committed.length; at++) {
    const entry = checks.committed[at]
    if (entry === undefined || checks.committedInTerms[at]! >= state.currentTerm) continue
    if (RaftLog.termAt(state.log, entry.index) !== entry.term) {
      fail(`${node.id} leads without committed entry ${entry.index}`)
    }
  }
}

/** What is newly committed is on the disks of a quorum, of each side while joint; the next configuration may follow it. */
const commitSafety = (
  checks: Checks,
  nodes: ReadonlyArray<SimulatedNode>,
  node: SimulatedNode,
  state: State,
  output: Output
): void => {
  const { commitIndex, configurations, log } = state
  for (let index = checks.committed.length + 1; index <= commitIndex; index++) {
    const term = RaftLog.termAt(log, index)!
    // What this very step appended counted for nothing when it committed.
    const isNew = output.configurationChanged !== undefined && configurations.length > 1
    const { configuration } = configurations[configurations.length - (isNew ? 2 : 1)]!
    const holders = nodes.filter(({ disk }) => entryAt(disk, index)?.term === term)
    if (!Quorum.isQuorum(configuration, (voter) => holders.some(({ id }) => id === voter))) {
      fail(`${node.id}: committed entry ${index} is not on a quorum of disks`)
    }
    const entry = entryAt(holders[0]!.disk, index)!
    checks.committed.push(entry)
    checks.committedInTerms.push(state.currentTerm)
    checks.hashes.push(hashOf(checks.hashes.at(-1) ?? 0, entry))
    configurationSafety(checks, entry)
  }
}

/** One change at a time, and voters change only through a joint configuration of the old and the new (§6). */
const configurationSafety = (checks: Checks, entry: LogEntry): void => {
  const [at] = configurationsOf([entry])
  if (at === undefined) return
  const [old, next] = [checks.configuration, at.configuration]
  checks.configuration = next
  if (old === undefined || (next.outgoing === undefined && hasSameVoters(old, next))) return
  const isEntered = old.outgoing === undefined && hasSameVoters(old, { voters: next.outgoing ?? [] })
  if (!isEntered) fail(`configuration ${entry.index} does not follow the one before it`)
}

/** What a node says that it holds is on its disk: in its log, or in a snapshot (C2). */
const acknowledgedIsDurable = ({ disk, id }: SimulatedNode, message: Message): void => {
  const isAck = message._tag === "AppendEntriesReply" && message.result._tag === "Matched"
  if (isAck && !isHeld(disk, message.result.matchIndex)) fail(`${id} acknowledged entry ${message.result.matchIndex}`)
  const isInstalled = message._tag === "InstallSnapshotReply" && message.installed
  if (isInstalled && !isHeld(disk, message.snapshotIndex)) fail(`${id} holds no snapshot at ${message.snapshotIndex}`)
}

const isHeld = (disk: Disk, index: number): boolean => index < disk.firstIndex + disk.entries.length

const isSame = (a: LogEntry, b: LogEntry): boolean =>
  a.index === b.index &&
  a.term === b.term &&
  a.type === b.type &&
  a.payload.length === b.payload.length &&
  a.payload.every((byte, at) => byte === b.payload[at])
