/** The history of a log: kept by compaction, read back whole, damaged, retained; and a log with its history behind it. */
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Logger } from "effect"
import { layerFile as layerLog } from "../../src/EventStore/FileLog.ts"
import { History } from "../../src/EventStore/History.ts"
import * as HistoryFiles from "../../src/EventStore/HistoryFiles.ts"
import { historyName, parseHistoryName } from "../../src/EventStore/HistoryFormat.ts"
import * as KeptLog from "../../src/EventStore/KeptLog.ts"
import type { LogEntry } from "../../src/EventStore/LogEntry.ts"
import { LogSpace } from "../../src/EventStore/LogSpace.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { layerMemory as layerMemoryLog } from "../../src/EventStore/MemoryLog.ts"
import { filesInMemory } from "../../src/EventStore/NamedFiles.ts"
import { entries, entry, plain } from "./logStoreContract.ts"

const freshDirectory = () => mkdtempSync(join(tmpdir(), "lithair-history-"))

/** Gives entries of a list, as a log does. */
const from =
  (list: ReadonlyArray<LogEntry>): LogStore["Service"]["read"] =>
  ({ fromIndex, maxBytes, toIndex }) =>
    Effect.sync(() => {
      const found: Array<LogEntry> = []
      let bytes = 0
      for (const one of list) {
        if (one.index < fromIndex || one.index > toIndex) continue
        bytes += one.payload.length
        if (found.length > 0 && bytes > maxBytes) break
        found.push(one)
      }
      return found
    })

const readAll = (fromIndex: number, toIndex: number, maxBytes = 1_000) =>
  Effect.gen(function* () {
    const history = yield* History
    const found: Array<LogEntry> = []
    while (fromIndex + found.length <= toIndex) {
      const page = yield* history.read({ fromIndex: fromIndex + found.length, toIndex, maxBytes })
      assert.isAbove(page.length, 0)
      found.push(...page)
    }
    return plain(found)
  })

const reasonOf = (index: number) =>
  Effect.gen(function* () {
    const history = yield* History
    const failure = yield* Effect.flip(history.read({ fromIndex: index, toIndex: index, maxBytes: 1 }))
    return failure._tag === "LogFailed" ? failure.reason : failure._tag
  })

/** Entries of many sizes: some fill a block by themselves. */
const sizes = (count: number): ReadonlyArray<LogEntry> =>
  Array.from({ length: count }, (_, at) => {
    const bytes = [0, 10, 300, 20_000, 70_000][at % 5]!
    const payload = Uint8Array.from({ length: bytes }, (_, byte) => (byte * 7 + at) % 251)
    return { index: at + 1, term: 1 + Math.floor(at / 10), type: (["transaction", "noop"] as const)[at % 2]!, payload }
  })

for (const [name, layer] of [
  ["in memory", () => HistoryFiles.layerMemory],
  ["in files", () => HistoryFiles.layerFile({ directory: freshDirectory() })]
] as const) {
  describe(`History contract: ${name}`, () => {
    it.live("gives back what it keeps, unchanged and in order, in pages of any size", () =>
      Effect.gen(function* () {
        const history = yield* History
        const list = sizes(80)
        yield* history.keep({ fromIndex: 1, toIndex: 80 }, from(list))
        assert.deepStrictEqual(history.ranges(), [{ fromIndex: 1, toIndex: 80 }])
        for (const maxBytes of [0, 1_000, 100_000, 100_000_000]) {
          assert.deepStrictEqual(yield* readAll(1, 80, maxBytes), plain(list))
        }
        assert.deepStrictEqual(yield* readAll(57, 60), plain(list.slice(56, 60)))
        assert.strictEqual(yield* reasonOf(81), "compacted")
      }).pipe(Effect.provide(layer()))
    )

    it.live("keeps only what it lacks, and knows its gaps", () =>
      Effect.gen(function* () {
        const history = yield* History
        yield* history.keep({ fromIndex: 1, toIndex: 10 }, from(entries(1, 10)))
        yield* history.keep({ fromIndex: 30, toIndex: 40 }, from(entries(30, 40)))
        assert.deepStrictEqual(history.ranges(), [
          { fromIndex: 1, toIndex: 10 },
          { fromIndex: 30, toIndex: 40 }
        ])
        assert.strictEqual(yield* reasonOf(11), "compacted")
        // Other entries where some are here: those are not read.
        const others = [...entries(5, 10, 9), ...entries(11, 29), ...entries(30, 40, 9), ...entries(41, 50)]
        yield* history.keep({ fromIndex: 5, toIndex: 50 }, from(others))
        assert.deepStrictEqual(history.ranges(), [{ fromIndex: 1, toIndex: 50 }])
        assert.deepStrictEqual(yield* readAll(1, 50), plain(entries(1, 50)))
      }).pipe(Effect.provide(layer()))
    )

    it.live("removes whole files below an index, the oldest first", () =>
      Effect.gen(function* () {
        const history = yield* History
        for (const at of [1, 11, 21]) yield* history.keep({ fromIndex: at, toIndex: at + 9 }, from(entries(at, at + 9)))
        assert.strictEqual(history.files().length, 3)
        yield* history.removeBelow(20)
        assert.deepStrictEqual(history.ranges(), [{ fromIndex: 11, toIndex: 30 }])
        assert.strictEqual(history.files().length, 2)
        yield* history.removeBelow(1_000)
        assert.deepStrictEqual(history.ranges(), [])
        assert.deepStrictEqual(history.files(), [])
      }).pipe(Effect.provide(layer()))
    )

    it.live("keeps nothing of a range that cannot be read to its end", () =>
      Effect.gen(function* () {
        const history = yield* History
        const failure = yield* Effect.flip(history.keep({ fromIndex: 1, toIndex: 20 }, from(entries(1, 10))))
        assert.strictEqual(failure._tag, "LogFailed")
        assert.deepStrictEqual(history.ranges(), [])
        yield* history.keep({ fromIndex: 1, toIndex: 20 }, from(entries(1, 20)))
        assert.deepStrictEqual(yield* readAll(1, 20), plain(entries(1, 20)))
      }).pipe(Effect.provide(layer()))
    )
  })
}

describe("history in files", { timeout: 60_000 }, () => {
  const kept = (directory: string, list: ReadonlyArray<LogEntry>) =>
    Effect.flatMap(History, (history) =>
      history.keep({ fromIndex: list[0]!.index, toIndex: list.at(-1)!.index }, from(list))
    ).pipe(Effect.provide(HistoryFiles.layerFile({ directory }), { local: true }))

  it.live("is found by its names alone, compressed, and without what a crash left", () =>
    Effect.gen(function* () {
      const directory = freshDirectory()
      const list = Array.from({ length: 5_000 }, (_, at) =>
        entry(
          at + 1,
          1,
          JSON.stringify({ model: "Product", id: `id-${at}`, price: at * 3, title: "a product's title" })
        )
      )
      yield* kept(directory, list)
      const [name = ""] = readdirSync(directory)
      const raw = list.reduce((sum, { payload }) => sum + payload.length, 0)
      assert.isBelow(readFileSync(join(directory, name)).length, raw / 2)
      writeFileSync(join(directory, "77.tmp"), "half")
      writeFileSync(join(directory, "notes.txt"), "an operator's")
      yield* Effect.gen(function* () {
        const history = yield* History
        assert.deepStrictEqual(history.ranges(), [{ fromIndex: 1, toIndex: 5_000 }])
        assert.deepStrictEqual(readdirSync(directory).sort(), [name, "notes.txt"])
        assert.deepStrictEqual(yield* readAll(4_990, 5_000), plain(list.slice(4_989)))
      }).pipe(Effect.provide(HistoryFiles.layerFile({ directory })))
    })
  )

  it.live("every flipped bit and every cut is found, and then the entries count as missing", () =>
    Effect.gen(function* () {
      const directory = freshDirectory()
      const list = [...entries(1, 6), { ...entry(7), payload: new Uint8Array(300) }]
      yield* kept(directory, list)
      const [name = ""] = readdirSync(directory)
      const path = join(directory, name)
      const whole = readFileSync(path)
      /** The log tells it when a file is found damaged, and names nothing else. */
      let found = Deferred.makeUnsafe<void>()
      const check = (bytes: Uint8Array, what: string) =>
        Effect.gen(function* () {
          rmSync(`${path}.damaged`, { force: true })
          writeFileSync(path, bytes)
          const history = yield* History
          assert.strictEqual(history.ranges().length, 1)
          found = yield* Deferred.make<void>()
          const scrubbing = yield* Effect.forkChild(history.scrub, { startImmediately: true })
          yield* Effect.timeout(Deferred.await(found), "20 seconds")
          assert.deepStrictEqual(history.ranges(), [], what)
          assert.strictEqual(yield* reasonOf(1), "compacted", what)
          // It can be fetched again, once the damaged file is aside.
          yield* history.keep({ fromIndex: 1, toIndex: 7 }, from(list))
          yield* Fiber.interrupt(scrubbing)
          assert.include(readdirSync(directory), `${name}.damaged`, what)
          assert.deepStrictEqual(yield* readAll(1, 7), plain(list))
        }).pipe(
          Effect.provide(HistoryFiles.layerFile({ directory, scrubPauseMs: 1 }), { local: true }),
          Effect.provide(Logger.layer([Logger.make(() => Deferred.doneUnsafe(found, Effect.void))]))
        )
      for (let bit = 0; bit < whole.length * 8; bit += 5) {
        const bytes = Uint8Array.from(whole)
        bytes[bit >> 3]! ^= 1 << (bit & 7)
        yield* check(bytes, `bit ${bit}`)
      }
      for (let length = 0; length < whole.length; length += 13)
        yield* check(whole.subarray(0, length), `cut at ${length}`)
      yield* check(Buffer.concat([whole, new Uint8Array(8)]), "longer")
    })
  )

  it.live("says that entries are missing whose file was removed, and gives the others", () =>
    Effect.gen(function* () {
      const directory = freshDirectory()
      yield* kept(directory, entries(1, 10))
      yield* kept(directory, entries(11, 20))
      yield* Effect.gen(function* () {
        const history = yield* History
        const [first = ""] = readdirSync(directory).sort()
        renameSync(join(directory, first), join(directory, "elsewhere"))
        assert.strictEqual(yield* reasonOf(3), "compacted")
        assert.deepStrictEqual(history.ranges(), [{ fromIndex: 11, toIndex: 20 }])
        assert.deepStrictEqual(yield* readAll(11, 20), plain(entries(11, 20)))
      }).pipe(Effect.provide(HistoryFiles.layerFile({ directory })))
    })
  )

  it("names give back their file, and no other name does", () => {
    const file = { fromIndex: 1, toIndex: 9_007_199_254_740_991, fileBytes: 5 }
    assert.deepStrictEqual(parseHistoryName(historyName(file)), file)
    for (const name of ["", "x.history", historyName({ ...file, fromIndex: 0 }), `${historyName(file)}.damaged`]) {
      assert.isUndefined(parseHistoryName(name))
    }
  })
})

for (const [name, layer] of [
  ["in memory", () => KeptLog.layer(layerMemoryLog, HistoryFiles.layerOf(filesInMemory()))],
  [
    "in small files",
    () => {
      const directory = freshDirectory()
      return KeptLog.layer(
        layerLog({ directory: `${directory}/log`, segmentSizeBytes: 4096 }),
        HistoryFiles.layerFile({ directory: `${directory}/history` })
      )
    }
  ]
] as const) {
  describe(`a log with its history, ${name}`, () => {
    const readFrom = (fromIndex: number, toIndex: number) =>
      Effect.gen(function* () {
        const log = yield* LogStore
        const found: Array<LogEntry> = []
        while (fromIndex + found.length <= toIndex) {
          const page = yield* log.read({ fromIndex: fromIndex + found.length, toIndex, maxBytes: 100 })
          assert.isAbove(page.length, 0)
          found.push(...page)
        }
        return plain(found)
      })
    const write = (from: number, to: number, term = 1) =>
      Effect.flatMap(LogStore, (log) =>
        Effect.forEach(entries(from, to, term), (one) => log.append([{ entries: [one] }]), { discard: true })
      )
    const mark = (index: number, term = 1) =>
      Effect.flatMap(LogStore, (log) => log.append([{ snapshot: { index, term }, entries: [] }]))

    it.live("reads every entry from the first on, however often it was compacted", () =>
      Effect.gen(function* () {
        const space = yield* LogSpace
        const history = yield* History
        for (const to of [100, 200, 300, 400]) {
          yield* write(to - 99, to)
          yield* mark(to - 10)
          yield* space.compact({ throughIndex: to - 20 })
          assert.isAbove(space.firstIndex(), to - 80)
          assert.deepStrictEqual(history.ranges(), [{ fromIndex: 1, toIndex: space.firstIndex() - 1 }])
          assert.deepStrictEqual(yield* readFrom(1, to), plain(entries(1, to)))
        }
      }).pipe(Effect.provide(layer()))
    )

    it.live("never keeps what a truncation removed (§5.3)", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        const space = yield* LogSpace
        yield* write(1, 100)
        yield* log.append([{ truncateFromIndex: 61, entries: entries(61, 150, 2) }])
        yield* mark(140, 2)
        yield* space.compact({ throughIndex: 140 })
        assert.deepStrictEqual(yield* readFrom(1, 150), plain([...entries(1, 60), ...entries(61, 150, 2)]))
      }).pipe(Effect.provide(layer()))
    )

    it.live("keeps what is committed before a snapshot replaces the log, and nothing else of it (§7)", () =>
      Effect.gen(function* () {
        const log = yield* LogStore
        const space = yield* LogSpace
        const history = yield* History
        yield* write(1, 100)
        yield* space.keep({ throughIndex: 70 })
        yield* log.append([{ snapshot: { index: 500, term: 3 }, entries: entries(501, 510, 3) }])
        assert.deepStrictEqual(history.ranges(), [{ fromIndex: 1, toIndex: 70 }])
        assert.deepStrictEqual(yield* readFrom(1, 70), plain(entries(1, 70)))
        const failure = yield* Effect.flip(log.read({ fromIndex: 71, toIndex: 600, maxBytes: 1 }))
        assert.deepInclude(failure, { _tag: "LogFailed", reason: "compacted" })
        assert.deepStrictEqual(yield* readFrom(501, 510), plain(entries(501, 510, 3)))
      }).pipe(Effect.provide(layer()))
    )

    it.live("gives readers every entry while it is compacted", () =>
      Effect.gen(function* () {
        const space = yield* LogSpace
        yield* write(1, 300)
        yield* mark(300)
        const reading = Effect.gen(function* () {
          for (let round = 0; round < 5; round++)
            assert.deepStrictEqual(yield* readFrom(1, 300), plain(entries(1, 300)))
        })
        const compacting = Effect.forEach([50, 100, 150, 200, 250, 300], (throughIndex) =>
          space.compact({ throughIndex })
        )
        yield* Effect.all([reading, compacting, reading], { concurrency: "unbounded" })
        assert.isAbove(space.firstIndex(), 200)
      }).pipe(Effect.provide(layer()))
    )
  })
}
