/** Who runs a simulated cluster, where there is more to it than one input: replacing a machine that lost its disk. */
import * as Configuration from "../../Raft/core/Configuration.ts"
import * as Disk from "./Disk.ts"
import * as Node from "./Node.ts"
import type { World } from "./World.ts"

/**
 * Gives a node an empty disk, once the committed configuration does not name it and none that may follow does: it can
 * come back only as a new member (C16). What was on its way from or to its former life is lost with its connections.
 * Says whether it did.
 */
export const replace = (world: World, node: Node.SimulatedNode): boolean => {
  const { committed, configuration } = world.checks
  if (configuration === undefined || Configuration.isMember(configuration, node.id)) return false
  const held = world.nodes.flatMap(({ disk, life }) => [
    // Also in writes under way, and in the batch that a crash came upon.
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
