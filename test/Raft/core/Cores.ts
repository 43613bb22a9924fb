/** A few cores in memory, driven by hand: what one says reaches the others only when the test says so. */
import type { LogEntry, SnapshotMark } from "../../../src/EventStore/LogEntry.ts"
import { type Configuration, type ConfigurationMember, votersOf } from "../../../src/Raft/core/Configuration.ts"
import type { Input } from "../../../src/Raft/core/Input.ts"
import type { MembershipChange } from "../../../src/Raft/core/MembershipChange.ts"
import type { Envelope, Message, NodeId } from "../../../src/Raft/core/Message.ts"
import type { Output } from "../../../src/Raft/core/Output.ts"
import { defaults, type RaftConfig } from "../../../src/Raft/core/RaftConfig.ts"
import * as State from "../../../src/Raft/core/State.ts"
import { step } from "../../../src/Raft/core/step.ts"

export const payload = (text: string): Uint8Array => new TextEncoder().encode(text)

export const entry = (index: number, term: number, text = "x"): LogEntry => ({
  index,
  term,
  type: "transaction",
  payload: payload(text)
})

export const member = (id: NodeId): ConfigurationMember => ({ id, address: `${id}:1`, instanceId: `i${id}` })

export const configurationOf = (voters: ReadonlyArray<NodeId>): Configuration => ({
  voters: voters.map(member),
  learners: []
})

let livesCount = 0

/** The core of one node, whose disk held entries of `terms` when it started. */
export const core = (
  nodeId: NodeId,
  voters: ReadonlyArray<NodeId>,
  disk: {
    readonly terms?: ReadonlyArray<number>
    readonly currentTerm?: number
    readonly votedFor?: NodeId
    readonly config?: Partial<RaftConfig>
    /** History through here is compacted away, and the machine was restored from it. */
    readonly snapshot?: SnapshotMark
    /** The mark of a snapshot in the log, where it differs from what the machine was restored from. */
    readonly mark?: SnapshotMark
    readonly firstIndex?: number
    readonly instanceId?: string
    /** Another one than any core had before, unless given. */
    readonly life?: number
    /** Damage has cut the log, and nobody has given it back since. */
    readonly isRepairing?: boolean
  } = {}
): State.State => {
  const terms = disk.terms ?? []
  const firstIndex = disk.firstIndex ?? 1
  const termRuns = terms.flatMap((term, at) => (term === terms[at - 1] ? [] : [{ fromIndex: firstIndex + at, term }]))
  const { snapshot } = disk
  const mark = disk.mark ?? snapshot
  return State.make({
    config: { ...defaults, ...disk.config },
    nodeId,
    instanceId: disk.instanceId ?? member(nodeId).instanceId,
    life: disk.life ?? ++livesCount,
    recovered: {
      hardState: { currentTerm: disk.currentTerm ?? terms[terms.length - 1] ?? 0, votedFor: disk.votedFor },
      firstIndex,
      lastIndex: firstIndex - 1 + terms.length,
      ...(firstIndex === 1 ? {} : { previousTerm: mark?.term ?? 1 }),
      ...(mark === undefined ? {} : { snapshot: mark }),
      ...(disk.isRepairing === true ? { isRepairing: true } : {}),
      termRuns
    },
    configurations: [{ index: 0, configuration: configurationOf(voters) }],
    ...(snapshot === undefined ? {} : { snapshot: { ...snapshot, configuration: configurationOf(voters) } })
  })
}

/** Ticks until `ms` of logical time have passed, writes staying unsynced; all outputs, in order. */
export const pass = (state: State.State, ms: number): ReadonlyArray<Output> => {
  const outputs: Array<Output> = []
  const from = state.lastTickMs ?? 0
  for (let elapsed = 0; elapsed <= ms; elapsed += 10) {
    outputs.push(step(state, { _tag: "Tick", nowMs: from + elapsed, random: 0 }))
  }
  return outputs
}

export const receive = (state: State.State, from: NodeId, message: Message): Output =>
  step(state, { _tag: "Receive", from, message })

/** Syncs everything written so far. */
export const sync = (state: State.State): Output => step(state, { _tag: "Persisted", seq: state.writtenSeq })

export const sent = (outputs: ReadonlyArray<Output>): ReadonlyArray<Message> =>
  outputs.flatMap((output) => output.messages.map((envelope) => envelope.message))

/** Makes `state` lead, every other voter saying yes; returns what it said on taking over. */
export const elect = (state: State.State): Output => {
  pass(state, 300)
  const others = votersOf(state.configuration).flatMap(({ id }) => (id === state.nodeId ? [] : [id]))
  for (const other of others) {
    const term = state.currentTerm + 1
    if (state.role._tag !== "PreCandidate") break
    receive(state, other, { _tag: "RequestVoteReply", term, preVote: true, granted: true })
  }
  let output = sync(state)
  for (const other of others) {
    if (state.role._tag !== "Candidate") break
    const term = state.currentTerm
    output = receive(state, other, { _tag: "RequestVoteReply", term, preVote: false, granted: true })
  }
  return output
}

/** Runs cores together with an instant network and disk until they fall silent; returns what each put out. */
export const settle = (
  states: ReadonlyArray<State.State>,
  inputs: ReadonlyArray<{ readonly to: NodeId; readonly input: Input }>
): ReadonlyArray<{ readonly node: NodeId; readonly output: Output }> => {
  const outputs: Array<{ readonly node: NodeId; readonly output: Output }> = []
  const queue = [...inputs]
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { to, input } = next
    const state = states.find((each) => each.nodeId === to)
    if (state === undefined) continue
    const output = step(state, input)
    outputs.push({ node: to, output })
    queue.push(...after(to, output))
  }
  return outputs
}

const delivery = (envelope: Envelope): Input => ({ _tag: "Receive", from: envelope.from, message: envelope.message })

/** Lets `ms` pass for all of them at once, in beats, with an instant network and disk; all outputs, in order. */
export const live = (states: ReadonlyArray<State.State>, ms: number): ReturnType<typeof settle> => {
  const outputs: Array<ReturnType<typeof settle>[number]> = []
  const from = Math.max(...states.map((each) => each.lastTickMs ?? 0))
  for (let elapsed = 0; elapsed <= ms; elapsed += 50) {
    const inputs = states.map(({ nodeId }, at) => ({
      to: nodeId,
      input: { _tag: "Tick" as const, nowMs: from + elapsed, random: at / states.length }
    }))
    outputs.push(...settle(states, inputs))
  }
  return outputs
}

/** Cores of a formed cluster, the first of which leads, with its no-op committed everywhere. */
export const cluster = (
  names: ReadonlyArray<NodeId>,
  config: Partial<RaftConfig> = {}
): [State.State, ...Array<State.State>] => {
  const [first, ...others] = names.map((name) => core(name, names, { config }))
  if (first === undefined) throw new Error("a cluster of nobody")
  live([first, ...others], 450)
  return [first, ...others]
}

/** A node that knows of no configuration yet: one to be added. */
export const newcomer = (nodeId: NodeId, config: Partial<RaftConfig> = {}): State.State => core(nodeId, [], { config })

let nextRequestId = 1

/** Asks `leader` for a change; the others hear of it when the test lets them. */
export const changeMembership = (leader: State.State, change: MembershipChange): Output =>
  step(leader, { _tag: "ChangeMembership", requestId: nextRequestId++, change })

/** What an output set in motion: its write, its messages and what is to be applied, as inputs of those they are for. */
export const after = (node: NodeId, output: Output): ReadonlyArray<{ readonly to: NodeId; readonly input: Input }> => [
  ...(output.write === undefined ? [] : [{ to: node, input: { _tag: "Persisted" as const, seq: output.write.seq } }]),
  ...(output.apply === undefined
    ? []
    : [{ to: node, input: { _tag: "Applied" as const, index: output.apply.toIndex } }]),
  ...output.messages.map((envelope) => ({ to: envelope.to, input: delivery(envelope) }))
]

/** A leader takes a new transaction. */
export const propose = (state: State.State): Output => {
  const entries = [{ type: "transaction" as const, payload: payload("x") }]
  return step(state, { _tag: "Propose", term: state.currentTerm, lastIndex: state.log.lastIndex, entries })
}

/** A leader hears that a follower has its log through an index. */
export const acknowledge = (state: State.State, from: NodeId, matchIndex: number): Output =>
  receive(state, from, {
    _tag: "AppendEntriesReply",
    term: state.currentTerm,
    prevLogIndex: 0,
    result: { _tag: "Matched", matchIndex }
  })
