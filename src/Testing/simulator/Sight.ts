/**
 * The readers of a simulated cluster with random rules: what they do, and that nothing shows them what their rules hide.
 * SightTruth.ts is the judge, by the committed log alone.
 */
import type { Act } from "./Act.ts"
import * as Attending from "./Attending.ts"
import { fail } from "./Failure.ts"
import * as Looks from "./Looks.ts"
import { paperIds } from "./Papers.ts"
import type { Sight } from "./SightState.ts"
import * as Truth from "./SightTruth.ts"
import * as Visits from "./Visits.ts"
import { awake, nodeOf, type World } from "./World.ts"

type SightAct = Extract<Act, { readonly _tag: "Visit" | "Look" | "Attend" | "Hear" }>

/** Performs an act of a reader. */
export const perform = (world: World, act: SightAct): void => {
  const { sight } = world
  if (sight === undefined) return
  loseDead(world, sight)
  if (act._tag === "Hear") {
    const visitor = sight.visitors[act.visitor]!
    const node = world.nodes.find(({ life }) => life !== undefined && life === visitor.at?.served.life)
    if (node !== undefined && awake(world, node) !== undefined) Attending.hear(world, sight, visitor, act)
    return
  }
  const node = nodeOf(world, act.node)
  const life = awake(world, node)
  if (life === undefined) return
  switch (act._tag) {
    case "Visit":
      Visits.send(world, sight, node, life, act.visit)
      return
    case "Look":
      Looks.look(world, sight, { node, life, reader: sight.visitors[act.visitor]!.reader }, act.look)
      return
    case "Attend":
      Attending.attend(world, sight, node, life, sight.visitors[act.visitor]!)
      return
  }
}

/** With a life of a node its connections end. */
const loseDead = ({ nodes }: World, { visitors }: Sight): void => {
  for (const visitor of visitors) {
    const isAlive = nodes.some(({ life }) => life !== undefined && life === visitor.at?.served.life)
    if (!isAlive) Attending.leave(visitor)
  }
}

/** More steps than any reader needs to hear everything of a run. */
const stepsMaxCount = 1_000

/** In the end every reader hears everything at some node, and every node shows what it should. */
export const settled = (world: World): void => {
  const { sight } = world
  if (sight === undefined) return
  loseDead(world, sight)
  const list = { filters: [], orderBy: [{ field: "id", direction: "asc" }], limit: 100 } as const
  for (const node of world.nodes) {
    const { life } = node
    if (life === undefined) continue
    for (const { reader } of sight.visitors) {
      Looks.look(world, sight, { node, life, reader }, { model: "Paper", id: paperIds[0]!, list })
      Looks.look(world, sight, { node, life, reader }, { model: "Remark", id: "r0", list })
    }
  }
  for (const visitor of sight.visitors) listen(world, sight, visitor)
  Truth.catchUp(sight.truth, world)
}

const listen = (world: World, sight: Sight, visitor: Sight["visitors"][number]): void => {
  for (let count = 0; count < stepsMaxCount; count++) {
    const [node] = world.nodes.toSorted(
      (one, other) => (other.life?.appliedIndex ?? -1) - (one.life?.appliedIndex ?? -1)
    )
    if (node?.life === undefined) return
    const wasNew = visitor.position === undefined
    if (visitor.at === undefined) Attending.attend(world, sight, node, node.life, visitor)
    if (visitor.at === undefined) {
      // It may read nothing, or the nodes that are left cannot agree and have less than it has heard.
      if (wasNew || visitor.position !== undefined) return
      continue
    }
    Attending.hear(world, sight, visitor, { count: Number.MAX_SAFE_INTEGER, isBookmarked: true })
    if (visitor.at?.follower.isReady() === false) return
  }
  fail(`a reader does not come to the end of what it follows within ${stepsMaxCount} steps`)
}
