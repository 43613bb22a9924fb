/** Draws the readers of a simulated cluster with rules, and what they do next. It performs nothing. */
import type { Operation } from "../../Machine/Command.ts"
import type { Act } from "./Act.ts"
import { isServed } from "./Agreement.ts"
import type { Look } from "./Looks.ts"
import { markBegins, membershipIds, paperIds, type Ruled, type RuledModel, remarkIds, secretBegins } from "./Papers.ts"
import { below, isChosen, pick, type Random } from "./Random.ts"
import { kinds, teams, userIds } from "./RandomRules.ts"
import type { Sight, Visitor } from "./SightState.ts"
import * as Truth from "./SightTruth.ts"
import type { World } from "./World.ts"

/** The readers of a run, and what they follow. */
export const make = (ruled: Ruled, random: Random): Sight => ({
  truth: Truth.make(ruled),
  visitors: ruled.readers.map(
    (reader): Visitor => ({
      reader,
      models: pick<ReadonlyArray<RuledModel>>(random, [["Paper"], ["Remark"], ["Paper", "Remark"]]),
      query: drawList(random),
      position: undefined,
      picture: new Map(),
      at: undefined
    })
  ),
  counts: { visits: 0, refusals: 0, looks: 0, told: 0, left: 0, startsOver: 0, moves: 0, pages: 0 }
})

const drawList = (random: Random): Look["list"] => {
  const direction = pick(random, ["asc", "desc"] as const)
  return {
    filters: isChosen(random, 0.5) ? [] : [{ _tag: "In", field: "kind", operands: [pick(random, kinds), "k0"] }],
    orderBy: [
      { field: pick(random, ["kind", "id"]), direction },
      { field: "id", direction: "asc" }
    ],
    limit: 1 + below(random, 8)
  }
}

/** What some reader does between two other acts, if anybody does something. */
export const drawSight = (world: World, random: Random): Act | undefined => {
  const { sight } = world
  if (sight === undefined || !isChosen(random, 0.15)) return undefined
  const served = world.nodes.filter(({ life }) => life !== undefined && isServed(life))
  // Mostly through a node that may succeed.
  const { id: node } = pick(random, served.length > 0 && isChosen(random, 0.8) ? served : world.nodes)
  const visitor = below(random, sight.visitors.length)
  const chance = random()
  if (chance < 0.4) return drawVisit(random, visitor, node)
  if (chance < 0.5) {
    const model = pick<RuledModel>(random, ["Paper", "Paper", "Remark"])
    const id = pick(random, model === "Paper" ? paperIds : remarkIds)
    return { _tag: "Look", visitor, node, look: { model, id, list: drawList(random) } }
  }
  const { at } = sight.visitors[visitor]!
  const isThere = at !== undefined && world.nodes.some(({ life }) => life === at.served.life)
  if (chance < 0.53 || !isThere) return { _tag: "Attend", visitor, node }
  const count = isChosen(random, 0.1) ? below(random, 3) : Number.MAX_SAFE_INTEGER
  return { _tag: "Hear", visitor, count, isBookmarked: isChosen(random, 0.3) }
}

const drawVisit = (random: Random, visitor: number, node: string): Act => {
  const isSystem = isChosen(random, 0.35)
  const count = isChosen(random, 0.2) ? 2 + below(random, 2) : 1
  const operations = Array.from({ length: count }, () => drawOperation(random, isSystem))
  return { _tag: "Visit", node, visit: { by: isSystem ? undefined : visitor, operations } }
}

const drawOperation = (random: Random, isSystem: boolean): Operation => {
  if (isSystem && isChosen(random, 0.4)) {
    const at = { model: "Membership", id: pick(random, membershipIds) }
    return isChosen(random, 0.5)
      ? { _tag: "Put", ...at, data: { userId: pick(random, userIds), team: pick(random, teams) } }
      : { _tag: "Delete", ...at }
  }
  const isPaper = isChosen(random, 0.7)
  const model = isPaper ? "Paper" : "Remark"
  const id = pick(random, isPaper ? paperIds : remarkIds)
  const ifMatch = isChosen(random, 0.2) ? { ifMatch: [1 + below(random, 4)] } : {}
  const data = isPaper ? drawPaper(random, isSystem) : drawRemark(random)
  switch (pick(random, ["Create", "Create", "Put", "Patch", "Patch", "Delete"] as const)) {
    case "Create":
      return { _tag: "Create", model, id, data }
    case "Put":
      return { _tag: "Put", model, id, data, ...ifMatch }
    case "Patch": {
      const fields = Object.entries(data)
      return {
        _tag: "Patch",
        model,
        id,
        data: Object.fromEntries([pick(random, fields), pick(random, fields)]),
        ...ifMatch
      }
    }
    case "Delete":
      return { _tag: "Delete", model, id, ...ifMatch }
  }
}

const drawPaper = (random: Random, isSystem: boolean): Readonly<Record<string, string | number | null>> => ({
  team: pick(random, [...teams, null]),
  kind: pick(random, kinds),
  n: below(random, 100),
  ...(isChosen(random, 0.3) ? { code: `c${below(random, 4)}` } : {}),
  ...(isSystem
    ? {
        ownerId: pick(random, [...userIds, null]),
        secret: `${secretBegins}${below(random, 9)}`,
        mark: `${markBegins}${below(random, 9)}`
      }
    : {}),
  ...(!isSystem && isChosen(random, 0.2) ? { mark: `${markBegins}${below(random, 9)}` } : {})
})

const drawRemark = (random: Random): Readonly<Record<string, string | null>> => ({
  team: pick(random, [...teams, null]),
  kind: pick(random, kinds),
  paperId: pick(random, paperIds),
  seeId: pick(random, [null, null, ...paperIds])
})
