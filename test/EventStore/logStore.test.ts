import { mkdtempSync, readdirSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { layerFile } from "../../src/EventStore/FileLog.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { layerMemory } from "../../src/EventStore/MemoryLog.ts"
import { entries, entry, logStoreContract, plain, readAll } from "./logStoreContract.ts"

const freshDirectory = () => mkdtempSync(join(tmpdir(), "lithair-log-"))

logStoreContract("memory", () => layerMemory)
logStoreContract("file", () => layerFile({ directory: freshDirectory(), segmentSizeBytes: 64 * 1024 }))
logStoreContract("file in the smallest segments", () =>
  layerFile({ directory: freshDirectory(), segmentSizeBytes: 4096 })
)

describe("the log in files, opened again", () => {
  it.live("holds the hard state, the entries and the terms that it held", () => {
    const log = layerFile({ directory: freshDirectory(), segmentSizeBytes: 4096 })
    return Effect.gen(function* () {
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
  })

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
