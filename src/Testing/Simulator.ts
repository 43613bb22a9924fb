/**
 * A cluster of pure cores over a simulated network, disks and clock, all drawn from one seed; faults until it heals.
 * Its members change, its logs are compacted and its leaders hand over meanwhile. Not the shell: RaftNode and the log's
 * bytes are tested elsewhere. What must hold is in SimulatorChecks.ts.
 */
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { isMember } from "../Raft/Configuration.ts"
import { encodeConfiguration } from "../Raft/ConfigurationCodec.ts"
import { mayTake } from "../Raft/Instances.ts"
import type { NodeId } from "../Raft/Message.ts"
import { defaults } from "../Raft/RaftConfig.ts"
import * as Checks from "./SimulatorChecks.ts"
import * as Node from "./SimulatorNode.ts"
import { operate } from "./SimulatorOperator.ts"
import { serve, sync } from "./SimulatorShell.ts"
import { crash, feed, isIdle, isStanding, type PlantedFaults, pick, start, type World } from "./SimulatorWorld.ts"

export interface Options extends PlantedFaults {
  readonly seed: number
  /** Voters at first; up to two other nodes stand by to be added. */
  readonly nodeCount: number
  readonly stepCount: number
}

/** What a run came to; the same options always give the same result. */
export interface Result extends Checks.Counts {
  readonly failure: string | undefined
  readonly committed: number
  readonly elections: number
}

const config = {
  ...defaults,
  appendBatchBytes: 16,
  inflightMessagesCount: 4,
  inflightBytes: 64,
  cacheBytes: 24,
  uncommittedBytes: 256
}

const tickMs = 20

/** Runs one cluster through its faults, heals it, and requires that it then agrees on something new. */
export const run = (options: Options): Result => {
  const world = makeWorld(options)
  let failure: string | undefined
  try {
    for (const node of world.nodes) start(world, node)
    for (let count = 0; count < options.stepCount; count++) act(world)
    heal(world)
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error)
  }
  const { committed, counts, leaders } = world.checks
  return { failure, committed: committed.length, elections: leaders.size, ...counts }
}

const makeWorld = ({ nodeCount, seed, ...faults }: Options): World => {
  const random = generator(seed)
  const standbyCount = Math.floor(random() * 3)
  // One in four is a healthy cluster with good clocks, where only the rare harm is done: leases live long there.
  const isSteady = random() < 0.25
  const voters = Array.from({ length: nodeCount }, (_, at) => ({
    id: `n${at}`,
    address: `n${at}`,
    instanceId: `n${at}.0`
  }))
  const payload = encodeConfiguration({ voters, learners: [] })
  const first: LogEntry = { index: 1, term: 1, type: "configuration", payload }
  const nodes = Array.from({ length: nodeCount + standbyCount }, (_, at) =>
    Node.make({
      id: `n${at}`,
      missedTicks: isSteady ? 0 : random() ** 2 * 0.97,
      entries: at < nodeCount ? [first] : []
    })
  )
  const logRetainedCount = [0, 3, 20, Number.POSITIVE_INFINITY][Math.floor(random() * 4)]!
  const isLeased = isSteady || random() < 0.5
  return {
    config: { ...config, logRetainedCount, ...(isLeased ? { readLease: { driftBoundMs: 0 } } : {}) },
    random,
    nodes,
    checks: Checks.make(),
    network: [],
    cut: new Set(),
    nowMs: 0,
    nextRequestId: 1,
    isFaulty: true,
    faults,
    reorderCount: isSteady ? 1 : 2 ** Math.floor(random() * 10),
    harm: isSteady ? 0.2 : random() * 3,
    pauseMaxMs: isSteady ? 3000 : 500
  }
}

/** One event, drawn at random: mostly progress, sometimes harm. */
const act = (world: World): void => {
  const draw = world.random() * (96 + 5 * world.harm)
  if (draw < 45) deliver(world)
  else if (draw < 65) sync(world, pick(world, world.nodes))
  else if (draw < 75) serve(world, pick(world, world.nodes))
  else if (draw < 87) tick(world)
  else if (draw < 95) request(world, pick(world, world.nodes))
  else if (draw < 96) operate(world)
  else harm(world)
}

const harm = (world: World): void => {
  const draw = world.random() * 100
  const node = pick(world, world.nodes)
  if (draw < 20) cutLinks(world, node)
  else if (draw < 40) world.cut.clear()
  else if (draw < 50) crash(world, node)
  else if (draw < 80) for (const each of world.nodes) start(world, each)
  else if (draw < 88) node.pausedUntilMs = world.nowMs + world.random() * world.pauseMaxMs
  else if (draw < 93) feed(world, node, { _tag: "DiskStalled" })
  else if (draw < 98) feed(world, node, { _tag: "PeerUnreachable", peer: pick(world, world.nodes).id })
  else feed(world, node, { _tag: "ShutDown" })
}

/** Takes any message in flight: so they are reordered and delayed without bound; some are lost or arrive twice. */
const deliver = (world: World): void => {
  const from = Math.floor(world.random() * Math.min(world.network.length, world.isFaulty ? world.reorderCount : 1))
  // What is for a process that stands still waits until it goes on.
  const at = world.network.findIndex((each, index) => index >= from && !isStanding(world, nodeOf(world, each.to)))
  const envelope = world.network[at]
  if (envelope === undefined) return
  const chance = world.isFaulty ? world.random() : 1
  if (chance > 0.03) world.network.splice(at, 1)
  if (chance > 0.97 && world.isFaulty) return
  if (world.cut.has(`${envelope.from}>${envelope.to}`)) return
  const [sender, node] = [nodeOf(world, envelope.from), nodeOf(world, envelope.to)]
  if (node.state === undefined) return
  const peer = { id: sender.id, instanceId: Node.instanceIdOf(sender) }
  if (!mayTake(node.state.configuration, peer, envelope.message)) return
  feed(world, node, { _tag: "Receive", from: sender.id, message: envelope.message })
}

const nodeOf = (world: World, name: NodeId): Node.SimulatedNode => world.nodes.find(({ id }) => id === name)!

const tick = (world: World): void => {
  world.nowMs += tickMs
  for (const node of world.nodes) if (!isIdle(world, node)) read(world, node)
  for (const node of world.nodes) {
    const isMissed = isIdle(world, node) || (world.isFaulty && world.random() < node.missedTicks)
    if (!isMissed) feed(world, node, { _tag: "Tick", nowMs: world.nowMs, random: world.random() })
  }
}

/** A client writes or reads. A read must see whatever was committed anywhere when it began. */
const request = (world: World, node: Node.SimulatedNode): void => {
  if (node.state === undefined) return
  if (world.random() < 0.6) {
    const payload = new Uint8Array(1 + Math.floor(world.random() * 10)).fill(Math.floor(world.random() * 256))
    if (!isIdle(world, node)) propose(world, node, payload)
    return
  }
  const readId = world.nextRequestId++
  Checks.readBegins(world.checks, readId)
  node.waitingReads.push(readId)
  if (!isIdle(world, node)) read(world, node)
}

/** What waited while the process stood still comes before its next look at the clock. */
const read = (world: World, node: Node.SimulatedNode): void => {
  const readIds = node.waitingReads.splice(0)
  if (readIds.length > 0) feed(world, node, { _tag: "Read", readIds, mayLease: world.random() < 0.8 })
}

const propose = (world: World, node: Node.SimulatedNode, payload: Uint8Array): void => {
  if (node.state === undefined) return
  const { currentTerm, log } = node.state
  const entries = [{ type: "transaction" as const, payload }]
  feed(world, node, { _tag: "Propose", term: currentTerm, lastIndex: log.lastIndex, entries })
}

/** Parts a node from most others, both ways or one way. */
const cutLinks = (world: World, from: Node.SimulatedNode): void => {
  const isWhole = world.random() < 0.5
  for (const to of world.nodes) {
    if (to === from || world.random() < 0.3) continue
    world.cut.add(`${from.id}>${to.id}`)
    if (isWhole) world.cut.add(`${to.id}>${from.id}`)
  }
}

/** No more faults: one leader must emerge, commit something new, and every member must apply it. */
const heal = (world: World): void => {
  world.isFaulty = false
  world.cut.clear()
  for (const node of world.nodes) {
    node.pausedUntilMs = 0
    // What was told to shut down leads no more, and is started again like any other.
    if (node.state?.shutDown === true) crash(world, node)
    start(world, node)
  }
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
      propose(world, leader, new Uint8Array([1]))
    }
    if (leader !== undefined && isHealed(world, leader, goal)) return
  }
  Checks.fail("the healed cluster agreed on nothing new")
}

/** Every member of the configuration in force has applied `goal`, and no change is left half-way. */
const isHealed = (world: World, leader: Node.SimulatedNode, goal: number): boolean => {
  const { configuration } = leader.state!
  if (configuration.outgoing !== undefined) return false
  const members = world.nodes.filter(({ id }) => isMember(configuration, id))
  return members.every(({ applied }) => applied.index >= goal)
}

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
