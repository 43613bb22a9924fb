/** A log in files whose beginning was compacted away, or that began anew behind a snapshot: what the next start finds. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type FileLogOptions, layerFile } from "../../src/EventStore/FileLog.ts"
import { readEntries } from "../../src/EventStore/FileLogReader.ts"
import type { LogWrite, Recovered } from "../../src/EventStore/LogEntry.ts"
import { emptyLogIndex, recoveredOf } from "../../src/EventStore/LogIndex.ts"
import { LogSpace } from "../../src/EventStore/LogSpace.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { emptyRecovery, readSegment, refusalOfChain } from "../../src/EventStore/Recovery.ts"
import { entries, entry, plain, readLeft } from "./logStoreContract.ts"

const freshOptions = (): FileLogOptions => {
  return { directory: mkdtempSync(join(tmpdir(), "lithair-compaction-")), segmentSizeBytes: 4096 }
}

/** Opens the log for `use`, then closes it. */
const during = <A, E>(options: FileLogOptions, use: Effect.Effect<A, E, LogStore | LogSpace>) =>
  Effect.provide(use, layerFile(options), { local: true })

const write = (...writes: ReadonlyArray<LogWrite>) => Effect.flatMap(LogStore, (log) => log.append(writes))
const append = (from: number, to: number, term = 1) => write({ entries: entries(from, to, term) })
const appendEach = (from: number, to: number, term = 1) =>
  Effect.forEach(entries(from, to, term), (one) => write({ entries: [one] }))
const mark = (index: number, term = 1) => write({ snapshot: { index, term }, entries: [] })
const compact = (throughIndex: number) => Effect.flatMap(LogSpace, (space) => space.compact({ throughIndex }))
const recovered = Effect.map(LogStore, (log) => log.recovered)
const tagOf = (options: FileLogOptions) => Effect.map(Effect.flip(during(options, recovered)), ({ _tag }) => _tag)

const segmentsOf = ({ directory }: FileLogOptions) =>
  readdirSync(directory)
    .filter((name) => name.endsWith(".log"))
    .sort()

describe("a compacted log in files (FORMAT.md)", () => {
  it.live("has its first index, the term before it, its runs and its snapshot when it is opened again (§7)", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      const firstIndex = yield* during(
        options,
        Effect.gen(function* () {
          yield* appendEach(1, 60, 1)
          yield* appendEach(61, 150, 3)
          yield* appendEach(151, 200, 4)
          yield* mark(150, 3)
          return yield* compact(150)
        })
      )
      assert.isAbove(firstIndex, 61)
      assert.isAtMost(firstIndex, 151)
      const expected: Recovered = {
        hardState: { currentTerm: 0, votedFor: undefined },
        firstIndex,
        lastIndex: 200,
        previousTerm: 3,
        snapshot: { index: 150, term: 3 },
        termRuns: [
          { fromIndex: firstIndex, term: 3 },
          { fromIndex: 151, term: 4 }
        ]
      }
      assert.deepStrictEqual(yield* during(options, recovered), expected)
      const left = yield* during(options, Effect.andThen(append(201, 203, 4), readLeft))
      assert.deepStrictEqual(plain(left), plain([...entries(firstIndex, 150, 3), ...entries(151, 203, 4)]))
    })
  })

  it.live("without any entries goes on after its end", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      yield* during(
        options,
        Effect.gen(function* () {
          yield* appendEach(1, 100, 2)
          // So large that the entry behind the snapshot is the first of its segment.
          yield* write({ entries: [entry(101, 2, "x".repeat(3900))] })
          yield* mark(100, 2)
          assert.strictEqual(yield* compact(100), 101)
        })
      )
      const found = yield* during(options, recovered)
      assert.deepStrictEqual(found.termRuns, [{ fromIndex: 101, term: 2 }])
      assert.deepStrictEqual([found.firstIndex, found.lastIndex, found.previousTerm], [101, 101, 2])
    })
  })

  it.live("keeps the segments whose entries a later one truncates, until that one can come first", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      yield* during(
        options,
        Effect.gen(function* () {
          yield* appendEach(1, 100)
          // The segment that removes entries 50 to 100 begins with one of them.
          yield* write({ truncateFromIndex: 50, entries: entries(50, 60, 2) })
          yield* appendEach(61, 200, 2)
          yield* mark(150, 2)
          assert.strictEqual(yield* compact(65), 1)
        })
      )
      const all = yield* during(options, readLeft)
      assert.deepStrictEqual(plain(all), plain([...entries(1, 49), ...entries(50, 200, 2)]))
      yield* during(options, compact(150))
      const left = yield* during(options, readLeft)
      assert.isAbove(left[0]!.index, 65)
      assert.deepStrictEqual(plain(left), plain(entries(left[0]!.index, 200, 2)))
    })
  })

  it.live("begun anew needs no segment before the one that says so, whatever that one truncated (§7)", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      yield* during(
        options,
        Effect.gen(function* () {
          yield* appendEach(1, 100)
          yield* write({ truncateFromIndex: 60, entries: entries(60, 61, 2) })
          yield* write({ truncateFromIndex: 50, hardState: { currentTerm: 7, votedFor: "c" }, entries: [] })
          yield* mark(40, 3)
        })
      )
      assert.lengthOf(segmentsOf(options), 1)
      assert.deepStrictEqual(yield* during(options, recovered), {
        hardState: { currentTerm: 7, votedFor: "c" },
        firstIndex: 41,
        lastIndex: 40,
        previousTerm: 3,
        snapshot: { index: 40, term: 3 },
        termRuns: []
      })
      const left = yield* during(options, Effect.andThen(append(41, 45, 7), readLeft))
      assert.deepStrictEqual(plain(left), plain(entries(41, 45, 7)))
      yield* during(options, mark(1000, 8))
      assert.strictEqual((yield* during(options, recovered)).firstIndex, 1001)
    })
  })

  it.live("is refused when a segment is missing that no mark stands for", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      yield* during(
        options,
        Effect.gen(function* () {
          yield* appendEach(1, 300)
          yield* mark(290)
          yield* compact(150)
        })
      )
      const [first = ""] = segmentsOf(options)
      assert.notStrictEqual(first, "000000000001.log")
      rmSync(join(options.directory, first))
      const failure = yield* Effect.flip(during(options, recovered))
      assert.strictEqual(failure._tag, "LogCorrupt")
      assert.include(failure.message, first)
    })
  })

  it.live("is refused when it begins with a later segment, and has no mark", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      yield* during(options, appendEach(1, 100))
      rmSync(join(options.directory, "000000000001.log"))
      assert.strictEqual(yield* tagOf(options), "LogCorrupt")
    })
  })

  it.live("is refused when the batch of its mark is lost, though that looks like a torn tail", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      let written = Buffer.alloc(0)
      let name = ""
      yield* during(
        options,
        Effect.gen(function* () {
          yield* appendEach(1, 100)
          yield* mark(90)
          yield* compact(80)
          name = segmentsOf(options).at(-1)!
          written = readFileSync(join(options.directory, name))
        })
      )
      // As kill -9 leaves it, without the mark of an orderly stop; and the last byte of the last batch is lost.
      written[written.findLastIndex((byte) => byte !== 0)] = 0
      writeFileSync(join(options.directory, name), written)
      assert.strictEqual(yield* tagOf(options), "LogCorrupt")
    })
  })

  it.live("of another cluster is refused, and one that names none belongs to any (C15)", () => {
    const options = freshOptions()
    const first = { ...options, clusterId: "cluster-a" }
    return Effect.gen(function* () {
      yield* during(options, append(1, 5))
      yield* during(first, appendEach(6, 100))
      assert.strictEqual((yield* during(first, recovered)).lastIndex, 100)
      assert.strictEqual((yield* during(options, recovered)).lastIndex, 100)
      assert.strictEqual(yield* tagOf({ ...options, clusterId: "cluster-b" }), "LogCorrupt")
      // Whoever opens it without the id writes segments of the same cluster all the same.
      yield* during(options, appendEach(101, 200))
      assert.strictEqual((yield* during(first, recovered)).lastIndex, 200)
    })
  })

  it.live("gives a reader entries while it is compacted, or says that they are gone", () => {
    const options = freshOptions()
    return during(
      options,
      Effect.gen(function* () {
        yield* appendEach(1, 300)
        yield* mark(300)
        const log = yield* LogStore
        const reading = Effect.gen(function* () {
          for (let fromIndex = 300; fromIndex > 0; fromIndex -= 7) {
            const read = yield* Effect.result(log.read({ fromIndex, toIndex: 300, maxBytes: 1 }))
            if (read._tag === "Success") assert.deepStrictEqual(plain(read.success), plain([entry(fromIndex)]))
            else assert.deepInclude(read.failure, { _tag: "LogFailed", reason: "compacted" })
          }
        })
        const compacting = Effect.forEach([50, 100, 150, 200, 250, 300], compact)
        yield* Effect.all([reading, compacting, reading], { concurrency: "unbounded" })
      })
    )
  })
})

it.live("a read whose segment is removed before it is opened says that the entries are gone", () => {
  const options = freshOptions()
  let looks = 0
  const held = {
    ...emptyLogIndex(),
    lastIndex: 10,
    anchors: [{ index: 1, segment: 1, offset: 128 }],
    get firstIndex() {
      return looks++ === 0 ? 1 : 11
    }
  }
  return Effect.gen(function* () {
    const reading = readEntries({ directory: options.directory, held }, { fromIndex: 1, toIndex: 10, maxBytes: 1 })
    assert.deepInclude(yield* Effect.flip(reading), { _tag: "LogFailed", reason: "compacted" })
  })
})

describe("damage to a log with snapshot marks (FORMAT.md)", { timeout: 60_000 }, () => {
  /** What the segments hold by their records alone; undefined when they are refused. */
  const stateOf = (segments: ReadonlyArray<Uint8Array>) => {
    const recovery = emptyRecovery("cluster-a")
    for (const [position, bytes] of segments.entries()) {
      if (readSegment(recovery, bytes, position === segments.length - 1)._tag === "Corrupt") return undefined
    }
    return refusalOfChain(recovery) === undefined ? JSON.stringify(recoveredOf(recovery.held)) : undefined
  }

  for (const [what, last] of [
    ["compaction", Effect.andThen(mark(70), compact(60))],
    ["restart", write({ snapshot: { index: 500, term: 4 }, entries: entries(501, 502, 5) })]
  ] as const) {
    it.live(`every flipped bit and every cut of a log that ends in a ${what} is refused`, () => {
      const options = { ...freshOptions(), clusterId: "cluster-a" }
      return Effect.gen(function* () {
        const files = () => segmentsOf(options).map((name) => readFileSync(join(options.directory, name)))
        const [before, after] = yield* during(
          options,
          Effect.gen(function* () {
            yield* appendEach(1, 90)
            const before = files()
            yield* last
            return [before, files()] as const
          })
        )
        const state = stateOf(after)
        assert.isDefined(state)
        assert.isDefined(stateOf(before))
        // Where the segments that a lost mark has removed are gone, there is no state before it.
        for (const [position, segment] of after.entries()) {
          const writtenBytes = segment.findLastIndex((byte) => byte !== 0) + 1
          const damaged = (bytes: Uint8Array) => stateOf(after.map((other, at) => (at === position ? bytes : other)))
          for (let bit = 0; bit < writtenBytes * 8; bit++) {
            const bytes = segment.slice()
            bytes[bit >> 3]! ^= 1 << (bit & 7)
            if (damaged(bytes) !== undefined) assert.fail(`bit ${bit} of segment ${position}`)
          }
          for (let length = 0; length < segment.length; length += 8) {
            if (damaged(segment.subarray(0, length)) !== undefined) assert.fail(`segment ${position} cut at ${length}`)
          }
          for (let offset = 0; offset < writtenBytes; offset += 8) {
            const found = damaged(segment.slice().fill(0, offset))
            if (found !== undefined && found !== state) assert.fail(`segment ${position} zeroed from ${offset}`)
          }
        }
      })
    })
  }
})
