/** The next segment, prepared before it is needed, and a disk that has no room for it. */
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { type FileLogOptions, layerFile } from "../../src/EventStore/FileLog.ts"
import { FileSystem } from "../../src/EventStore/FileSystem.ts"
import { LogSpace } from "../../src/EventStore/LogSpace.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { faults, record, recorded, stop } from "./Disk.ts"
import { entries, entry, plain, readAll } from "./logStoreContract.ts"

const NEXT = "next.segment"
const SECOND = "000000000002.log"

const freshOptions = (segmentSizeBytes = 4096): FileLogOptions => {
  return { directory: mkdtempSync(join(tmpdir(), "lithair-next-")), segmentSizeBytes }
}

const during = <A, E>(options: FileLogOptions, use: Effect.Effect<A, E, LogStore | LogSpace>) =>
  Effect.provide(use, layerFile(options), { local: true }).pipe(Effect.provideService(FileSystem, recorded))

const append = (from: number, to: number) =>
  Effect.flatMap(LogStore, (log) => log.append([{ entries: entries(from, to) }]))

const room = Effect.flatMap(LogSpace, (space) => Effect.map(space.room, ({ _tag }) => _tag))

/** Waits for real input and output, which no clock drives; the test's own limit is the bound. */
const until = <E, R>(condition: Effect.Effect<boolean, E, R>) =>
  Effect.gen(function* () {
    while (!(yield* condition)) yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
  })

const isThere = ({ directory }: FileLogOptions, name: string, sizeBytes: number) =>
  Effect.sync(() => readdirSync(directory).includes(name) && statSync(join(directory, name)).size === sizeBytes)

/** No byte is taken by the next segment, as on a full disk; the one in use is written all the same. */
const full = <A, E, R>(use: Effect.Effect<A, E, R>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      faults.write = (path) => (path.endsWith(NEXT) ? "ENOSPC" : undefined)
    }),
    () => use,
    () => roomAgain
  )
const roomAgain = Effect.sync(() => {
  faults.write = undefined
})

describe("the next segment", () => {
  it.live("is prepared once the one in use is half full, and entered without being filled then", () => {
    const sizeBytes = 4 * 1024 * 1024
    const options = freshOptions(sizeBytes)
    return during(
      options,
      Effect.gen(function* () {
        const log = yield* LogStore
        const half = entry(1, 1, "x".repeat(sizeBytes / 2))
        yield* log.append([{ entries: [half] }])
        yield* until(isThere(options, NEXT, sizeBytes))
        const zeros = readFileSync(join(options.directory, NEXT))
        assert.isTrue(zeros.every((byte) => byte === 0))
        record(options.directory)
        // It does not fit behind the first, and leaves the segment that it stands in less than half full.
        const next = entry(2, 1, "y".repeat(sizeBytes / 2 - 250))
        yield* log.append([{ entries: [next] }])
        const { operations } = stop()
        const writes = operations.flatMap((one) => (one._tag === "Write" ? [one.bytes.length] : []))
        const headerBytes = 128
        assert.include(writes, headerBytes)
        // The header, the seal, the batch, and perhaps the mark of an idle log.
        const writtenBytes = writes.reduce((sum, bytes) => sum + bytes, 0)
        assert.isBelow(writtenBytes, sizeBytes / 2 + 500)
        assert.deepStrictEqual(plain(yield* readAll), plain([half, next]))
      })
    )
  })

  it.live("is removed by a stop, and what a kill -9 left of it by the next start", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      yield* during(options, Effect.andThen(append(1, 30), until(isThere(options, NEXT, 4096))))
      assert.notInclude(readdirSync(options.directory), NEXT)
      writeFileSync(join(options.directory, NEXT), "half")
      yield* during(options, readAll)
      assert.notInclude(readdirSync(options.directory), NEXT)
    })
  })

  it.live("is prepared anew for a batch that is larger than it", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      const large = entry(31, 1, "x".repeat(20_000))
      yield* during(
        options,
        Effect.gen(function* () {
          yield* append(1, 30)
          yield* until(isThere(options, NEXT, 4096))
          yield* (yield* LogStore).append([{ entries: [large] }])
        })
      )
      assert.deepStrictEqual(plain(yield* during(options, readAll)), plain([...entries(1, 30), large]))
    })
  })
})

describe("a disk without room for the next segment (docs/raft.md, Disk)", () => {
  it.effect("is reported, and stops no append while the segment in use has room", () => {
    const options = freshOptions()
    const used = Effect.gen(function* () {
      assert.strictEqual(yield* room, "Roomy")
      yield* append(1, 30)
      yield* until(Effect.map(room, (tag) => tag === "StorageShort"))
      const state = yield* (yield* LogSpace).room
      assert.deepInclude(state, { _tag: "StorageShort", neededBytes: 4096 })
      yield* append(31, 32)
      assert.notInclude(readdirSync(options.directory), NEXT, "half of a segment takes no room")
      assert.deepStrictEqual(plain(yield* readAll), plain(entries(1, 32)))
    })
    return during(options, full(used))
  })

  it.effect("makes an append wait that finds no room, and goes on by itself when there is some", () => {
    const options = freshOptions()
    const used = Effect.gen(function* () {
      const changes = yield* (yield* LogSpace).roomChanges.pipe(
        Stream.map(({ _tag }) => _tag),
        Stream.take(3),
        Stream.runCollect,
        Effect.forkChild
      )
      yield* append(1, 30)
      yield* until(Effect.map(room, (tag) => tag === "StorageShort"))
      const waiting = yield* Effect.forkChild(append(31, 70))
      const behind = yield* Effect.forkChild(append(71, 71))
      for (let count = 0; count < 3; count++) yield* TestClock.adjust("1 second")
      assert.isUndefined(waiting.pollUnsafe())
      assert.deepStrictEqual(plain(yield* readAll), plain(entries(1, 30)))
      yield* roomAgain
      // A try that was under way when there was no room yet sleeps once more.
      yield* until(Effect.map(TestClock.adjust("1 second"), () => waiting.pollUnsafe() !== undefined))
      yield* Fiber.join(waiting)
      yield* Fiber.join(behind)
      assert.strictEqual(yield* room, "Roomy")
      assert.deepStrictEqual(yield* Fiber.join(changes), ["Roomy", "StorageShort", "Roomy"])
    })
    return Effect.gen(function* () {
      yield* during(options, full(used))
      assert.deepStrictEqual(plain(yield* during(options, readAll)), plain(entries(1, 71)))
      assert.include(readdirSync(options.directory), SECOND)
    })
  })

  it.effect("lets a writer give up waiting, and does not poison the log for later ones", () => {
    const options = freshOptions()
    const used = Effect.gen(function* () {
      yield* append(1, 30)
      yield* until(Effect.map(room, (tag) => tag === "StorageShort"))
      const waiting = yield* Effect.forkChild(append(31, 70))
      yield* until(Effect.sync(() => waiting.pollUnsafe() === undefined))
      yield* Fiber.interrupt(waiting)
      yield* append(31, 32)
      assert.deepStrictEqual(plain(yield* readAll), plain(entries(1, 32)))
    })
    return during(options, full(used))
  })

  it.effect("does not delay a stop: waiting appends are refused, and nothing of them was written", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      const outcome = yield* full(
        Effect.gen(function* () {
          const waiting = yield* during(
            options,
            Effect.gen(function* () {
              yield* append(1, 30)
              yield* until(Effect.map(room, (tag) => tag === "StorageShort"))
              return yield* Effect.forkDetach(append(31, 70))
            })
          )
          return yield* Effect.result(Fiber.join(waiting))
        })
      )
      assert.strictEqual(outcome._tag, "Failure")
      assert.deepStrictEqual(plain(yield* during(options, readAll)), plain(entries(1, 30)))
    })
  })

  it.effect("poisons the log when the disk fails otherwise, once the segment in use is full (D9)", () => {
    const options = freshOptions()
    const used = Effect.gen(function* () {
      yield* append(1, 30)
      const failure = yield* Effect.flip(append(31, 70))
      assert.include(failure.message, "EIO")
      assert.include((yield* Effect.flip(append(31, 31))).message, "poisoned")
    })
    const failing = Effect.sync(() => {
      faults.write = (path) => (path.endsWith(NEXT) ? "EIO" : undefined)
    })
    return during(
      options,
      Effect.acquireUseRelease(
        failing,
        () => used,
        () => roomAgain
      )
    )
  })
})
