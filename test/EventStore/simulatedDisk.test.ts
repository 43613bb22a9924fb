/** Steps that crash or fail on a simulated disk, each for itself: what many drawn lives come upon too rarely. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { layerFile as layerLog } from "../../src/EventStore/FileLog.ts"
import { FileSystem } from "../../src/EventStore/FileSystem.ts"
import { listDirectory, makeDirectory } from "../../src/EventStore/Files.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { SnapshotStore } from "../../src/EventStore/SnapshotStore.ts"
import { layerFile } from "../../src/EventStore/Snapshots.ts"
import * as Disk from "../../src/Testing/SimulatedDisk.ts"
import * as Files from "../../src/Testing/SimulatedFiles.ts"
import * as Random from "../../src/Testing/simulator/Random.ts"
import { entries } from "./logStoreContract.ts"
import { bytesOf, foreign, offerOf, send } from "./snapshotStoreContract.ts"

const within =
  ({ system }: Files.SimulatedProcess) =>
  <A, E, R>(work: Effect.Effect<A, E, R>) =>
    Effect.provideService(work, FileSystem, system)

describe("on a simulated disk", () => {
  it.effect("a folder is durable, though a process that made those above it was killed at any call", () =>
    Effect.gen(function* () {
      const path = "/var/lib/node/log"
      const whole = Files.start(Disk.make(Random.make(1)))
      yield* makeDirectory(path).pipe(within(whole))
      for (let killedAtCall = 1; killedAtCall <= whole.callsCount(); killedAtCall++) {
        for (let seed = 1; seed <= 10; seed++) {
          const disk = Disk.make(Random.make(seed))
          yield* Effect.exit(makeDirectory(path).pipe(within(Files.start(disk, { killedAtCall }))))
          yield* makeDirectory(path).pipe(within(Files.start(disk)))
          Disk.losePower(disk)
          const names = yield* Effect.exit(listDirectory(path).pipe(within(Files.start(disk))))
          assert.strictEqual(names._tag, "Success", `killed at call ${killedAtCall}, seed ${seed}`)
        }
      }
    })
  )

  it.effect("a snapshot that is offered again is durable, though a sync failed the first time", () =>
    Effect.gen(function* () {
      const directory = "/snapshots"
      const elsewhere = Files.start(Disk.make(Random.make(1)))
      const { file, info } = yield* foreign(() => layerFile({ directory }), 9, bytesOf(9_000)).pipe(within(elsewhere))
      const receive = Effect.gen(function* () {
        const receiving = yield* (yield* SnapshotStore).receive(offerOf(info))
        yield* send(receiving, file)
        return yield* receiving.finish
      })
      for (const failing of ["folder", "file"]) {
        for (let seed = 1; seed <= 10; seed++) {
          const disk = Disk.make(Random.make(seed))
          let isMade = false
          let failuresCount = 0
          const process = Files.start(disk, {
            faultOf: (call, path) => {
              const isMeant = call === "fsync" && (path === directory) === (failing === "folder")
              if (!isMade || !isMeant || failuresCount > 0) return undefined
              failuresCount++
              return "EIO"
            }
          })
          yield* Effect.gen(function* () {
            isMade = true
            yield* Effect.flip(receive)
            yield* receive
          }).pipe(Effect.provide(layerFile({ directory }), { local: true }), within(process))
          assert.strictEqual(failuresCount, 1)
          Disk.losePower(disk)
          const newest = Effect.scoped(Effect.flatMap(SnapshotStore, (store) => store.openNewest()))
          const found = yield* newest.pipe(
            Effect.provide(layerFile({ directory }), { local: true }),
            within(Files.start(disk))
          )
          assert.strictEqual(found?.info.digest, info.digest, `the ${failing}, seed ${seed}`)
        }
      }
    })
  )

  it.effect("an entry that a start has found is durable, though a process was killed at any call of its write", () =>
    Effect.gen(function* () {
      const opened = <A, E>(use: (log: LogStore["Service"]) => Effect.Effect<A, E>) =>
        Effect.flatMap(LogStore, use).pipe(
          Effect.provide(layerLog({ directory: "/log", segmentSizeBytes: 4096 }), { local: true })
        )
      const append = opened((log) => log.append([{ entries: entries(1, 3) }]))
      const lastIndex = opened((log) => Effect.succeed(log.recovered.lastIndex))
      const whole = Files.start(Disk.make(Random.make(1)))
      yield* append.pipe(within(whole))
      let foundCount = 0
      for (let killedAtCall = 1; killedAtCall <= whole.callsCount(); killedAtCall++) {
        for (let seed = 1; seed <= 5; seed++) {
          const disk = Disk.make(Random.make(seed))
          yield* Effect.exit(append.pipe(within(Files.start(disk, { killedAtCall }))))
          const found = yield* lastIndex.pipe(within(Files.start(disk)))
          if (found > 0) foundCount++
          Disk.losePower(disk)
          const left = yield* lastIndex.pipe(within(Files.start(disk)))
          assert.strictEqual(left, found, `killed at call ${killedAtCall}, seed ${seed}`)
        }
      }
      assert.isAbove(foundCount, 0)
    })
  )
})
