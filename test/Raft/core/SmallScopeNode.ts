/**
 * One node of a small scope: the real core with a disk beside it, as data that is never changed. Equal nodes are one object
 * with one number, and what an input does to a node is worked out once, however many worlds it happens in. So the search
 * (SmallScope.ts) costs a table look-up for most of its steps, and copying a state costs nothing there.
 */
import type { HardState, LogEntry } from "../../../src/EventStore/LogEntry.ts"
import type { Input } from "../../../src/Raft/core/Input.ts"
import type { Message, NodeId } from "../../../src/Raft/core/Message.ts"
import type { SequencedWrite } from "../../../src/Raft/core/Output.ts"
import type { RaftConfig } from "../../../src/Raft/core/RaftConfig.ts"
import { defaults } from "../../../src/Raft/core/RaftConfig.ts"
import * as State from "../../../src/Raft/core/State.ts"
import { step } from "../../../src/Raft/core/step.ts"
import { configurationOf, member } from "./Cores.ts"

/** What of a node outlives a crash, and what is on its way there. */
interface Disk {
  readonly hardState: HardState
  readonly entries: ReadonlyArray<LogEntry>
  readonly lives: number
}

/** A node as it is at one moment. Equal ones are the same object. */
export interface Node {
  readonly number: number
  readonly state: Readonly<State.State>
  readonly disk: Disk
  readonly unsynced: ReadonlyArray<SequencedWrite>
  /** The log in memory, and on disk: an entry is its term and what it says. */
  readonly log: ReadonlyArray<string>
  readonly durable: ReadonlyArray<string>
  /** A read that began now, at once: undefined where a round is needed. */
  readonly lease: { readonly readIndex: number; readonly untilMs: number } | undefined
}

/** A message on its way. Equal ones are the same object. */
export interface Sent {
  readonly number: number
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Message
  readonly text: string
}

/** What an input made of a node. */
export interface Became {
  readonly node: Node
  readonly sent: ReadonlyArray<Sent>
  readonly reads: ReadonlyArray<{ readonly readId: number; readonly readIndex: number }>
  /** A read was refused, and may be tried again. */
  readonly hasRefused: boolean
  /** It promised its leader to wait, by echoing a beat. */
  readonly promised: boolean
  /** It gave a vote, or a pre-vote, or campaigned, without being told to by its leader. */
  readonly elected: boolean
}

export interface Nodes {
  readonly start: (id: NodeId) => Node
  readonly feed: (node: Node, input: Input) => Became
  /** The oldest write under way is synced. */
  readonly sync: (node: Node) => Became
  /** What is not synced is lost, and the node starts again. */
  readonly crash: (node: Node) => Became
  /** How many different nodes and messages there were, and how often the core was asked. */
  readonly counts: () => { readonly nodes: number; readonly messages: number; readonly steps: number }
}

/** Of this text: for status alone, and read by nothing in the core but what tells it to others. */
const statusOnly: ReadonlySet<string> = new Set(["lastContactMs", "contactReportedMs"])
/** The same in all nodes of a scope, or said by another field. */
const constant: ReadonlySet<string> = new Set(["config", "configuration", "configurations", "instanceId"])

/** A value as text, alike for equal values: maps and sets in the order of their keys. */
const textOf = (value: unknown): string => {
  if (value === undefined) return "-"
  if (typeof value !== "object" || value === null) return String(value)
  if (value instanceof Uint8Array) return `x${value.join(".")}`
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`
  if (value instanceof Set) return `{${[...value].sort().join()}}`
  const fields = value instanceof Map ? [...value].sort() : Object.entries(value)
  let text = "{"
  for (const [name, field] of fields) {
    if (!statusOnly.has(name) && !constant.has(name)) text += `${name}:${textOf(field)};`
  }
  return `${text}}`
}

const entryText = ({ payload, term, type }: LogEntry): string => `${term}${type[0]}${payload.join(".")}`

/** Nodes of one scope. With `isDiskInstant` each write is synced, and answered for, in the step that makes it. */
export const make = (options: {
  readonly ids: ReadonlyArray<NodeId>
  readonly config: Partial<RaftConfig>
  readonly isDiskInstant: boolean
}): Nodes => {
  const config: RaftConfig = { ...defaults, ...options.config }
  const nodes = new Map<string, Node>()
  const messages = new Map<string, Sent>()
  const became = new Map<string, Became>()
  let steps = 0

  const stateOf = (id: NodeId, { entries, hardState, lives }: Disk): State.State =>
    State.make({
      config,
      nodeId: id,
      instanceId: member(id).instanceId,
      life: lives,
      recovered: {
        hardState,
        firstIndex: 1,
        lastIndex: entries.length,
        termRuns: entries.flatMap(({ index, term }, at) =>
          term === entries[at - 1]?.term ? [] : [{ fromIndex: index, term }]
        )
      },
      configurations: [{ index: 0, configuration: configurationOf(options.ids) }]
    })

  const leaseOf = (state: State.State): Node["lease"] => {
    if (config.readLease === undefined || state.role._tag !== "Leader") return undefined
    const [ready] = step(structuredClone(state), { _tag: "Read", readIds: [0], mayLease: true }).readsReady
    if (ready?.leaseUntilMs === undefined) return undefined
    return { readIndex: ready.readIndex, untilMs: ready.leaseUntilMs }
  }

  const nodeOf = (state: State.State, disk: Disk, unsynced: ReadonlyArray<SequencedWrite>): Node => {
    const text = `${textOf(state)}|${textOf(disk)}|${textOf(unsynced)}`
    const known = nodes.get(text)
    if (known !== undefined) return known
    const node: Node = {
      number: nodes.size,
      state,
      disk,
      unsynced,
      log: logOf(state, disk, unsynced).map(entryText),
      durable: disk.entries.map(entryText),
      lease: leaseOf(state)
    }
    nodes.set(text, node)
    return node
  }

  const sentOf = (from: NodeId, to: NodeId, message: Message): Sent => {
    const text = `${from}→${to} ${textOf(message)}`
    const known = messages.get(text)
    if (known !== undefined) return known
    const sent: Sent = { number: messages.size, from, to, message, text }
    messages.set(text, sent)
    return sent
  }

  /** One step, and what follows from it at once: what is applied, and with an instant disk what is synced. */
  const act = (node: Node, inputs: ReadonlyArray<Input>): Became => {
    const state = structuredClone(node.state) as State.State
    const votedBefore = { term: state.currentTerm, votedFor: state.votedFor }
    let { disk } = node
    const unsynced = [...node.unsynced]
    const sent: Array<Sent> = []
    const reads: Array<Became["reads"][number]> = []
    let hasRefused = false
    const queue = [...inputs]
    for (let input = queue.shift(); input !== undefined; input = queue.shift()) {
      steps += 1
      const output = step(state, input)
      for (const { from, message, to } of output.messages) sent.push(sentOf(from, to, message))
      for (const { readId, readIndex } of output.readsReady) reads.push({ readId, readIndex })
      hasRefused ||= output.readsRefused.length > 0
      if (output.apply !== undefined) queue.push({ _tag: "Applied", index: output.apply.toIndex })
      if (output.write === undefined) continue
      if (options.isDiskInstant) {
        disk = written(disk, output.write)
        queue.unshift({ _tag: "Persisted", seq: output.write.seq })
      } else unsynced.push(output.write)
    }
    const [first] = inputs
    const said = first?._tag === "Receive" ? first.message : undefined
    const isTold = said?._tag === "TimeoutNow" || (said?._tag === "RequestVote" && said.transfer)
    const hasVoted =
      state.votedFor !== undefined &&
      (state.currentTerm !== votedBefore.term || state.votedFor !== votedBefore.votedFor)
    const hasPreVoted = sent.some(
      ({ message }) => message._tag === "RequestVoteReply" && message.preVote && message.granted
    )
    return {
      node: nodeOf(state, disk, unsynced),
      sent,
      reads,
      hasRefused,
      promised: said?._tag === "Heartbeat" && said.term === state.currentTerm,
      elected: !isTold && (hasVoted || hasPreVoted)
    }
  }

  const once = (key: string, make: () => Became): Became => {
    const known = became.get(key)
    if (known !== undefined) return known
    const made = make()
    became.set(key, made)
    return made
  }

  return {
    start: (id) => {
      const disk: Disk = { hardState: { currentTerm: 0, votedFor: undefined }, entries: [], lives: 1 }
      return nodeOf(stateOf(id, disk), disk, [])
    },
    feed: (node, input) => once(`${node.number} ${textOf(input)}`, () => act(node, [input])),
    sync: (node) =>
      once(`${node.number} sync`, () => {
        const [write, ...unsynced] = node.unsynced
        if (write === undefined) throw new Error("nothing is under way to the disk")
        return act({ ...node, disk: written(node.disk, write), unsynced }, [{ _tag: "Persisted", seq: write.seq }])
      }),
    crash: (node) =>
      once(`${node.number} crash`, () => {
        const disk = { ...node.disk, lives: node.disk.lives + 1 }
        const again = nodeOf(stateOf(node.state.nodeId, disk), disk, [])
        return { node: again, sent: [], reads: [], hasRefused: true, promised: false, elected: false }
      }),
    counts: () => ({ nodes: nodes.size, messages: messages.size, steps })
  }
}

const written = (disk: Disk, { entries, hardState, truncateFromIndex }: SequencedWrite): Disk => {
  const kept = truncateFromIndex === undefined ? disk.entries : disk.entries.slice(0, truncateFromIndex - 1)
  return { ...disk, hardState: hardState ?? disk.hardState, entries: [...kept, ...entries] }
}

/** The log that the core believes in: that of the disk once everything under way is there. */
const logOf = (
  state: Readonly<State.State>,
  disk: Disk,
  unsynced: ReadonlyArray<SequencedWrite>
): ReadonlyArray<LogEntry> => {
  const { entries } = unsynced.reduce(written, disk)
  if (entries.length !== state.log.lastIndex) throw new Error("the log in memory is not the one that is written")
  return entries
}
