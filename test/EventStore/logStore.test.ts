import { mkdtempSync, readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Random } from "effect"
import { TestClock } from "effect/testing"
import { Directory } from "../../src/EventStore/Directory.ts"
import { layerFile } from "../../src/EventStore/FileLog.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { crashDisk, layerMemory as layerDisk, makeMemoryDisk } from "../../src/EventStore/MemoryDirectory.ts"
import { layerMemory, layerMemoryOf, makeMemoryLog } from "../../src/EventStore/MemoryLog.ts"
import { entries, entry, logStoreContract, plain, readAll } from "./logStoreContract.ts"

const freshDirectory = () => mkdtempSync(join(tmpdir(), "lithair-log-"))

const onMemoryDisk = () => {
  const disk = makeMemoryDisk({ nodeId: "a", instanceId: "1" })
  return {
    disk,
    log: Layer.unwrap(Effect.map(Directory, ({ log }) => log("log"))).pipe(Layer.provide(layerDisk(disk)))
  }
}

logStoreContract("memory", () => layerMemory)
logStoreContract("memory of a disk that syncs", () => onMemoryDisk().log, { isKept: true })
logStoreContract("file", () => layerFile({ directory: freshDirectory(), segmentSizeBytes: 64 * 1024 }))
logStoreContract("file in the smallest segments", () =>
  layerFile({ directory: freshDirectory(), segmentSizeBytes: 4096 })
)

const reopened = {
  files: layerFile({ directory: freshDirectory(), segmentSizeBytes: 4096 }),
  memory: layerMemoryOf(makeMemoryLog())
}

for (const [where, log] of Object.entries(reopened)) {
  it.live(`the log in ${where}, opened again, holds the hard state, the entries and the terms that it held`, () =>
    Effect.gen(function* () {
      yield* Effect.gen(function* () {
        const { append } = yield* LogStore
        yield* append([{ hardState: { currentTerm: 2, votedFor: "a:8081" }, entries: entries(1, 100, 1) }])
        yield* append([{ truncateFromIndex: 61, hardState: { currentTerm: 3, votedFor: undefined }, entries: [] }])
        for (const one of entries(61, 200, 3)) yield* append([{ entries: [one] }])
      }).pipe(Effect.provide(log, { local: true }))
      yield* Effect.gen(function* () {
        const { recovered, append } = yield* LogStore
        assert.deepStrictEqual(recovered, {
          hardState: { currentTerm: 3, votedFor: undefined },
          firstIndex: 1,
          lastIndex: 200,
          termRuns: [
            { fromIndex: 1, term: 1 },
            { fromIndex: 61, term: 3 }
          ]
        })
        yield* append([{ entries: [entry(201, 3)] }])
        assert.deepStrictEqual(plain(yield* readAll), plain([...entries(1, 60, 1), ...entries(61, 201, 3)]))
      }).pipe(Effect.provide(log, { local: true }))
    })
  )
}

describe("the log in files", () => {
  it.live("takes an entry larger than a segment", () => {
    const directory = freshDirectory()
    const log = layerFile({ directory, segmentSizeBytes: 4096 })
    const large = entry(1, 1, "x".repeat(600_000))
    return Effect.gen(function* () {
      yield* Effect.gen(function* () {
        yield* (yield* LogStore).append([{ entries: [large, entry(2)] }])
      }).pipe(Effect.provide(log, { local: true }))
      const found = yield* readAll.pipe(Effect.provide(log, { local: true }))
      assert.deepStrictEqual(plain(found), plain([large, entry(2)]))
      assert.strictEqual(readdirSync(directory).length, 2)
    })
  })
})

describe("the log on a disk in memory", () => {
  it.effect("a crash loses of a batch that was not synced all, or its end, and nothing that was", () =>
    Effect.gen(function* () {
      const { disk, log } = onMemoryDisk()
      const lostCounts = new Set<number>()
      for (let durableCount = 0; lostCounts.size < 4; ) {
        const open = yield* Effect.map(Layer.build(log), (context) => Context.get(context, LogStore))
        assert.strictEqual(open.recovered.lastIndex, durableCount)
        const append = (indexes: ReadonlyArray<number>) =>
          Effect.forkChild(Effect.flip(open.append(indexes.map((index) => ({ entries: [entry(index)] })))))
        const synced = yield* append([durableCount + 1])
        yield* TestClock.adjust("10 millis")
        assert.isDefined(synced.pollUnsafe())
        const lost = yield* append([durableCount + 2, durableCount + 3, durableCount + 4])
        yield* Effect.yieldNow
        yield* crashDisk(disk)
        yield* TestClock.adjust("10 millis")
        assert.strictEqual((yield* Fiber.join(lost))._tag, "LogFailed")
        const left = disk.logs.log.entries.length
        lostCounts.add(durableCount + 4 - left)
        durableCount = left
      }
      assert.deepStrictEqual([...lostCounts].toSorted(), [0, 1, 2, 3])
    }).pipe(Effect.scoped, Random.withSeed("power"))
  )
})
