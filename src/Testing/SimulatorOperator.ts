/** Who runs a simulated cluster: adds and removes members, hands leadership over, takes snapshots, replaces machines. */
import * as Configuration from "../Raft/Configuration.ts"
import type { MembershipChange } from "../Raft/MembershipChange.ts"
import type { NodeId } from "../Raft/Message.ts"
import * as Node from "./SimulatorNode.ts"
import { takeSnapshot } from "./SimulatorShell.ts"
import { feed, pick, start, type World } from "./SimulatorWorld.ts"

export const operate = (world: World): void => {
  const draw = world.random() * 100
  const node = pick(world, world.nodes)
  if (draw < 45) takeSnapshot(world, node)
  else if (draw < 75) changeMembership(world)
  else if (draw < 90) transfer(world)
  else replace(world, node)
}

/** Asks whoever believes that it leads, sensibly or not. */
const changeMembership = (world: World): void => {
  const leaders = world.nodes.filter(({ state }) => state?.role._tag === "Leader")
  if (leaders.length === 0) return
  const leader = pick(world, leaders)
  const change = drawChange(world, leader.state!.configuration)
  const output = feed(world, leader, { _tag: "ChangeMembership", requestId: world.nextRequestId++, change })
  if (output?.membership?._tag === "Accepted") world.checks.counts.changes++
}

const drawChange = (world: World, configuration: Configuration.Configuration): MembershipChange => {
  const draw = world.random()
  const members = Configuration.membersOf(configuration).map(({ id }) => id)
  const learners = configuration.learners.map(({ id }) => id)
  const node = pick(world, world.nodes)
  if (draw < 0.4) {
    const member = { id: node.id, address: node.id, instanceId: Node.instanceIdOf(node) }
    return { _tag: "AddLearner", member, autoPromote: world.random() < 0.7 }
  }
  if (draw < 0.5 && learners.length > 0) return { _tag: "Promote", id: pick(world, learners) }
  if (draw < 0.75) return { _tag: "Remove", id: pick(world, [...members, node.id]) }
  const isKept = (_: NodeId) => world.random() < 0.7
  return { _tag: "ReplaceVoters", voters: members.filter(isKept) }
}

const transfer = (world: World): void => {
  const node = pick(world, world.nodes)
  const to = world.random() < 0.5 ? {} : { to: pick(world, world.nodes).id }
  const output = feed(world, node, { _tag: "TransferLeadership", ...to })
  if (output?.transfer?._tag === "Started") world.checks.counts.transfers++
}

/**
 * Gives a node an empty disk, once the committed configuration does not name it and none that may follow does: it can
 * come back only as a new member (RAFT C16). What was on its way from or to its former life is lost with its connections.
 */
const replace = (world: World, node: Node.SimulatedNode): void => {
  const { committed, configuration } = world.checks
  if (configuration === undefined || Configuration.isMember(configuration, node.id)) return
  const held = world.nodes.flatMap(({ disk, state, unsynced }) => [
    ...Node.configurationsOf([...disk.entries, ...unsynced.flatMap(({ entries }) => entries)]),
    ...(state?.configurations ?? [])
  ])
  const isNamed = held.some((at) => at.index > committed.length && Configuration.isMember(at.configuration, node.id))
  if (isNamed) return
  Node.wipe(node)
  world.network = world.network.filter(({ from, to }) => from !== node.id && to !== node.id)
  start(world, node)
}
