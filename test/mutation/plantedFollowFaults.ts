/**
 * Faults of a line or so in live queries and in streams of changes, each of which runs of followers
 * (test/Testing/FollowRun.ts) must find within `seedsCount` seeds. A list, and no more: plantedFaults.test.ts plants them
 * one by one in the sources.
 */
import type { PlantedFault } from "./plantedFaults.ts"

export const plantedFollowFaults: ReadonlyArray<PlantedFault> = [
  {
    name: "a window that is used up is not listed again",
    breaks: "live equals list",
    seedsCount: 6,
    file: "src/Live/Engine.ts",
    find: `if (lists.has(query) || Window.mustList(query.window)) listAgain(model, query)`,
    replace: `if (lists.has(query)) listAgain(model, query)`
  },
  {
    name: "a record that leaves its bucket stays in the page",
    breaks: "live equals list",
    seedsCount: 6,
    file: "src/Live/Concerned.ts",
    find: `const found = new Set(holders.get(id))`,
    replace: `const found = new Set(row === undefined ? holders.get(id) : [])`
  },
  {
    name: "a page that only gets or loses a next one is not told again",
    breaks: "live equals list",
    fromSeed: 5,
    seedsCount: 6,
    file: "src/Live/Update.ts",
    find: ` &&
  (left.lastKey === undefined) === (right.lastKey === undefined)`,
    replace: ``
  },
  {
    name: "a live query that moves does not wait for its last index",
    breaks: "a list never goes back",
    seedsCount: 20,
    file: "src/Live/LiveQueries.ts",
    find: `    if (!isOfNode && minIndex > 0) yield* freshen({ _tag: "Session", minIndex })
`,
    replace: ``
  },
  {
    name: "the last change of a position is told again",
    breaks: "each change once",
    seedsCount: 6,
    file: "src/Changes/Change.ts",
    find: `position.ordinal! + 1 : 0`,
    replace: `position.ordinal! : 0`
  },
  {
    name: "a step that ends within an entry counts all of it as told",
    breaks: "each change once",
    seedsCount: 6,
    file: "src/Changes/Change.ts",
    find: `if (changes.length === maxCount) return Result.succeed({ changes, position })`,
    replace: `if (changes.length === maxCount) return Result.succeed({ changes, position: { index, ...within } })`
  },
  {
    name: "a first state that breaks off does not tell what changed of it since",
    breaks: "a first state",
    seedsCount: 20,
    file: "src/Changes/Change.ts",
    find: `if (shown !== undefined && !isUpTo(event, shown)) continue`,
    replace: `if (shown !== undefined) continue`
  }
]
