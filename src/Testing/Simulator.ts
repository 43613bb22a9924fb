/**
 * A cluster of pure cores over a simulated network, disks and clock, all drawn from one seed; faults until it heals.
 * Not the shell: RaftNode and the log's bytes are tested elsewhere. What must hold is in SimulatorChecks.ts.
 */
import type { HardState, LogEntry } from "../EventStore/LogEntry.ts"
import type { LogWrite, Recovered } from "../EventStore/LogStore.ts"
import type { Input } from "../Raft/Input.ts"
import type { Envelope, NodeId } from "../Raft/Message.ts"
import type { LogReadRequest, Output, SequencedWrite } from "../Raft/Output.ts"
import { defaults } from "../Raft/RaftConfig.ts"
import * as State from "../Raft/State.ts"
import { step } from "../Raft/step.ts"
import * as Checks from "./SimulatorChecks.ts"

export interface Options {
  readonly seed: number
  readonly nodeCount: number
  readonly stepCount: number
  /** A planted fault, which the checks must find: the disk says "synced" and forgets at the next crash. */
  readonly isDiskLying?: boolean
}

/** What a run came to; the same options always give the same result. */
export interface Result {
  readonly failure: string | undefined
  readonly committedCount: number
  readonly readsCount: number
  readonly electionsCount: number
}

/** What survives a crash. */
export interface Disk {
  hardState: HardState
  entries: Array<LogEntry>
}

export interface SimulatedNode {
  readonly id: NodeId
  readonly disk: Disk
  /** Given out by the core and not synced: a crash keeps any prefix of them. */
  unsynced: Array<SequencedWrite>
  /** The core, while the node runs. */
  state: State.State | undefined
  reads: Array<LogReadRequest>
  unappliedIndex: number
  /** The share of ticks that it misses, drawn per seed: clocks drift apart, and a slow leader is deposed unawares. */
  readonly missedTicks: number
}

interface World {
  readonly options: Options
  readonly random: () => number
  readonly nodes: ReadonlyArray<SimulatedNode>
  readonly checks: Checks.Checks
  network: Array<Envelope>
  /** One-way links that lose everything, as "from>to". */
  readonly cut: Set<string>
  nowMs: number
  nextReadId: number
  isFaulty: boolean
  /** Drawn per seed: the first that many messages in flight are as likely to arrive next. */
  readonly reorderCount: number
  /** Drawn per seed: how often links are cut, nodes crash and ticks outrun messages. */
  readonly harm: number
}

const config = {
  ...defaults,
  appendBatchBytes: 16,
  inflightMessagesCount: 4,
  inflightBytes: 64,
  cacheBytes: 24,
  uncommittedBytes: 256
}

/** Runs one cluster through its faults, heals it, and requires that it then agrees on something new. */
export const run = (options: Options): Result => {
  const random = generator(options.seed)
  const nodes = Array.from({ length: options.nodeCount }, (_, at) => makeNode(`n${at}`, random() ** 2 * 0.97))
  const world: World = {
    options,
    random,
    nodes,
    checks: Checks.make(),
    network: [],
    cut: new Set(),
    nowMs: 0,
    nextReadId: 1,
    isFaulty: true,
    reorderCount: 2 ** Math.floor(random() * 10),
    harm: random() * 3
  }
  let failure: string | undefined
  try {
    for (const node of nodes) start(world, node)
    for (let count = 0; count < options.stepCount; count++) act(world)
    heal(world)
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error)
  }
  const { committed, readsCount, leaders } = world.checks
  return { failure, committedCount: committed.length, readsCount, electionsCount: leaders.size }
}

/** One event, drawn at random: mostly progress, sometimes harm. */
const act = (world: World): void => {
  const draw = world.random() * (95 + 5 * world.harm)
  if (draw < 45) deliver(world)
  else if (draw < 65) sync(world, pick(world, world.nodes))
  else if (draw < 75) serve(world, pick(world, world.nodes))
  else if (draw < 88) tick(world)
  else if (draw < 96) request(world, pick(world, world.nodes))
  else harm(world)
}

const harm = (world: World): void => {
  const draw = world.random() * 100
  const node = pick(world, world.nodes)
  if (draw < 25) cutLinks(world, node)
  else if (draw < 45) world.cut.clear()
  else if (draw < 55) crash(world, node)
  else if (draw < 85) start(world, node)
  else if (draw < 92) feed(world, node, { _tag: "DiskStalled" })
  else feed(world, node, { _tag: "PeerUnreachable", peer: pick(world, world.nodes).id })
}

/** Takes any message in flight: so they are reordered and delayed without bound; some are lost or arrive twice. */
const deliver = (world: World): void => {
  const at = Math.floor(world.random() * Math.min(world.network.length, world.isFaulty ? world.reorderCount : 1))
  const envelope = world.network[at]
  if (envelope === undefined) return
  const chance = world.isFaulty ? world.random() : 1
  if (chance > 0.03) world.network.splice(at, 1)
  if (chance > 0.97 && world.isFaulty) return
  if (world.cut.has(`${envelope.from}>${envelope.to}`)) return
  const node = world.nodes.find(({ id }) => id === envelope.to)
  if (node !== undefined) feed(world, node, { _tag: "Receive", from: envelope.from, message: envelope.message })
}

/** Syncs some of a node's writes, in order. */
const sync = (world: World, node: SimulatedNode): void => {
  const count = 1 + Math.floor(world.random() * node.unsynced.length)
  const writes = node.unsynced.splice(0, count)
  const last = writes[writes.length - 1]
  if (last === undefined) return
  const isForgotten = world.options.isDiskLying === true && world.isFaulty && world.random() < 0.2
  if (!isForgotten) for (const write of writes) writeTo(node.disk, write)
  feed(world, node, { _tag: "Persisted", seq: last.seq })
}

/** Does what the shell would: applies what was given out, and reads the log for peers that lag behind. */
const serve = (world: World, node: SimulatedNode): void => {
  const read = node.reads.shift()
  if (read !== undefined) {
    const from = read.fromIndex - 1
    const entries = node.disk.entries.slice(from, from + 1 + Math.floor(world.random() * 4))
    feed(world, node, { _tag: "LogRead", peer: read.peer, entries })
  }
  if (node.state !== undefined && node.unappliedIndex > node.state.lastApplied) {
    feed(world, node, { _tag: "Applied", index: node.unappliedIndex })
  }
}

const tick = (world: World): void => {
  world.nowMs += 20
  for (const node of world.nodes) {
    const isPaused = world.isFaulty && world.random() < node.missedTicks
    if (!isPaused) feed(world, node, { _tag: "Tick", nowMs: world.nowMs, random: world.random() })
  }
}

/** A client writes or reads. A read must see whatever was committed anywhere when it began. */
const request = (world: World, node: SimulatedNode): void => {
  const { state } = node
  if (state === undefined) return
  if (world.random() < 0.4) {
    const readId = world.nextReadId++
    Checks.readBegins(world.checks, readId)
    feed(world, node, { _tag: "Read", readIds: [readId] })
    return
  }
  const payload = new Uint8Array(1 + Math.floor(world.random() * 10)).fill(Math.floor(world.random() * 256))
  const entries = [{ type: "transaction" as const, payload }]
  feed(world, node, { _tag: "Propose", term: state.currentTerm, lastIndex: state.log.lastIndex, entries })
}

/** Parts a node from most others, both ways or one way. */
const cutLinks = (world: World, from: SimulatedNode): void => {
  const isWhole = world.random() < 0.5
  for (const to of world.nodes) {
    if (to === from || world.random() < 0.3) continue
    world.cut.add(`${from.id}>${to.id}`)
    if (isWhole) world.cut.add(`${to.id}>${from.id}`)
  }
}

/** Stops a node anywhere: of the writes under way a random number reached the disk. */
const crash = (world: World, node: SimulatedNode): void => {
  if (node.state === undefined) return
  const keptCount = Math.floor(world.random() * (node.unsynced.length + 1))
  for (const write of node.unsynced.slice(0, keptCount)) writeTo(node.disk, write)
  node.unsynced = []
  node.reads = []
  node.state = undefined
}

const start = (world: World, node: SimulatedNode): void => {
  if (node.state !== undefined) return
  node.unappliedIndex = 0
  const voters = world.nodes.map(({ id }) => ({ id, address: id, instanceId: id }))
  const configurations = [{ index: 0, configuration: { voters, learners: [] } }]
  node.state = State.make({ config, nodeId: node.id, recovered: recover(node.disk), configurations })
  Checks.started(world.checks, node)
}

/** No more faults: one leader must emerge, commit something new, and every node must apply it. */
const heal = (world: World): void => {
  world.isFaulty = false
  world.cut.clear()
  for (const node of world.nodes) start(world, node)
  const goal = world.checks.committed.length + 1
  for (let count = 0; count < 600; count++) {
    tick(world)
    for (let turns = 0; turns < 3; turns++) {
      for (let left = world.network.length; left > 0; left--) deliver(world)
      for (const node of world.nodes) {
        sync(world, node)
        serve(world, node)
      }
    }
    const leader = world.nodes.find(({ state }) => state?.role._tag === "Leader")
    if (leader !== undefined && world.checks.committed.length < goal && count % 20 === 0) {
      const { currentTerm, log } = leader.state!
      const entries = [{ type: "transaction" as const, payload: new Uint8Array([1]) }]
      feed(world, leader, { _tag: "Propose", term: currentTerm, lastIndex: log.lastIndex, entries })
    }
    const isDone = world.nodes.every(({ state }) => state !== undefined && state.lastApplied >= goal)
    if (isDone) return
  }
  Checks.fail("the healed cluster agreed on nothing new")
}

const feed = (world: World, node: SimulatedNode, input: Input): void => {
  const { state } = node
  if (state === undefined) return
  const output: Output = step(state, input)
  if (output.write !== undefined) node.unsynced.push(output.write)
  if (output.apply !== undefined) node.unappliedIndex = output.apply.toIndex
  node.reads.push(...output.readLog)
  world.network.push(...output.messages)
  // A bounded network: what overflows is lost, as it may be.
  if (world.network.length > 2000) world.network.splice(0, world.network.length - 2000)
  Checks.afterStep(world.checks, world.nodes, node, output)
}

const writeTo = (disk: Disk, write: LogWrite): void => {
  if (write.truncateFromIndex !== undefined) disk.entries.length = write.truncateFromIndex - 1
  if (write.hardState !== undefined) disk.hardState = write.hardState
  disk.entries.push(...write.entries)
}

const recover = (disk: Disk): Recovered => ({
  hardState: disk.hardState,
  firstIndex: 1,
  lastIndex: disk.entries.length,
  termRuns: disk.entries.flatMap(({ index, term }, at) =>
    term === disk.entries[at - 1]?.term ? [] : [{ fromIndex: index, term }]
  )
})

const makeNode = (id: NodeId, missedTicks: number): SimulatedNode => ({
  id,
  disk: { hardState: { currentTerm: 0, votedFor: undefined }, entries: [] },
  unsynced: [],
  state: undefined,
  reads: [],
  unappliedIndex: 0,
  missedTicks
})

const pick = <A>(world: World, from: ReadonlyArray<A>): A => from[Math.floor(world.random() * from.length)]!

/** Mulberry32: small, fast, and the same on every runtime. */
const generator = (seed: number): (() => number) => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
