/** Time without faults in a simulated cluster: every message arrives, in order, and every node does its work. */
import { perform } from "./Perform.ts"
import { projectionNames } from "./Projections.ts"
import type { World } from "./World.ts"

/** Lets time pass: messages arrive in order, and each node does the work that waits. */
export const settle = (world: World, count: number): void => {
  perform(world, { _tag: "Tick", random: (count * 0.382) % 1, missedBy: [] })
  for (let turns = 0; turns < 3; turns++) {
    for (let left = world.network.length; left > 0; left--) {
      const { from, to } = world.network[0]!
      perform(world, { _tag: "Deliver", from, to, position: 0 })
    }
    for (const { id, life } of world.nodes) {
      perform(world, { _tag: "Turn", node: id })
      perform(world, { _tag: "Sync", node: id, count: life?.unsynced.length ?? 0, isForgotten: false })
      for (let left = life?.logReads.length ?? 0; left > 0; left--) {
        perform(world, { _tag: "ReadLog", node: id, count: 4 })
      }
      for (const to of life?.sending.keys() ?? []) {
        perform(world, { _tag: "SendSnapshot", node: id, to, isGivenUp: false })
      }
      for (let left = life?.chunks.length ?? 0; left > 0; left--) {
        perform(world, { _tag: "StoreChunk", node: id, crashes: false })
      }
      perform(world, { _tag: "Apply", node: id })
      for (const projection of projectionNames)
        perform(world, { _tag: "Follow", node: id, projection, maxBytes: 65_536 })
    }
  }
}
