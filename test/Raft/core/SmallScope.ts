/**
 * All that can happen to a few real cores within small bounds: every order of messages, ticks, syncs and crashes, breadth
 * first, each world once. What breaks is found by a shortest way, and if nothing breaks, nothing can within the bounds.
 * The simulator draws long runs at random; this leaves out nothing in short ones. Jackson, "Software Abstractions": most
 * faults have small counterexamples.
 *
 * All nodes share one clock that never drifts; a node that gets no tick stands still. A message that is never delivered is
 * lost, so that no act is needed to lose one: at most `inFlightMax` of those that will arrive are on their way at a time.
 */
import type { Input } from "../../../src/Raft/core/Input.ts"
import type { Message, NodeId } from "../../../src/Raft/core/Message.ts"
import type { RaftConfig } from "../../../src/Raft/core/RaftConfig.ts"
import { Broken, type Memory, nothing, observe } from "./SmallScopeChecks.ts"
import { type Became, make, type Node, type Nodes, type Sent } from "./SmallScopeNode.ts"

/** What may happen, and how often. */
export interface Scope {
  readonly name: string
  /** One unit is a beat. */
  readonly config?: Partial<RaftConfig>
  /** The first node leads term 1, and its no-op is committed everywhere; otherwise the nodes have just started. */
  readonly isLed: boolean
  /** Each write is synced in the step that makes it. Otherwise a crash loses what was not synced yet. */
  readonly isDiskInstant: boolean
  readonly termMax: number
  readonly beatsMax: number
  readonly inFlightMax: number
  readonly crashesMax?: number
  readonly proposalsMax?: number
  readonly readsMax?: number
  readonly transfersMax?: number
  /** The one node that crashes and reads; any may unless given. */
  readonly at?: NodeId
}

const ids: ReadonlyArray<NodeId> = ["a", "b", "c"]

type Kind = "crash" | "propose" | "read" | "transfer"

/** All nodes and what is on its way at one moment. */
interface World {
  readonly nodes: ReadonlyArray<Node>
  readonly net: ReadonlyArray<Sent>
  readonly nowMs: number
  /** How often each may happen yet. */
  readonly left: Readonly<Record<Kind, number>>
  readonly memory: Memory
  readonly from: { readonly world: World; readonly act: string } | undefined
}

/** What was searched, and the shortest way to what broke, if anything did. */
export interface Found {
  readonly worlds: number
  readonly steps: number
  readonly failure: { readonly message: string; readonly acts: ReadonlyArray<string> } | undefined
}

/** How a world's next step goes: a node, and what it became. */
interface Step {
  readonly act: string
  readonly at: number
  readonly became: Became
  readonly delivered?: Sent
  readonly kind?: Kind
}

const timing: Partial<RaftConfig> = { heartbeatIntervalMs: 1, electionTimeoutMinMs: 2, electionTimeoutMaxMs: 2 }

/** Searches a scope to its end, or until something breaks. */
export const search = (scope: Scope): Found => {
  const config = { ...timing, ...scope.config }
  const nodes = make({ ids, config, isDiskInstant: scope.isDiskInstant })
  const { electionTimeoutMinMs = 0, heartbeatIntervalMs = 0, readLease } = config
  // A restarted node without leases has promised nothing.
  const promiseMs = readLease === undefined ? 0 : electionTimeoutMinMs - heartbeatIntervalMs
  const left = {
    crash: scope.crashesMax ?? 0,
    propose: scope.proposalsMax ?? 0,
    read: scope.readsMax ?? 0,
    transfer: scope.transfersMax ?? 0
  }
  const started: World = {
    nodes: ids.map((id) => nodes.start(id)),
    net: [],
    nowMs: 0,
    left,
    memory: nothing(ids.length),
    from: undefined
  }
  const bounds = { ...scope, promiseMs, endMs: 0 }
  const memories = new Map<string, number>()
  let first = started
  try {
    if (scope.isLed) first = { ...led(nodes, started, bounds), from: undefined }
  } catch (error) {
    return ended(error, started, "the first node comes to lead", 0, nodes)
  }
  bounds.endMs = first.nowMs + scope.beatsMax
  const seen = new Set([keyOf(first)])
  let frontier = [first]
  while (frontier.length > 0) {
    const next: Array<World> = []
    for (const world of frontier) {
      let act = ""
      try {
        if (world.nowMs < bounds.endMs)
          visit({ ...world, nowMs: world.nowMs + 1, from: { world, act: "a beat passes" } })
        for (const step of stepsOf(nodes, world, scope.at)) {
          act = step.act
          for (const reached of after(world, step, bounds)) visit(reached)
        }
      } catch (error) {
        return ended(error, world, act, seen.size, nodes)
      }
    }
    frontier = next

    function visit(world: World): void {
      const key = keyOf(world)
      if (seen.has(key)) return
      seen.add(key)
      next.push(world)
    }
  }
  return { worlds: seen.size, steps: nodes.counts().steps, failure: undefined }

  /** A world as a short text: nodes, messages and memories by their numbers. */
  function keyOf({ left: { crash, propose, read, transfer }, memory, net, nodes: [a, b, c], nowMs }: World): string {
    const text = JSON.stringify(memory)
    const number = memories.get(text) ?? memories.size
    memories.set(text, number)
    const rest = (((nowMs * 4 + crash) * 4 + propose) * 4 + read) * 4 + transfer
    return String.fromCodePoint(
      ...[a!, b!, c!, ...net].flatMap(({ number: each }) => split(each)),
      ...split(number),
      rest
    )
  }
}

/** A number as two characters of a text: more than one holds. */
const split = (number: number): [number, number] => [number >> 15, number & 0x7f_ff]

const ended = (error: unknown, world: World, act: string, worlds: number, nodes: Nodes): Found => {
  const message = error instanceof Error ? error.message : String(error)
  if (!(error instanceof Broken) && !(error instanceof Error && error.name.includes("Invariant"))) throw error
  const acts = [act]
  for (let at = world.from; at !== undefined; at = at.world.from) acts.unshift(at.act)
  return { worlds, steps: nodes.counts().steps, failure: { message, acts } }
}

/** Everything that can happen next to one node. */
function* stepsOf(nodes: Nodes, world: World, only?: NodeId): Generator<Step> {
  for (const delivered of world.net) {
    const at = ids.indexOf(delivered.to)
    const input: Input = { _tag: "Receive", from: delivered.from, message: delivered.message }
    yield { act: delivered.text, at, became: nodes.feed(world.nodes[at]!, input), delivered }
  }
  for (const [at, node] of world.nodes.entries()) {
    const { state } = node
    const { nodeId } = state
    const feed = (act: string, input: Input, kind?: Kind): Step => ({
      act: `${nodeId} ${act}`,
      at,
      became: nodes.feed(node, input),
      ...(kind === undefined ? {} : { kind })
    })
    if (state.lastTickMs === undefined || state.lastTickMs < world.nowMs) {
      yield feed(`ticks at ${world.nowMs}`, { _tag: "Tick", nowMs: world.nowMs, random: 0 })
    }
    if (node.unsynced.length > 0) yield { act: `${nodeId} syncs`, at, became: nodes.sync(node) }
    const isMeant = only === undefined || only === nodeId
    if (isMeant && world.left.crash > 0)
      yield { act: `${nodeId} crashes`, at, became: nodes.crash(node), kind: "crash" }
    const isLeader = state.role._tag === "Leader"
    const mayRead = isMeant && world.left.read > 0 && !world.memory.reads.some((each) => each.at === at)
    if (mayRead && (isLeader || (state.role._tag === "Follower" && state.role.leader !== undefined))) {
      yield feed("reads", { _tag: "Read", readIds: [1] }, "read")
    }
    if (!isLeader) continue
    if (world.left.propose > 0) {
      const entries = [{ type: "transaction" as const, payload: new Uint8Array([at]) }]
      const { currentTerm: term, log } = state
      yield feed("proposes", { _tag: "Propose", term, lastIndex: log.lastIndex, entries }, "propose")
    }
    if (world.left.transfer > 0) {
      for (const to of ids)
        if (to !== nodeId) yield feed(`hands over to ${to}`, { _tag: "TransferLeadership", to }, "transfer")
    }
  }
}

/** The worlds that a step may lead to: one for each choice of the messages that will arrive. */
function* after(
  world: World,
  { act, at, became, delivered, kind }: Step,
  bounds: Pick<Scope, "inFlightMax" | "termMax"> & { readonly promiseMs: number }
): Generator<World> {
  if (became.node.state.currentTerm > bounds.termMax) return
  const before = world.nodes[at]!
  // What changes nothing and says nothing might as well have been lost.
  if (delivered !== undefined && became.node === before && became.sent.length === 0) return
  const nodes = world.nodes.with(at, became.node)
  const reads =
    kind === "read"
      ? [...world.memory.reads, { at, committedCount: world.memory.committed.length }]
      : world.memory.reads
  const { nowMs } = world
  const step = { at, before, became, nowMs, promiseMs: bounds.promiseMs }
  const memory = observe({ ...world.memory, reads }, nodes, step)
  const left = kind === undefined ? world.left : { ...world.left, [kind]: world.left[kind] - 1 }
  const waiting = world.net.filter((sent) => sent !== delivered && mayMatter(sent, nodes))
  const fresh = became.sent.filter((sent) => !waiting.includes(sent) && mayMatter(sent, nodes))
  for (const arriving of choices([...new Set(fresh)], bounds.inFlightMax - waiting.length)) {
    const net = [...waiting, ...arriving].sort((one, other) => one.number - other.number)
    yield { nodes, net, nowMs, left, memory, from: { world, act } }
  }
}

/** All subsets of at most so many. */
function* choices<A>(all: ReadonlyArray<A>, max: number): Generator<ReadonlyArray<A>> {
  const [first, ...rest] = all
  if (first === undefined) return yield []
  yield* choices(rest, max)
  if (max > 0) for (const chosen of choices(rest, max - 1)) yield [first, ...chosen]
}

/** An answer of a term that is over is dropped by whoever gets it, now and later: terms on disk never go back. */
const mayMatter = ({ message, to }: Sent, nodes: ReadonlyArray<Node>): boolean =>
  !isAnswer(message) || message.term >= nodes[ids.indexOf(to)]!.disk.hardState.currentTerm

const isAnswer = ({ _tag }: Message): boolean => _tag.endsWith("Reply") || _tag === "TimeoutNow"

/** The first node campaigns alone, and everybody hears of its no-op. */
const led = (nodes: Nodes, started: World, bounds: Parameters<typeof after>[2]): World => {
  const all = { ...bounds, inFlightMax: Number.POSITIVE_INFINITY }
  let world = started
  const take = (step: Step, isKept: (sent: Sent) => boolean) => {
    const reached = [...after(world, step, all)].find(({ net }) =>
      step.became.sent.every((sent) => net.includes(sent) || !mayMatter(sent, world.nodes))
    )
    world =
      reached === undefined
        ? { ...world, net: world.net.filter((sent) => sent !== step.delivered) }
        : { ...reached, net: reached.net.filter(isKept) }
  }
  const ofFirst = ({ from, to }: Sent) => from === ids[0] || to === ids[0]
  const timeoutMs = 2
  for (; world.nowMs < timeoutMs; world = { ...world, nowMs: world.nowMs + 1 }) {
    for (const [at] of ids.entries()) take(tick(nodes, world, at), () => false)
  }
  for (const [at] of ids.entries()) take(tick(nodes, world, at), ({ from }) => from === ids[0])
  while (world.net.length > 0 || world.nodes.some(({ unsynced }) => unsynced.length > 0)) {
    const at = world.nodes.findIndex(({ unsynced }) => unsynced.length > 0)
    const step =
      at >= 0 ? { act: "syncs", at, became: nodes.sync(world.nodes[at]!) } : stepsOf(nodes, world).next().value
    take(step as Step, ofFirst)
  }
  return world
}

const tick = (nodes: Nodes, { nodes: all, nowMs }: World, at: number): Step => ({
  act: `${ids[at]} ticks at ${nowMs}`,
  at,
  became: nodes.feed(all[at]!, { _tag: "Tick", nowMs, random: 0 })
})
