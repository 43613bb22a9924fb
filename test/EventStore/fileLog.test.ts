/** What the log in files does about damage, leftovers, failures and idleness. The rule alone is tested in recovery.test.ts. */
import * as fs from "node:fs"
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { type FileLogOptions, layerFile } from "../../src/EventStore/FileLog.ts"
import { FileSystem } from "../../src/EventStore/FileSystem.ts"
import type { LogWrite } from "../../src/EventStore/LogEntry.ts"
import { type LogCorrupt, LogFailed, LogStore } from "../../src/EventStore/LogStore.ts"
import { appendNow, entries, entry, plain, readAll } from "./logStoreContract.ts"

const FIRST = "000000000001.log"

const freshOptions = (): FileLogOptions => {
  return { directory: mkdtempSync(join(tmpdir(), "lithair-filelog-")), segmentSizeBytes: 4096 }
}

/** Opens the log for `use`, then closes it. */
const during = <A, E>(options: FileLogOptions, use: Effect.Effect<A, E, LogStore>) =>
  Effect.provide(use, layerFile(options), { local: true })

const append = (from: number, to: number) =>
  Effect.flatMap(LogStore, (log) => log.append([{ entries: entries(from, to) }]))

/** The bytes as they are while the log is open: what kill -9 would leave. */
const crash = (options: FileLogOptions, use: Effect.Effect<void, LogFailed, LogStore>) =>
  Effect.gen(function* () {
    const files = yield* during(
      options,
      Effect.map(use, () =>
        readdirSync(options.directory).map((name) => [name, readFileSync(join(options.directory, name))] as const)
      )
    )
    for (const [name, bytes] of files) writeFileSync(join(options.directory, name), bytes)
  })

function damage(options: FileLogOptions, name: string, change: (bytes: Buffer) => void): void {
  const path = join(options.directory, name)
  const bytes = readFileSync(path)
  change(bytes)
  writeFileSync(path, bytes)
}

const lastWritten = (bytes: Uint8Array) => bytes.findLastIndex((byte) => byte !== 0)

describe("the log in files", () => {
  it.effect("cuts a torn tail, keeps its bytes aside, and goes on", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      yield* crash(options, Effect.andThen(append(1, 3), append(4, 5)))
      let torn = Buffer.alloc(0)
      damage(options, FIRST, (bytes) => {
        bytes[lastWritten(bytes)]! ^= 1
        torn = Buffer.from(bytes)
      })
      yield* during(options, Effect.andThen(append(4, 4), readAll))
      const kept = readdirSync(options.directory).find((name) => name.includes(".torn-at-"))
      const offset = Number(kept?.split("-").at(-1))
      assert.deepStrictEqual(readFileSync(join(options.directory, kept!)), torn.subarray(offset))
      const found = yield* during(options, readAll)
      assert.deepStrictEqual(plain(found), plain(entries(1, 4)))
      assert.lengthOf(readdirSync(options.directory), 2)
    })
  })

  it.effect("refuses damage below the last batch, names file, offset and index, and changes nothing", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      yield* crash(options, Effect.andThen(append(1, 3), append(4, 5)))
      damage(options, FIRST, (bytes) => {
        bytes[128 + 40 + 40]! ^= 1
      })
      const before = readFileSync(join(options.directory, FIRST))
      const failure = yield* Effect.flip(during(options, readAll))
      assert.strictEqual(failure._tag, "LogCorrupt")
      const { file, offset, index } = failure as LogCorrupt
      assert.deepStrictEqual({ file, offset, index }, { file: FIRST, offset: 128 + 40, index: 1 })
      assert.include(failure.message, FIRST)
      assert.deepStrictEqual(readFileSync(join(options.directory, FIRST)), before)
    })
  })

  it.effect("keeps an intact last batch, which a crash may have left unsynced, byte for byte", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      yield* crash(options, Effect.andThen(append(1, 3), append(4, 5)))
      const before = readFileSync(join(options.directory, FIRST))
      const [found, after] = yield* during(
        options,
        Effect.map(readAll, (found) => [found, readFileSync(join(options.directory, FIRST))] as const)
      )
      assert.deepStrictEqual(plain(found), plain(entries(1, 5)))
      assert.deepStrictEqual(after, before)
    })
  })

  it.effect("makes its folder, and those above it, when they are missing", () => {
    const options = { directory: join(freshOptions().directory, "deep", "er", "log"), segmentSizeBytes: 4096 }
    return Effect.gen(function* () {
      yield* during(options, append(1, 1))
      assert.deepStrictEqual(readdirSync(options.directory), [FIRST])
    })
  })

  it.effect("refuses an empty folder when a log must be there", () => {
    const options = { ...freshOptions(), mustExist: true }
    return Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(during(options, readAll)))._tag, "LogCorrupt")
    })
  })

  it.effect("refuses a log whose last segment is missing, though the one before it is whole", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      for (let index = 1; index <= 70; index++) yield* during(options, append(index, index))
      const names = readdirSync(options.directory).sort()
      assert.isAbove(names.length, 1)
      rmSync(join(options.directory, names.at(-1)!))
      assert.strictEqual((yield* Effect.flip(during(options, readAll)))._tag, "LogCorrupt")
    })
  })

  it.effect("sets aside a segment that was made but not entered, and a temporary file", () => {
    const options = freshOptions()
    return Effect.gen(function* () {
      const other = freshOptions()
      yield* during(
        other,
        Effect.forEach(entries(1, 100), (one) => append(one.index, one.index))
      )
      yield* crash(options, append(1, 3))
      // A successor with a header and no batch, as a crash between its making and the seal leaves it.
      damage(other, "000000000002.log", (bytes) => bytes.fill(0, 128))
      renameSync(join(other.directory, "000000000002.log"), join(options.directory, "000000000002.log"))
      writeFileSync(join(options.directory, "000000000002.log.tmp"), "half")
      yield* during(options, append(4, 40))
      assert.deepStrictEqual(plain(yield* during(options, readAll)), plain(entries(1, 40)))
      const aside = readdirSync(options.directory).filter((name) => name.endsWith(".aside"))
      assert.deepStrictEqual(aside.sort(), ["000000000002.log.aside", "000000000002.log.tmp.aside"])
    })
  })

  it.effect("is poisoned for good by a failed write", () => {
    const options = freshOptions()
    const used = Effect.gen(function* () {
      const log = yield* LogStore
      yield* log.append([{ entries: entries(1, 2) }])
      // The next segment cannot be made in a folder that is gone.
      rmSync(options.directory, { recursive: true })
      const first = yield* Effect.flip(log.append([{ entries: [entry(3, 1, "x".repeat(5000))] }]))
      assert.instanceOf(first, LogFailed)
      const second = yield* Effect.flip(log.append([{ entries: entries(3, 3) }]))
      assert.include(second.message, "poisoned")
    })
    return during(options, used)
  })

  it.effect("is poisoned for good by a failed sync, however it was written", () =>
    Effect.forEach([true, false], (isNow) => {
      let isFailing = false
      const system: FileSystem = {
        ...fs,
        fdatasync: (file, done) => (isFailing ? done(new Error("EIO")) : fs.fdatasync(file, done))
      }
      const used = Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.append([{ entries: entries(1, 2) }])
        isFailing = true
        const add = (index: number) => {
          const writes = [{ entries: [entry(index)] }]
          return Effect.flip(isNow ? appendNow(log, writes) : log.append(writes))
        }
        assert.include((yield* add(3)).message, "Cannot sync data: EIO")
        isFailing = false
        assert.include((yield* add(3)).message, "poisoned")
        assert.isFalse(log.appendNow([{ entries: [entry(3)] }], () => assert.fail("it was begun")))
      })
      return Effect.provideService(during(freshOptions(), used), FileSystem, system)
    })
  )

  it.effect("tells a defect behind a batch that it writes at once, takes no other, and still closes", () =>
    during(
      freshOptions(),
      Effect.gen(function* () {
        const log = yield* LogStore
        yield* log.append([{ entries: entries(1, 1) }])
        const damaged = { ...entry(2) }
        const done = Effect.callback<void, LogFailed>((resume) => {
          assert.isTrue(log.appendNow([{ entries: [damaged] }], resume))
          // It is written, but not synced yet.
          Object.assign(damaged, { index: 7 })
        })
        assert.isTrue(Exit.hasDies(yield* Effect.exit(done)))
        assert.include((yield* Effect.flip(log.append([{ entries: entries(2, 2) }]))).message, "poisoned")
      })
    )
  )

  it.effect("writes a batch at once unless it is large, or another one is under way", () =>
    during(
      { ...freshOptions(), segmentSizeBytes: 1024 * 1024 },
      Effect.gen(function* () {
        const log = yield* LogStore
        // The first batch of a segment repeats the hard state, and is not written like this.
        assert.isFalse(log.appendNow([{ entries: entries(1, 1) }], () => assert.fail("it was begun")))
        yield* log.append([{ entries: entries(1, 1) }])
        const isTaken = (writes: ReadonlyArray<LogWrite>) =>
          Effect.callback<boolean, LogFailed>((resume) => {
            if (!log.appendNow(writes, (exit) => resume(Exit.map(exit, () => true)))) resume(Effect.succeed(false))
          })
        assert.isFalse(yield* isTaken([{ entries: [entry(2, 1, "x".repeat(300_000))] }]))
        assert.isTrue(yield* isTaken([{ entries: entries(2, 9) }]))
        const both = yield* Effect.all(
          [isTaken([{ entries: entries(10, 11) }]), isTaken([{ entries: entries(10, 11) }])],
          {
            concurrency: "unbounded"
          }
        )
        assert.deepStrictEqual(both, [true, false])
        assert.deepStrictEqual(plain(yield* readAll), plain(entries(1, 11)))
      })
    )
  )

  it.effect("that closes waits for the batch that is written at once, and begins no other", () => {
    const events: Array<string> = []
    let finishSync = (): void => {}
    let isHeld = false
    const system: FileSystem = {
      ...fs,
      fdatasync: (file, done) => {
        const sync = () =>
          fs.fdatasync(file, (error) => {
            events.push("synced")
            done(error)
          })
        if (isHeld) finishSync = sync
        else sync()
      },
      close: (file, done) => {
        events.push("closed")
        fs.close(file, done)
      }
    }
    return Effect.gen(function* () {
      const scope = yield* Scope.make()
      const log = Context.get(yield* Layer.buildWithScope(layerFile(freshOptions()), scope), LogStore)
      yield* log.append([{ entries: entries(1, 1) }])
      // Once the mark of the first batch is durable, closing writes none.
      events.length = 0
      yield* TestClock.adjust("100 millis")
      while (!events.includes("synced")) yield* Effect.yieldNow
      isHeld = true
      const begin = () =>
        log.appendNow([{ entries: entries(2, 2) }], () => {
          events.push("told")
          assert.isFalse(log.appendNow([{ entries: entries(3, 3) }], () => {}))
        })
      while (!begin()) yield* Effect.yieldNow
      events.length = 0
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      assert.deepStrictEqual(events, [])
      isHeld = false
      finishSync()
      yield* Fiber.join(closing)
      assert.strictEqual(events[0], "synced")
      assert.includeMembers(events, ["told", "closed"])
    }).pipe(Effect.provideService(FileSystem, system))
  })

  it.effect("marks its last batch as durable within 100 ms of falling idle", () => {
    const options = freshOptions()
    const used = Effect.gen(function* () {
      const ends = () => lastWritten(readFileSync(join(options.directory, FIRST)))
      yield* append(1, 3)
      const unmarked = ends()
      yield* TestClock.adjust("100 millis")
      // The mark's write is real input and output: an append waits for its turn behind it.
      yield* append(4, 4)
      const { byteLength } = entry(4).payload
      assert.isAtLeast(ends() - unmarked, 40 + 40 + byteLength)
    })
    return during(options, used)
  })

  it.effect("reads what an anchor far behind and a truncation in between leave", () => {
    const options = { ...freshOptions(), segmentSizeBytes: 1024 * 1024 }
    const used = Effect.gen(function* () {
      const log = yield* LogStore
      const many = Array.from({ length: 300 }, (_, at) => entry(at + 1, 1, "x".repeat(1000)))
      yield* log.append([{ entries: many }])
      yield* log.append([{ truncateFromIndex: 150, entries: entries(150, 160, 2) }])
      const found = yield* log.read({ fromIndex: 140, toIndex: 155, maxBytes: 1_000_000 })
      assert.deepStrictEqual(plain(found), plain([...many.slice(139, 149), ...entries(150, 155, 2)]))
    })
    return during(options, used)
  })
})
