/** Whether a simulated cluster can still agree: it can if the nodes that are well are a quorum. */
import type { NodeId } from "../../Raft/core/Message.ts"
import * as Quorum from "../../Raft/core/Quorum.ts"
import * as Disk from "./Disk.ts"
import type { Life, SimulatedNode } from "./Node.ts"
import type { World } from "./World.ts"

/** Whether the node starts, and its log needs no repair. */
export const isWell = ({ disk, refusal }: SimulatedNode): boolean =>
  refusal === undefined && disk.lost === undefined && !disk.isRotten

/** Whether a node leads, or knows who does. */
export const isServed = ({ core: { role } }: Life): boolean =>
  role._tag === "Leader" || (role._tag === "Follower" && role.leader !== undefined)

/** Whether every configuration that is in force, or may be later, has a quorum of well nodes, without `without`. */
export const mayAgree = ({ checks, nodes }: World, without?: NodeId): boolean => {
  const held = nodes.flatMap(({ disk, life }) => [
    ...Disk.configurationsOf(disk.entries),
    ...(life?.core.configurations ?? [])
  ])
  const later = held.filter(({ index }) => index >= checks.configurationIndex).map((at) => at.configuration)
  const inForce = [...(checks.configuration === undefined ? [] : [checks.configuration]), ...later]
  const counts = (id: NodeId) => nodes.some((node) => node.id === id && id !== without && isWell(node))
  // The configuration of a node that was never added names nobody.
  return inForce.every((each) => each.voters.length === 0 || Quorum.isQuorum(each, counts))
}
