/** The operator of a simulated cluster replaces a machine that lost its disk. */
import * as Configuration from "../../Raft/core/Configuration.ts"
import * as Disk from "./Disk.ts"
import * as Node from "./Node.ts"
import type { World } from "./World.ts"

/**
 * Gives a node an empty disk, once neither the committed configuration nor one that may follow names it. The node can come
 * back only as a new member (C16). Messages from and to its former life are lost with its connections. Says whether it
 * replaced the disk.
 */
export const replace = (world: World, node: Node.SimulatedNode): boolean => {
  const { committed, configuration } = world.checks
  if (configuration === undefined || Configuration.isMember(configuration, node.id)) return false
  const held = world.nodes.flatMap(({ disk, life }) => [
    // Writes under way count too, and the batch that a crash interrupted.
    ...Disk.configurationsOf(disk.entries),
    ...[...(life?.unsynced ?? []), ...disk.torn].flatMap(({ entries }) => Disk.configurationsOf(entries)),
    ...(life?.core.configurations ?? [])
  ])
  const isNamed = held.some((at) => at.index > committed.length && Configuration.isMember(at.configuration, node.id))
  if (isNamed) return false
  Node.wipe(node)
  world.network = world.network.filter(({ from, to }) => from !== node.id && to !== node.id)
  return true
}
