/** The feed of what is applied, held against the log that it reads. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import * as Feed from "../../src/Cluster/Feed.ts"
import { layerFile } from "../../src/EventStore/FileLog.ts"
import { History } from "../../src/EventStore/History.ts"
import { layerMemory as layerHistory } from "../../src/EventStore/HistoryFiles.ts"
import * as KeptLog from "../../src/EventStore/KeptLog.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { layerMemory } from "../../src/EventStore/MemoryLog.ts"
import { erasuresOf } from "../../src/Machine/Erasure.ts"
import * as RaftLog from "../../src/Raft/core/RaftLog.ts"
import { Product } from "../Machine/Store.ts"
import { playNode } from "../Projection/PlayedNode.ts"

const layerSmallFiles = Layer.unwrap(
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-feed-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    ),
    (directory) => layerFile({ directory, segmentSizeBytes: 4096 })
  )
)

const create = (price: number) => ({ _tag: "Create", model: "Product", data: { price } }) as const

/** Everything that is applied, page by page. */
const readAll = Effect.fnUntraced(function* (feed: Feed.Feed, maxBytes: number) {
  const found: Array<number | undefined> = []
  while (found.length < feed.appliedIndex()) {
    for (const { index, transaction } of yield* feed.read({ fromIndex: found.length + 1, maxBytes })) {
      assert.strictEqual(index, found.length + 1)
      found.push(transaction?.events[0]?.data.price as number | undefined)
    }
  }
  return found
})

for (const [name, log] of [
  ["in memory", layerMemory],
  ["in small files", layerSmallFiles]
] as const) {
  describe(`the feed of a log ${name}`, () => {
    it.live("gives every entry once, in order, from memory and from the log alike", () =>
      Effect.gen(function* () {
        const node = yield* playNode([Product])
        const prices: Array<number | undefined> = []
        for (let at = 0; at < 100; at++) {
          const isNoop = at % 10 === 0
          yield* isNoop ? node.lead : node.write(create(at))
          prices.push(isNoop ? undefined : at)
        }
        yield* node.apply()
        for (const isWarm of [true, false]) {
          for (const maxBytes of [1, 1_000, 1_000_000]) {
            assert.deepStrictEqual(yield* readAll(node.start({ isWarm }), maxBytes), prices)
          }
        }
      }).pipe(Effect.provide(log))
    )

    it.live("gives nothing past what is applied, and wakes whoever waits for more", () =>
      Effect.gen(function* () {
        const node = yield* playNode([Product])
        for (const price of [1, 2, 3]) yield* node.write(create(price))
        for (const isWarm of [true, false]) {
          yield* node.apply(0)
          const feed = node.start({ isWarm })
          const indexes = (fromIndex: number) =>
            Effect.map(feed.read({ fromIndex, maxBytes: 1_000 }), (found) => found.map(({ index }) => index))
          const waiting = yield* Effect.forkChild(indexes(2), { startImmediately: true })
          const far = yield* Effect.forkChild(feed.applied(3), { startImmediately: true })
          yield* node.apply(1)
          yield* Effect.yieldNow
          assert.isUndefined(waiting.pollUnsafe())
          assert.deepStrictEqual(yield* indexes(1), [1])
          yield* node.apply(2)
          assert.deepStrictEqual(yield* Fiber.join(waiting), [2])
          assert.isUndefined(far.pollUnsafe())
          yield* node.apply()
          yield* Fiber.join(far)
          assert.deepStrictEqual(yield* indexes(1), [1, 2, 3])
        }
      }).pipe(Effect.provide(log))
    )

    it.live("says that entries are not here any more, once a snapshot stands for them (§7)", () =>
      Effect.gen(function* () {
        const node = yield* playNode([Product])
        for (let price = 0; price < 100; price++) yield* node.write(create(price))
        yield* node.apply()
        yield* node.compact(90)
        const feed = node.start({ isWarm: true })
        const failure = yield* Effect.flip(feed.read({ fromIndex: 1, maxBytes: 1 }))
        assert.deepInclude(failure, { _tag: "LogFailed", reason: "compacted" })
        const [entry] = yield* feed.read({ fromIndex: 91, maxBytes: 1 })
        assert.strictEqual(entry?.index, 91)
      }).pipe(Effect.provide(log))
    )

    it.live("reaches back into the history, and says from where on it is whole", () =>
      Effect.gen(function* () {
        const node = yield* playNode([Product])
        const history = yield* History
        const prices = Array.from({ length: 100 }, (_, at) => at)
        for (const price of prices) yield* node.write(create(price))
        yield* node.apply()
        for (const throughIndex of [30, 60, 90]) yield* node.compact(throughIndex)
        assert.isAbove(history.ranges()[0]?.toIndex ?? 0, 60)
        for (const isWarm of [true, false]) {
          const feed = node.start({ isWarm })
          assert.strictEqual(feed.oldestIndex(), 1)
          for (const maxBytes of [1, 1_000, 1_000_000]) assert.deepStrictEqual(yield* readAll(feed, maxBytes), prices)
        }
        const feed = node.start({ isWarm: true })
        yield* history.removeBelow(60)
        const oldestIndex = feed.oldestIndex()
        assert.isAbove(oldestIndex, 1)
        const failure = yield* Effect.flip(feed.read({ fromIndex: oldestIndex - 1, maxBytes: 1 }))
        assert.deepInclude(failure, { _tag: "LogFailed", reason: "compacted" })
        assert.isUndefined(yield* feed.entry(oldestIndex - 1))
        assert.strictEqual((yield* feed.entry(oldestIndex))?.index, oldestIndex)
      }).pipe(Effect.provide(KeptLog.layer(log, layerHistory)))
    )

    it.live("gives nothing that an installed snapshot replaces, though the disk holds it still (§7)", () =>
      Effect.gen(function* () {
        const node = yield* playNode([Product])
        for (let price = 0; price < 100; price++) yield* node.write(create(price))
        yield* node.apply(10)
        // The leader's snapshot reaches to 90: what is here from 11 on was never committed.
        const store = yield* LogStore
        const replaced = RaftLog.fromRecovered(store.recovered)
        RaftLog.startAfter(replaced, { index: 90, term: 2 }, 10)
        const { feed, open } = Feed.make()
        open({
          log: replaced,
          read: store.read,
          firstIndex: () => 1,
          history: () => [],
          retainedFrom: () => 0,
          erasures: () => erasuresOf({ byModel: new Map() }),
          restored: () => undefined,
          appliedIndex: () => 90
        })
        const failure = yield* Effect.flip(feed.read({ fromIndex: 11, maxBytes: 1_000 }))
        assert.deepInclude(failure, { _tag: "LogFailed", reason: "compacted" })
      }).pipe(Effect.provide(log))
    )
  })
}
