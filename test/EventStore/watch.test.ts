/** What a running node notices of files that are removed or replaced under it, and what it does not take for that. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Directory, layerDirectory } from "../../src/EventStore/Directory.ts"
import { layerFile as layerLog } from "../../src/EventStore/FileLog.ts"
import { LogSpace } from "../../src/EventStore/LogSpace.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { filesInMemory, type NamedFiles } from "../../src/EventStore/NamedFiles.ts"
import { snapshotName } from "../../src/EventStore/SnapshotFormat.ts"
import { SnapshotStore } from "../../src/EventStore/SnapshotStore.ts"
import { layerOf } from "../../src/EventStore/Snapshots.ts"
import { listedMaxCount, lookedAtCount, missingOfMany, watchIntervalMs } from "../../src/EventStore/Watch.ts"
import { entries } from "./logStoreContract.ts"
import { write } from "./snapshotStoreContract.ts"

const append = (from: number, to: number) =>
  Effect.flatMap(LogStore, (log) => log.append([{ entries: entries(from, to) }]))

/** A data directory that is in use: some segments, one snapshot. */
const inUse = Effect.gen(function* () {
  const path = join(mkdtempSync(join(tmpdir(), "lithair-watch-")), "data")
  const directory = yield* Layer.build(layerDirectory({ directory: path, nodeId: "a:8081" }))
  const { snapshots, watch } = Context.get(directory, Directory)
  const files = yield* Layer.build(
    Layer.merge(layerLog({ directory: `${path}/log`, segmentSizeBytes: 4096 }), snapshots)
  )
  yield* Effect.forEach([1, 31, 61, 91], (from) => append(from, from + 29)).pipe(Effect.provide(files))
  yield* write(2).pipe(Effect.provide(files))
  const watching = [watch, Context.get(files, LogSpace).watch, Context.get(files, SnapshotStore).watch]
  return { path, files, ended: Effect.raceAllFirst(watching) }
})

const segmentOf = (path: string, which: "first" | "last") => {
  const names = readdirSync(`${path}/log`).filter((name) => /^\d+\.log$/.test(name))
  return `${path}/log/${names.sort().at(which === "first" ? 0 : -1)}`
}

/** Puts another file of the same content in its place, as a backup that is restored does. */
const replaceFile = (path: string) => {
  cpSync(path, `${path}.copy`)
  renameSync(`${path}.copy`, path)
}

const losses: Record<string, (path: string) => void> = {
  "the directory was removed": (path) => rmSync(path, { recursive: true }),
  "the directory was moved away": (path) => renameSync(path, `${path}.old`),
  "the directory was replaced by a copy": (path) => {
    cpSync(path, `${path}.copy`, { recursive: true })
    renameSync(path, `${path}.old`)
    renameSync(`${path}.copy`, path)
  },
  "the lock was removed": (path) => rmSync(`${path}/lock`),
  "the lock was replaced": (path) => {
    rmSync(`${path}/lock`)
    writeFileSync(`${path}/lock`, "")
  },
  "node.json was removed": (path) => rmSync(`${path}/node.json`),
  "the folder of the log was removed": (path) => rmSync(`${path}/log`, { recursive: true }),
  "the folder of the log was emptied": (path) => {
    rmSync(`${path}/log`, { recursive: true })
    mkdirSync(`${path}/log`)
  },
  "the segment in use was removed": (path) => rmSync(segmentOf(path, "last")),
  "the segment in use was replaced by a copy": (path) => replaceFile(segmentOf(path, "last")),
  "a sealed segment was removed": (path) => rmSync(segmentOf(path, "first")),
  "the folder of the snapshots was removed": (path) => rmSync(`${path}/snapshots`, { recursive: true }),
  "the snapshot was removed": (path) => {
    for (const name of readdirSync(`${path}/snapshots`)) rmSync(`${path}/snapshots/${name}`)
  }
}

describe("a running node notices", { concurrent: true, timeout: 30_000 }, () => {
  for (const [what, lose] of Object.entries(losses)) {
    it.live(`that ${what}`, () =>
      Effect.gen(function* () {
        const { ended, files, path } = yield* inUse
        lose(path)
        const failure = yield* Effect.flip(ended).pipe(Effect.timeout("10 seconds"))
        assert.include(failure.message, "were removed or replaced")
        if (!/log|segment/.test(what)) return
        const refused = yield* Effect.flip(Context.get(files, LogStore).append([{ entries: entries(121, 121) }]))
        assert.include(refused.message, "poisoned")
      }).pipe(Effect.scoped)
    )
  }

  it.effect("nothing while segments and snapshots come and go", () =>
    Effect.gen(function* () {
      const { ended, files } = yield* inUse
      const watching = yield* Effect.forkScoped(Effect.flip(ended))
      const round = Effect.fnUntraced(function* (from: number) {
        yield* append(from, from + 39)
        yield* write(from)
        yield* Effect.flatMap(LogStore, (log) => log.append([{ snapshot: { index: from, term: 1 }, entries: [] }]))
        yield* (yield* LogSpace).compact({ throughIndex: from - 60 })
      }, Effect.provide(files))
      // A look begins beside each round, and meets it at another step.
      for (let from = 121; from < 121 + 40 * 40; from += 40) {
        yield* Effect.all([round(from), TestClock.adjust(watchIntervalMs)], { concurrency: 2 })
      }
      assert.isUndefined(watching.pollUnsafe())
      yield* Fiber.interrupt(watching)
    }).pipe(Effect.scoped)
  )

  it.effect("nothing if a snapshot that is offered again gives way to newer ones while it is read", () =>
    Effect.gen(function* () {
      const files = filesInMemory()
      const former = yield* Layer.build(layerOf(files))
      const first = yield* Effect.provide(write(2), former)
      yield* Effect.provide(write(4), former)
      // Another life, which has read none of them yet; and a disk that takes its time.
      const isOpened = yield* Deferred.make<void>()
      const mayRead = yield* Deferred.make<void>()
      const openToRead: NamedFiles["openToRead"] = (name) =>
        Effect.tap(files.openToRead(name), () =>
          Effect.andThen(Deferred.succeed(isOpened, undefined), Deferred.await(mayRead))
        )
      const store = Context.get(yield* Layer.build(layerOf({ ...files, openToRead })), SnapshotStore)
      const watching = yield* Effect.forkScoped(Effect.flip(store.watch))
      const offering = yield* Effect.forkScoped(store.receive(first))
      yield* Deferred.await(isOpened)
      const writing = yield* Effect.forkScoped(Effect.provideService(write(6), SnapshotStore, store))
      yield* TestClock.adjust("1 second")
      yield* Deferred.succeed(mayRead, undefined)
      yield* Effect.andThen(Fiber.join(offering), Fiber.join(writing))
      assert.notInclude(yield* files.names, snapshotName(first))
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(watching.pollUnsafe())
      yield* Fiber.interrupt(watching)
    }).pipe(Effect.scoped)
  )

  it.effect("one of very many files, though each look takes no more than some of them", () =>
    Effect.gen(function* () {
      let files = Array.from({ length: 10 * listedMaxCount }, (_, number) => ({ number }))
      const gone = new Set<string>()
      let looksCount = 0
      const look = missingOfMany({
        needed: () => files,
        nameOf: ({ number }) => `${number}`,
        list: Effect.die("a list of so many names holds up the process"),
        isThere: (name) =>
          Effect.sync(() => {
            looksCount += 1
            return !gone.has(name)
          })
      })
      const pass = Effect.gen(function* () {
        for (let count = 0; count < files.length / lookedAtCount; count++) {
          looksCount = 0
          const missing = yield* look
          assert.isAtMost(looksCount, lookedAtCount)
          if (missing !== undefined) return missing
        }
        return undefined
      })
      assert.isUndefined(yield* pass)
      gone.add("7")
      const last = `${files.length - 1}`
      gone.add(last)
      assert.strictEqual(yield* pass, "7")
      files = files.slice(8)
      assert.strictEqual(yield* pass, last)
    })
  )
})
