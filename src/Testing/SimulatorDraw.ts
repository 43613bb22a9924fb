/** What happens next to a simulated cluster, drawn at random: mostly progress, sometimes harm. It changes nothing itself. */
import * as Configuration from "../Raft/Configuration.ts"
import type { MembershipChange } from "../Raft/MembershipChange.ts"
import type { NodeId } from "../Raft/Message.ts"
import type { Act } from "./SimulatorAct.ts"
import * as Node from "./SimulatorNode.ts"
import { below, isChosen, pick, type Random } from "./SimulatorRandom.ts"
import type { Weather } from "./SimulatorSetup.ts"
import { isStanding, nodeOf, type World } from "./SimulatorWorld.ts"

/** The next acts; none, where what was drawn cannot happen now. */
export const draw = (world: World, weather: Weather, random: Random): ReadonlyArray<Act> => {
  const at = random() * (96 + 5 * weather.harm)
  if (at < 45) return drawMessage(world, weather, random)
  if (at < 65) return drawSync(pick(random, world.nodes), weather, random)
  if (at < 75) return drawService(pick(random, world.nodes), random)
  if (at < 87) return [drawTick(world, weather, random)]
  if (at < 95) return [drawRequest(pick(random, world.nodes), random)]
  if (at < 96) return drawOrder(world, random)
  return drawHarm(world, weather, random)
}

/** Any message under way: so they are reordered and delayed without bound; some are lost or arrive twice. */
const drawMessage = (world: World, { reorderCount }: Weather, random: Random): ReadonlyArray<Act> => {
  const { network } = world
  const first = below(random, Math.min(network.length, reorderCount))
  const at = network.findIndex((each, index) => index >= first && !isStanding(world, nodeOf(world, each.to)))
  const envelope = network[at]
  if (envelope === undefined) return []
  const { from, to } = envelope
  let position = 0
  for (let before = 0; before < at; before++) {
    const each = network[before]!
    if (each.from === from && each.to === to) position++
  }
  const chance = random()
  return [{ _tag: chance > 0.97 ? "Drop" : chance > 0.03 ? "Deliver" : "Duplicate", from, to, position }]
}

const drawSync = (
  { id, unsynced }: Node.SimulatedNode,
  { isDiskLying }: Weather,
  random: Random
): ReadonlyArray<Act> => {
  if (unsynced.length === 0) return []
  const isForgotten = isDiskLying && isChosen(random, 0.2)
  return [{ _tag: "Sync", node: id, count: 1 + below(random, unsynced.length), isForgotten }]
}

/** Whatever waits on the node: a read of the log for a peer that lags, a snapshot on its way, the machine. */
const drawService = (node: Node.SimulatedNode, random: Random): ReadonlyArray<Act> => {
  const { chunks, id, reads, sending, tasks } = node
  const acts: Array<Act> = []
  if (reads.length > 0) acts.push({ _tag: "ReadLog", node: id, count: 1 + below(random, 4) })
  for (const to of sending.keys()) {
    acts.push({ _tag: "SendSnapshot", node: id, to, isGivenUp: isChosen(random, 0.05) })
  }
  if (chunks.length > 0) acts.push({ _tag: "StoreChunk", node: id, crashes: isChosen(random, 0.1) })
  if (tasks.length > 0) acts.push({ _tag: "Apply", node: id })
  return acts
}

const drawTick = (world: World, { missedTicks }: Weather, random: Random): Act => ({
  _tag: "Tick",
  random: random(),
  missedBy: world.nodes.filter((_, at) => isChosen(random, missedTicks[at]!)).map(({ id }) => id)
})

const drawRequest = ({ id }: Node.SimulatedNode, random: Random): Act =>
  isChosen(random, 0.6)
    ? { _tag: "Propose", node: id, bytes: Array(1 + below(random, 10)).fill(below(random, 256)) }
    : { _tag: "Read", node: id, mayLease: isChosen(random, 0.8) }

/** What an operator asks for, sensibly or not. */
const drawOrder = (world: World, random: Random): ReadonlyArray<Act> => {
  const at = random() * 100
  const { id } = pick(random, world.nodes)
  if (at < 45) return [{ _tag: "TakeSnapshot", node: id, crashes: isChosen(random, 0.05) }]
  if (at < 75) return drawChange(world, random)
  if (at < 90)
    return [{ _tag: "Transfer", node: id, to: isChosen(random, 0.5) ? undefined : pick(random, world.nodes).id }]
  return [{ _tag: "Replace", node: id }]
}

const drawChange = (world: World, random: Random): ReadonlyArray<Act> => {
  const leaders = world.nodes.filter(({ state }) => state?.role._tag === "Leader")
  if (leaders.length === 0) return []
  const leader = pick(random, leaders)
  return [{ _tag: "Change", node: leader.id, change: changeOf(world, leader.state!.configuration, random) }]
}

const changeOf = (world: World, configuration: Configuration.Configuration, random: Random): MembershipChange => {
  const at = random()
  const members = Configuration.membersOf(configuration).map(({ id }) => id)
  const learners = configuration.learners.map(({ id }) => id)
  const node = pick(random, world.nodes)
  if (at < 0.4) {
    const member = { id: node.id, address: node.id, instanceId: Node.instanceIdOf(node) }
    return { _tag: "AddLearner", member, autoPromote: isChosen(random, 0.7) }
  }
  if (at < 0.5 && learners.length > 0) return { _tag: "Promote", id: pick(random, learners) }
  if (at < 0.75) return { _tag: "Remove", id: pick(random, [...members, node.id]) }
  const isKept = (_: NodeId) => isChosen(random, 0.7)
  return { _tag: "ReplaceVoters", voters: members.filter(isKept) }
}

const drawHarm = (world: World, { pauseMaxMs }: Weather, random: Random): ReadonlyArray<Act> => {
  const at = random() * 100
  const node = pick(random, world.nodes)
  if (at < 20) return drawCuts(world, node, random)
  if (at < 40) return [{ _tag: "Mend" }]
  if (at < 50) return [{ _tag: "Crash", node: node.id, keptCount: below(random, node.unsynced.length + 1) }]
  if (at < 80) return startAll(world, random)
  if (at < 88) return [{ _tag: "Pause", node: node.id, forMs: random() * pauseMaxMs }]
  if (at < 93) return [{ _tag: "StallDisk", node: node.id }]
  if (at < 98) return [{ _tag: "LosePeer", node: node.id, peer: pick(random, world.nodes).id }]
  return [{ _tag: "ShutDown", node: node.id }]
}

/** Parts a node from most others, both ways or one way. */
const drawCuts = (world: World, { id }: Node.SimulatedNode, random: Random): ReadonlyArray<Act> => {
  const isWhole = isChosen(random, 0.5)
  return world.nodes.flatMap((other): ReadonlyArray<Act> => {
    if (other.id === id || isChosen(random, 0.3)) return []
    const away: Act = { _tag: "Cut", from: id, to: other.id }
    return isWhole ? [away, { _tag: "Cut", from: other.id, to: id }] : [away]
  })
}

export const startAll = (world: World, random: Random): ReadonlyArray<Act> =>
  world.nodes
    .filter(({ state }) => state === undefined)
    .map(({ id }) => ({ _tag: "Start", node: id, isFromOldest: isChosen(random, 0.3) }))
