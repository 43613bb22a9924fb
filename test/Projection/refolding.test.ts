/** When a node folds its projections again after an erasure, and when it holds the erasure up: real feeds, projections that only count. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import * as Feed from "../../src/Cluster/Feed.ts"
import { derivedInMemory } from "../../src/EventStore/DerivedFiles.ts"
import type { HistoryRange } from "../../src/EventStore/History.ts"
import type { Erasures } from "../../src/Machine/Erasure.ts"
import type { Restored } from "../../src/Machine/Restored.ts"
import * as Refolding from "../../src/Projection/Refolding.ts"
import * as RaftLog from "../../src/Raft/core/RaftLog.ts"

/** A feed of the entries of `history`, and of those from 101 to 110 in the log. */
const feedOf = (history: HistoryRange, restored?: Restored) => {
  const { feed, open } = Feed.make()
  open({
    log: RaftLog.fromRecovered({
      hardState: { currentTerm: 1, votedFor: undefined },
      firstIndex: 101,
      lastIndex: 110,
      previousTerm: 1,
      termRuns: [{ fromIndex: 101, term: 1 }]
    }),
    firstIndex: () => 101,
    history: () => [history],
    retainedFrom: () => 0,
    restored: () => restored,
    appliedIndex: () => 110,
    erasures: () => erasures,
    read: () => Effect.succeed([])
  })
  return feed
}

/** Entry 105 erased a user. */
const erasures: Erasures = {
  lastIndex: 105,
  erasedAt: (model, id) => (model === "User" && id === "ann" ? 105 : 0),
  erasedOf: (model) => new Map(model === "User" ? [["ann", 105]] : []),
  isErasedId: (id, index) => id === "ann" && index < 105
}

/** Erases with this feed, and returns how often the projection began, and through which erasure it is folded. */
const erased = (feed: Feed.Feed) =>
  Effect.gen(function* () {
    let startsCount = 0
    const start = Effect.sync(() => {
      startsCount += 1
    })
    const projections = [{ name: "users", models: ["User"], start, remove: Effect.void }]
    const part = yield* Refolding.make({ projections, files: derivedInMemory(), feed })
    const exit = yield* Effect.exit(part.erase(105, erasures))
    return { isErased: Exit.isSuccess(exit), startsCount, throughIndex: part.erasedThrough() }
  })

describe("an erasure, where projections follow the model", () => {
  it.effect("folds them again where all of the history is here", () =>
    Effect.gen(function* () {
      const found = yield* erased(feedOf({ fromIndex: 1, toIndex: 100 }))
      assert.deepStrictEqual(found, { isErased: true, startsCount: 2, throughIndex: 105 })
    })
  )

  it.effect("folds them again behind a restore, whose first entry has a greater index than 1", () =>
    Effect.gen(function* () {
      const history = { firstIndex: 98, lastIndex: 100 }
      const restored = { versionFloor: 100, formerClusterIds: [], history }
      const found = yield* erased(feedOf({ fromIndex: 98, toIndex: 100 }, restored))
      assert.deepStrictEqual(found, { isErased: true, startsCount: 2, throughIndex: 105 })
    })
  )

  it.effect("waits where the node lacks the beginning of the history", () =>
    Effect.gen(function* () {
      const found = yield* erased(feedOf({ fromIndex: 2, toIndex: 100 }))
      assert.deepStrictEqual(found, { isErased: false, startsCount: 1, throughIndex: 0 })
    })
  )
})
