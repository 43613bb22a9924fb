/**
 * A kill or a loss of power within every call of a shipment to a directory, on a simulated disk: what restores could
 * start from before can be read after it, no part counts as an object, and the next attempt ends the work.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Result, Stream } from "effect"
import { inDirectory } from "../../src/Backup/DirectoryStore.ts"
import { removeUnneeded, shippedOf, storedArchive } from "../../src/Backup/Ship.ts"
import { chainTo, nameOf, type Shipped } from "../../src/Backup/Shipped.ts"
import { makeArchiveEncoder } from "../../src/EventStore/ArchiveFormat.ts"
import { FileSystem } from "../../src/EventStore/FileSystem.ts"
import { listDirectory } from "../../src/EventStore/Files.ts"
import * as Disk from "../../src/Testing/SimulatedDisk.ts"
import * as Files from "../../src/Testing/SimulatedFiles.ts"
import * as Random from "../../src/Testing/simulator/Random.ts"

const folder = "cluster"
const store = inDirectory("/backups")

/** Some archive: what it holds is not the matter here. */
const bytes = (seed: number) => {
  const encoder = makeArchiveEncoder()
  const parts = [
    encoder.begin(new TextEncoder().encode(`{"seed":${seed}}`)),
    encoder.snapshot(new Uint8Array(5_000).fill(seed)),
    encoder.end()
  ]
  return Stream.fromIterable(parts)
}
const put = (shipped: Shipped) => store.put(`${folder}/${nameOf(shipped)}`, bytes(shipped.index))
const state = (index: number): Shipped => ({ _tag: "Snapshot", index, timeMs: index })
const entries = (afterIndex: number, index: number): Shipped => ({ _tag: "Entries", afterIndex, index, timeMs: index })
const former = [state(10), entries(10, 20), state(20), entries(20, 30)]

const on = <A, E>(disk: Disk.SimulatedDisk, work: Effect.Effect<A, E>, options: Files.ProcessOptions = {}) => {
  const process = Files.start(disk, options)
  const done = Effect.provideService(work, FileSystem, process.system)
  return Effect.map(Effect.exit(done), (exit) => ({ exit, process }))
}

/** What a leader does when a state is due: it begins with what others left. All that is there is old enough to go. */
const shipment = Effect.gen(function* () {
  yield* store.sweep(folder)
  yield* put(state(40))
  yield* Stream.runDrain(storedArchive(store, folder, state(40)).pieces)
  yield* removeUnneeded(store, folder, -1_000)
})

/** How far a restore comes. All that it reads is whole. */
const reached = Effect.gen(function* () {
  const all = yield* shippedOf(store, folder)
  for (const each of all) yield* Stream.runDrain(storedArchive(store, folder, each).pieces)
  return Result.getOrThrow(chainTo(all, undefined)).index
})

describe("a shipment to a directory", () => {
  for (const isPowerLost of [false, true]) {
    it.effect(`leaves a backup to restore after ${isPowerLost ? "a loss of power" : "a kill"} within any call`, () =>
      Effect.gen(function* () {
        let seed = 0
        const prepared = Effect.fnUntraced(function* () {
          const disk = Disk.make(Random.make(seed++))
          const { exit } = yield* on(disk, Effect.forEach(former, put, { discard: true }))
          assert.isTrue(Exit.isSuccess(exit))
          return disk
        })
        const whole = yield* on(yield* prepared(), shipment)
        assert.isTrue(Exit.isSuccess(whole.exit))
        const callsCount = whole.process.callsCount()
        assert.isAbove(callsCount, 20)
        for (let killedAtCall = 1; killedAtCall <= callsCount; killedAtCall++) {
          const disk = yield* prepared()
          const { exit } = yield* on(disk, shipment, { killedAtCall })
          assert.isTrue(Exit.isFailure(exit))
          if (isPowerLost) Disk.losePower(disk)
          const between = yield* on(disk, reached)
          assert.isTrue(Exit.isSuccess(between.exit), `call ${killedAtCall} of ${callsCount}`)
          assert.include([30, 40], yield* between.exit)
          const again = yield* on(disk, Effect.andThen(shipment, reached))
          assert.strictEqual(yield* again.exit, 40)
          const left = yield* (yield* on(disk, listDirectory(`/backups/${folder}`))).exit
          assert.deepStrictEqual(left, [nameOf(state(40))])
        }
      })
    )
  }
})
