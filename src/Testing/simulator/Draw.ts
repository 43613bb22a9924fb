/** Draws the next act of a simulated run at random: mostly progress, sometimes harm. It performs nothing. */
import * as Configuration from "../../Raft/core/Configuration.ts"
import type { MembershipChange } from "../../Raft/core/MembershipChange.ts"
import type { NodeId } from "../../Raft/core/Message.ts"
import { type Act, allBlocks } from "./Act.ts"
import { isServed, isWell, mayAgree } from "./Agreement.ts"
import * as Disk from "./Disk.ts"
import { isBehind } from "./Followers.ts"
import { accounts, openingBalance, registers, scraps } from "./Models.ts"
import * as Node from "./Node.ts"
import { projectionNames } from "./Projections.ts"
import { below, isChosen, pick, type Random } from "./Random.ts"
import type { Request } from "./Request.ts"
import type { Weather } from "./Setup.ts"
import { corruptions } from "./States.ts"
import { awake, isStanding, nodeOf, type World } from "./World.ts"

/** The next acts; none if the drawn act cannot happen now. */
export const draw = (world: World, weather: Weather, random: Random): ReadonlyArray<Act> => {
  const { chances } = weather
  let at = random() * (75 + chances.tick + chances.request + chances.order + chances.harm + chances.mend)
  const isDrawn = (chance: number): boolean => {
    at -= chance
    return at < 0
  }
  if (isDrawn(45)) return drawMessage(world, weather, random)
  if (isDrawn(15)) return drawSync(pick(random, world.nodes), weather, random)
  if (isDrawn(15)) return drawService(pick(random, world.nodes), random)
  if (isDrawn(chances.tick)) return [drawTick(world, weather, random)]
  if (isDrawn(chances.request)) return drawClient(world, weather, random)
  if (isDrawn(chances.order)) return drawOrder(world, random)
  if (isDrawn(chances.harm)) return drawHarm(world, weather, random)
  return drawMending(world, random)
}

/** An act of some node's projections, if there is one, between two of the acts above. */
export const drawFollowing = (world: World, random: Random): Act | undefined => {
  if (!isChosen(random, 0.15)) return undefined
  const node = pick(random, world.nodes)
  const { id, pace } = node
  const projection = pick(random, projectionNames)
  const chance = random()
  if (chance < 0.001) return { _tag: "Upgrade", node: id }
  if (chance > 0.99 && world.releases !== undefined) {
    return { _tag: "Corrupt", node: id, share: random(), what: pick(random, corruptions) }
  }
  if (chance < 0.002) return { _tag: "DamageSave", node: id, projection, share: random() }
  const life = awake(world, node)
  const follower = life?.followers.get(projection)
  if (life === undefined || follower === undefined) return undefined
  if (follower.saving !== undefined && isChosen(random, 0.2)) return { _tag: "Save", node: id, projection }
  if (chance > pace || !isBehind(life, follower)) return undefined
  return { _tag: "Follow", node: id, projection, maxBytes: pick(random, [1, 500, 2_000, 65_536]) }
}

/** Now and then the disk of a node rots, and the node stops with it. The others remain a quorum, so peers can repair it. */
export const drawRot = (world: World, random: Random): ReadonlyArray<Act> => {
  if (!world.isRotting || !isChosen(random, 0.003)) return []
  const node = pick(random, world.nodes)
  if (node.refusal !== undefined || !mayAgree(world, node.id)) return []
  // Sometimes damage comes again before the repair of the last one is over.
  if (!isWell(node) && isChosen(random, 0.8)) return []
  const rot: Act = {
    _tag: "Rot",
    node: node.id,
    share: random(),
    what: isChosen(random, 0.75) ? "log" : pick(random, Disk.rotting)
  }
  const start: Act = { _tag: "Start", node: node.id, isFromOldest: false }
  const crash = drawCrash(node, random)
  // Mostly it starts at once: words of its former life are still under way then.
  return isChosen(random, 0.7) ? [crash, rot, start] : [crash, rot]
}

/** Half of the time any node, otherwise one that believes that it leads; there may be several. */
const drawTarget = (world: World, random: Random): Node.SimulatedNode => {
  const leaders = world.nodes.filter(({ life }) => life?.core.role._tag === "Leader")
  return pick(random, leaders.length > 0 && isChosen(random, 0.6) ? leaders : world.nodes)
}

/** Any message under way: messages are reordered and delayed without bound, and some are lost or arrive twice. */
const drawMessage = (world: World, { lossChance, reorderCount }: Weather, random: Random): ReadonlyArray<Act> => {
  const { network } = world
  const first = below(random, Math.min(network.length, reorderCount))
  const at = network.findIndex(({ arrivesMs, to }, index) => {
    return index >= first && arrivesMs <= world.nowMs && !isStanding(world, nodeOf(world, to))
  })
  const envelope = network[at]
  if (envelope === undefined) return []
  const { from, to } = envelope
  let position = 0
  for (let before = 0; before < at; before++) {
    const each = network[before]!
    if (each.from === from && each.to === to) position++
  }
  const chance = random()
  const _tag = chance < lossChance ? "Drop" : chance < 2 * lossChance ? "Duplicate" : "Deliver"
  return [{ _tag, from, to, position }]
}

const drawSync = ({ id, life }: Node.SimulatedNode, { isDiskLying }: Weather, random: Random): ReadonlyArray<Act> => {
  if (life === undefined || life.unsynced.length === 0) return []
  const isForgotten = isDiskLying && isChosen(random, 0.2)
  return [{ _tag: "Sync", node: id, count: 1 + below(random, life.unsynced.length), isForgotten }]
}

/** Everything that waits on the node: requests, a read of the log for a peer, a snapshot to send, the machine. */
const drawService = ({ id, life }: Node.SimulatedNode, random: Random): ReadonlyArray<Act> => {
  if (life === undefined) return []
  const acts: Array<Act> = []
  if (life.logReads.length > 0) acts.push({ _tag: "ReadLog", node: id, count: 1 + below(random, 4) })
  for (const to of life.sending.keys()) {
    acts.push({ _tag: "SendSnapshot", node: id, to, isGivenUp: isChosen(random, 0.05) })
  }
  if (life.chunks.length > 0) acts.push({ _tag: "StoreChunk", node: id, crashes: isChosen(random, 0.1) })
  if (life.tasks.length > 0) acts.push({ _tag: "Apply", node: id })
  if (life.unsynced.length === 0 && isChosen(random, 0.1)) acts.push({ _tag: "Mark", node: id })
  if (isAsked(life)) acts.push({ _tag: "Turn", node: id })
  if (acts.length === 0) return []
  // Mostly all of them in order, sometimes one alone.
  return isChosen(random, 0.7) ? acts : [pick(random, acts)]
}

/** Whether a turn of the shell would do anything. */
const isAsked = ({ arrived, core, deciding, leasable, reads }: Node.Life): boolean =>
  arrived.length + leasable.length + deciding.pending.length + reads.asked.length > 0 ||
  reads.byId.entries().some(([, { readIndex }]) => readIndex !== undefined && readIndex <= core.lastApplied)

const drawTick = (world: World, { missedTicks }: Weather, random: Random): Act => ({
  _tag: "Tick",
  random: random(),
  missedBy: world.nodes.filter((_, at) => isChosen(random, missedTicks[at]!)).map(({ id }) => id)
})

/** An idle client begins a request. One that waits mostly goes on waiting, or tries again or gives up. */
const drawClient = (world: World, weather: Weather, random: Random): ReadonlyArray<Act> => {
  const client = below(random, world.clients.all.length)
  const served = world.nodes.filter(({ life }) => life !== undefined && isServed(life))
  // Mostly through a node that may succeed.
  const { id: node } = served.length > 0 && isChosen(random, 0.5) ? pick(random, served) : drawTarget(world, random)
  const { current } = world.clients.all[client]!
  if (current === undefined) {
    return [{ _tag: "Request", client, node, request: drawRequest(weather, random), isKeyed: isChosen(random, 0.5) }]
  }
  if (isChosen(random, 0.9)) return []
  const isKeyed = current.key !== undefined
  if (isKeyed && weather.isTight && isChosen(random, 0.4)) {
    return [{ _tag: isChosen(random, 0.6) ? "Inquire" : "CloseKey", client, node }]
  }
  return [isKeyed && isChosen(random, 0.8) ? { _tag: "Retry", client, node } : { _tag: "GiveUp", client }]
}

const drawRequest = ({ isCalling, isTight }: Weather, random: Random): Request => {
  if (isTight && isChosen(random, 0.2))
    return { _tag: "Scrap", key: pick(random, scraps), isDeleted: isChosen(random, 0.5) }
  const at = random() * 100
  const key = pick(random, registers)
  if (at < 40) return { _tag: "Read", key: pick(random, [...registers, ...accounts]), mayLease: isChosen(random, 0.6) }
  if (at < 50) return { _tag: "Create", key }
  if (at < 54) return { _tag: "Write", key }
  if (at < 70) return { _tag: "CompareAndSet", key }
  if (at < 75) return { _tag: "Delete", key }
  if (at < 79) return { _tag: "Append" }
  if (at < 82) return { _tag: "Open" }
  if (at < 85) return { _tag: "Reuse" }
  const from = pick(random, accounts)
  const to = pick(
    random,
    accounts.filter((account) => account !== from)
  )
  // Commands often drain accounts.
  return isCalling
    ? { _tag: "Call", from, to, amount: 1 + below(random, 2 * openingBalance) }
    : { _tag: "Transfer", from, to, amount: 1 + below(random, openingBalance / 2) }
}

/** An order of an operator, sensible or not. */
const drawOrder = (world: World, random: Random): ReadonlyArray<Act> => {
  const at = random() * 100
  const { id } = drawTarget(world, random)
  if (at < 40) return [{ _tag: "TakeSnapshot", node: id, crashes: isChosen(random, 0.05) }]
  if (at < 60) return drawChange(world, random)
  if (at < 85)
    return [{ _tag: "Transfer", node: id, to: isChosen(random, 0.5) ? undefined : pick(random, world.nodes).id }]
  return [{ _tag: "Replace", node: id }]
}

const drawChange = (world: World, random: Random): ReadonlyArray<Act> => {
  const leaders = world.nodes.filter(({ life }) => life?.core.role._tag === "Leader")
  if (leaders.length === 0) return []
  const leader = pick(random, leaders)
  return [{ _tag: "Change", node: leader.id, change: changeOf(world, leader.life!.core.configuration, random) }]
}

const changeOf = (world: World, configuration: Configuration.Configuration, random: Random): MembershipChange => {
  const at = random()
  const members = Configuration.membersOf(configuration).map(({ id }) => id)
  const learners = configuration.learners.map(({ id }) => id)
  const node = pick(random, world.nodes)
  const lost = world.nodes.find(({ refusal }) => refusal !== undefined)
  if (lost !== undefined && members.includes(lost.id) && at < 0.5) return { _tag: "Remove", id: lost.id }
  if (at < 0.4) {
    const member = { id: node.id, address: node.id, instanceId: Node.instanceIdOf(node) }
    return { _tag: "AddLearner", member, autoPromote: isChosen(random, 0.7) }
  }
  if (at < 0.5 && learners.length > 0) return { _tag: "Promote", id: pick(random, learners) }
  if (at < 0.75) return { _tag: "Remove", id: pick(random, [...members, node.id]) }
  const isKept = (_: NodeId) => isChosen(random, 0.7)
  return { _tag: "ReplaceVoters", voters: members.filter(isKept) }
}

const drawHarm = (world: World, { harms, pauseMaxMs }: Weather, random: Random): ReadonlyArray<Act> => {
  const impaired = world.nodes.filter((node) => awake(world, node) === undefined || world.nowMs < node.stalledUntilMs)
  // Mostly a majority is well: without progress nothing can go wrong.
  if (2 * (impaired.length + 1) > world.nodes.length && isChosen(random, 0.7)) return []
  const node = drawTarget(world, random)
  const { id, life } = node
  switch (pick(random, harms)) {
    case "cut":
      return drawCuts(world, node, random)
    case "crash":
      return [drawCrash(node, random)]
    case "damage":
      // The node has stopped anyway.
      return life === undefined ? [{ _tag: "Damage", node: id, share: random() }] : []
    case "pause":
      return [{ _tag: "Pause", node: id, forMs: Math.round(random() * pauseMaxMs) }]
    case "jumpClock":
      return [{ _tag: "JumpClock", node: id, byMs: Math.round((random() - 0.5) * 60 * 3_600_000) }]
    case "stallDisk":
      return [{ _tag: "StallDisk", node: id, forMs: Math.round(random() ** 6 * 60_000) }]
    case "losePeer":
      return [{ _tag: "LosePeer", node: id, peer: pick(random, world.nodes).id }]
    case "shutDown":
      return [{ _tag: "ShutDown", node: id }]
  }
}

/** A batch is mostly lost or kept, sometimes torn. */
const drawCrash = ({ id, life }: Node.SimulatedNode, random: Random): Act => {
  const count = below(random, (life?.unsynced.length ?? 0) + 1)
  const blocks = isChosen(random, 0.5) ? allBlocks : below(random, allBlocks)
  return { _tag: "Crash", node: id, count, blocks }
}

/** Parts a node from most others, both ways or one way. */
const drawCuts = (world: World, { id }: Node.SimulatedNode, random: Random): ReadonlyArray<Act> => {
  const [isWhole, isOutward] = [isChosen(random, 0.5), isChosen(random, 0.5)]
  return world.nodes.flatMap((other): ReadonlyArray<Act> => {
    if (other.id === id || isChosen(random, 0.2)) return []
    const away: Act = { _tag: "Cut", from: id, to: other.id }
    const back: Act = { _tag: "Cut", from: other.id, to: id }
    return isWhole ? [away, back] : isOutward ? [away] : [back]
  })
}

/** Links are whole again, or a stopped node starts. A node that was told to shut down has stopped by then. */
const drawMending = (world: World, random: Random): ReadonlyArray<Act> => {
  const ended = world.nodes.filter(({ life, refusal }) => {
    return refusal === undefined && (life === undefined || isShutDown(life))
  })
  if (world.cut.size > 0 && (ended.length === 0 || isChosen(random, 0.5))) return [{ _tag: "Mend" }]
  if (ended.length === 0) return []
  const { id, life } = pick(random, ended)
  const start: Act = { _tag: "Start", node: id, isFromOldest: isChosen(random, 0.3) }
  return life === undefined
    ? [start]
    : [{ _tag: "Crash", node: id, count: life.unsynced.length, blocks: allBlocks }, start]
}

const isShutDown = ({ core }: Node.Life): boolean => core.shutDown && core.role._tag !== "Leader"
