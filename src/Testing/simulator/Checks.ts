/**
 * Checks a simulated cluster after every step of a core, and whenever a machine changes. Not the answers of clients
 * (Promises.ts). Raft Fig. 3, §6, §7.
 */
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import { invariant } from "../../Invariant.ts"
import * as StateContent from "../../Machine/StateContent.ts"
import * as StateHash from "../../Machine/StateHash.ts"
import * as Tables from "../../Machine/Tables.ts"
import type { Configuration } from "../../Raft/core/Configuration.ts"
import { hasSameVoters } from "../../Raft/core/MembershipChange.ts"
import type { Message, NodeId } from "../../Raft/core/Message.ts"
import type { Output } from "../../Raft/core/Output.ts"
import * as Quorum from "../../Raft/core/Quorum.ts"
import * as RaftLog from "../../Raft/core/RaftLog.ts"
import type { State } from "../../Raft/core/State.ts"
import { configurationsOf, type Disk, entryAt, hardStateOf, lastIndexOf, type Snapshot } from "./Disk.ts"
import { fail } from "./Failure.ts"
import type { Folds } from "./Folds.ts"
import * as Money from "./Money.ts"
import { instanceIdOf, type SimulatedNode } from "./Node.ts"
import * as Promises from "./Promises.ts"

export interface Checks {
  /** Every entry that any node ever held committed, in order; and by index the state hash of the first machine there. */
  readonly committed: Array<LogEntry>
  readonly hashes: Array<string | undefined>
  /** By entry, the term of the leader that committed it: only leaders of later terms must have the entry. */
  readonly committedInTerms: Array<number>
  /** The latest committed configuration. */
  configuration: Configuration | undefined
  configurationIndex: number
  readonly leaders: Map<number, NodeId>
  /** By "index/term", the entry written there and the term of the one before it: by induction this is Log Matching. */
  readonly written: Map<string, { readonly entry: LogEntry; readonly prevTerm: number }>
  /** By "instance/term", the candidate that got the vote: one vote a term, across restarts too. */
  readonly votes: Map<string, NodeId>
  readonly last: Map<NodeId, { readonly currentTerm: number; readonly commitIndex: number }>
  readonly promises: Promises.Promises
  readonly folds: Folds
  /** By digest: the snapshots of wrong states that nodes sent. */
  readonly wrong: Map<string, NonNullable<Snapshot["wrong"]>>
  /** The repairs under way, by node. */
  readonly repairs: Map<NodeId, Repair>
  readonly counts: Counts
}

/** Counts of what happened: a run in which nothing happens proves nothing. */
export interface Counts {
  changes: number
  transfers: number
  installs: number
  compactions: number
  /** Nodes that did not start, since their files were damaged. */
  refusals: number
  /** Members that lacked entries for more than a beat, under load without faults, and got them. */
  catchUps: number
  /** Projections: entries taken, saves, starts from a save, starts from the beginning, and ends for want of history. */
  folds: number
  saves: number
  resumes: number
  rebuilds: number
  unavailable: number
  /** Corrupted states, alarms of nodes, and rebuilt states. */
  corruptions: number
  alarms: number
  /** Wrong states that a snapshot brought to other nodes before the alarm: from then on a majority may be wrong. */
  spread: number
  rebuiltStates: number
  /** Damage to disks, logs that were cut, and logs that peers have repaired. */
  rots: number
  repairs: number
  healed: number
}

/** One repair, in one life of a node. */
export interface Repair {
  /** The life of the node. */
  readonly nonce: number
  /** How many entries were committed when it began. */
  readonly committedCount: number
  /** By node, the terms in which it has taken a step since. */
  readonly seen: Map<NodeId, Set<number>>
  /** The leaders that have named an index to it, with their terms. They repeat that, perhaps with other voters by then. */
  readonly namedBy: Set<string>
}

export const make = (): Checks => ({
  committed: [],
  hashes: [],
  committedInTerms: [],
  configuration: undefined,
  configurationIndex: 0,
  leaders: new Map(),
  written: new Map(),
  votes: new Map(),
  last: new Map(),
  promises: Promises.make(),
  folds: new Map(),
  wrong: new Map(),
  repairs: new Map(),
  counts: {
    changes: 0,
    transfers: 0,
    installs: 0,
    compactions: 0,
    refusals: 0,
    catchUps: 0,
    folds: 0,
    saves: 0,
    resumes: 0,
    rebuilds: 0,
    unavailable: 0,
    corruptions: 0,
    alarms: 0,
    spread: 0,
    rebuiltStates: 0,
    rots: 0,
    repairs: 0,
    healed: 0
  }
})

/** A restart may forget the commit index, but never a term that the node acknowledged. Votes and replies are checked. */
export const started = (checks: Checks, node: SimulatedNode): void => {
  checks.last.set(node.id, { currentTerm: hardStateOf(node.disk).currentTerm, commitIndex: 0 })
}

export const afterStep = (
  checks: Checks,
  nodes: ReadonlyArray<SimulatedNode>,
  node: SimulatedNode,
  output: Output
): void => {
  const state = node.life?.core
  invariant(state !== undefined, `${node.id} stepped while stopped`)
  const last = checks.last.get(node.id)
  if (last !== undefined && state.currentTerm < last.currentTerm) fail(`${node.id}: the term went back`)
  if (last !== undefined && state.commitIndex < last.commitIndex) fail(`${node.id}: the commit index went back`)
  checks.last.set(node.id, { currentTerm: state.currentTerm, commitIndex: state.commitIndex })
  if (state.isSuspect && state.role._tag !== "Follower")
    fail(`${node.id} leads or campaigns, and its state is not believed`)
  logMatching(checks, state, output)
  electionSafety(checks, node, state, output)
  commitSafety(checks, nodes, node, state, output)
  for (const { message } of output.messages) {
    // A late reply to the leader of an older term was durable then, and a newer leader may have replaced it since.
    if (message.term === state.currentTerm) acknowledgedIsDurable(node, message)
  }
  if (output.restore !== undefined) checks.counts.installs++
  if (output.compact !== undefined) checks.counts.compactions++
}

/** Entries between two checks of the state hash against the content of the tables. */
const contentEveryCount = 16

/** State Machine Safety: at one index all machines are equal, whether they applied entries or restored a snapshot. */
export const applied = (checks: Checks, { id, life }: SimulatedNode): void => {
  if (life === undefined) return
  const index = life.appliedIndex
  const { applied: tables } = life.machine
  if (index > checks.committed.length) fail(`${id}: applied entry ${index}, which is not committed`)
  if (life.wrong !== undefined) return
  const hash = Tables.stateHash(tables)
  checks.hashes[index] ??= hash
  if (hash !== checks.hashes[index]) fail(`${id}: its machine differs at entry ${index}`)
  const isSampled = index % contentEveryCount === 0
  if (isSampled && StateHash.toHex(StateContent.hashOf(tables)) !== hash)
    fail(`${id}: its hash at ${index} is not that of its tables`)
  const keyCount = checks.promises.keys.counts[index - 1] ?? 0
  if (tables.sessions.size !== keyCount)
    fail(`${id}: remembers ${tables.sessions.size} keys of ${keyCount} at ${index}`)
  Money.isConserved(id, tables)
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

/** New committed entries are on the disks of a quorum, of each side while joint. A new configuration may follow the last. */
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
    // A configuration that this very step appended did not count when the step committed.
    const isNew = output.configurationChanged !== undefined && configurations.length > 1
    const { configuration } = configurations[configurations.length - (isNew ? 2 : 1)]!
    // A node that repairs elects nobody until it holds again what it held once, so that counts (C26).
    const isLost = ({ lost }: Disk) => lost?.has(`${index}/${term}`) === true
    const holders = nodes.filter(({ disk }) => entryAt(disk, index)?.term === term || isLost(disk))
    if (!Quorum.isQuorum(configuration, (voter) => holders.some(({ id }) => id === voter))) {
      fail(`${node.id}: committed entry ${index} is not on a quorum of disks`)
    }
    const entry = holders.map(({ disk }) => entryAt(disk, index)).find((each) => each?.term === term)!
    checks.committed.push(entry)
    checks.committedInTerms.push(state.currentTerm)
    Promises.committed(checks.promises, entry)
    configurationSafety(checks, entry)
  }
}

/** One change at a time, and voters change only through a joint configuration of the old and the new (§6). */
const configurationSafety = (checks: Checks, entry: LogEntry): void => {
  const [at] = configurationsOf([entry])
  if (at === undefined) return
  const [old, next] = [checks.configuration, at.configuration]
  checks.configuration = next
  checks.configurationIndex = at.index
  if (old === undefined || (next.outgoing === undefined && hasSameVoters(old, next))) return
  const isEntered = old.outgoing === undefined && hasSameVoters(old, { voters: next.outgoing ?? [] })
  if (!isEntered) fail(`configuration ${entry.index} does not follow the one before it`)
}

/** The entries that a node acknowledges are on its disk: in its log or in a snapshot (C2). */
const acknowledgedIsDurable = ({ disk, id }: SimulatedNode, message: Message): void => {
  const isAck = message._tag === "AppendEntriesReply" && message.result._tag === "Matched"
  if (isAck && !isHeld(disk, message.result.matchIndex)) fail(`${id} acknowledged entry ${message.result.matchIndex}`)
  const isInstalled = message._tag === "InstallSnapshotReply" && message.installed
  if (isInstalled && !isHeld(disk, message.snapshotIndex)) fail(`${id} holds no snapshot at ${message.snapshotIndex}`)
}

const isHeld = (disk: Disk, index: number): boolean => index <= lastIndexOf(disk)

const isSame = (a: LogEntry, b: LogEntry): boolean =>
  a.index === b.index &&
  a.term === b.term &&
  a.type === b.type &&
  a.payload.length === b.payload.length &&
  a.payload.every((byte, at) => byte === b.payload[at])
