/** A few cores in memory, driven by hand: what one says reaches the others only when the test says so. */
import type { LogEntry } from "../../src/EventStore/LogEntry.ts"
import { type Configuration, type ConfigurationMember, votersOf } from "../../src/Raft/Configuration.ts"
import type { Input } from "../../src/Raft/Input.ts"
import type { Envelope, Message, NodeId } from "../../src/Raft/Message.ts"
import type { Output } from "../../src/Raft/Output.ts"
import { defaults, type RaftConfig } from "../../src/Raft/RaftConfig.ts"
import * as State from "../../src/Raft/State.ts"
import { step } from "../../src/Raft/step.ts"

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

/** The core of one node, whose disk held entries of `terms` when it started. */
export const core = (
  nodeId: NodeId,
  voters: ReadonlyArray<NodeId>,
  disk: {
    readonly terms?: ReadonlyArray<number>
    readonly currentTerm?: number
    readonly votedFor?: NodeId
    readonly config?: Partial<RaftConfig>
  } = {}
): State.State => {
  const terms = disk.terms ?? []
  const termRuns = terms.flatMap((term, at) => (term === terms[at - 1] ? [] : [{ fromIndex: at + 1, term }]))
  return State.make({
    config: { ...defaults, ...disk.config },
    nodeId,
    recovered: {
      hardState: { currentTerm: disk.currentTerm ?? terms[terms.length - 1] ?? 0, votedFor: disk.votedFor },
      firstIndex: 1,
      lastIndex: terms.length,
      termRuns
    },
    configurations: [{ index: 0, configuration: configurationOf(voters) }]
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
    if (output.write !== undefined) queue.push({ to, input: { _tag: "Persisted", seq: output.write.seq } })
    if (output.apply !== undefined) queue.push({ to, input: { _tag: "Applied", index: output.apply.toIndex } })
    for (const envelope of output.messages) queue.push({ to: envelope.to, input: delivery(envelope) })
  }
  return outputs
}

const delivery = (envelope: Envelope): Input => ({ _tag: "Receive", from: envelope.from, message: envelope.message })
