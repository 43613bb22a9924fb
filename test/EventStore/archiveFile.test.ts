/** A kill or a loss of power within every call that writes an archive: under its name it is whole, or not there. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Stream } from "effect"
import { archivePieces, writeArchive } from "../../src/EventStore/ArchiveFile.ts"
import { makeArchiveEncoder } from "../../src/EventStore/ArchiveFormat.ts"
import { FileSystem } from "../../src/EventStore/FileSystem.ts"
import { listDirectory, makeDirectory } from "../../src/EventStore/Files.ts"
import * as Disk from "../../src/Testing/SimulatedDisk.ts"
import * as Files from "../../src/Testing/SimulatedFiles.ts"
import * as Random from "../../src/Testing/simulator/Random.ts"

const directory = "/backups"
const encoder = makeArchiveEncoder()
const parts = [
  encoder.begin(new TextEncoder().encode("{}")),
  ...Array.from({ length: 8 }, (_, at) => encoder.snapshot(new Uint8Array(3_000).fill(at + 1))),
  encoder.end()
]

const written = writeArchive({ directory, name: "x", bytes: Stream.fromIterable(parts), isWhole: () => Effect.void })

const on = <A, E>(disk: Disk.SimulatedDisk, work: Effect.Effect<A, E>, options: Files.ProcessOptions = {}) => {
  const process = Files.start(disk, options)
  const done = Effect.provideService(work, FileSystem, process.system)
  return Effect.map(Effect.exit(done), (exit) => ({ exit, process }))
}

describe("writing an archive", () => {
  for (const isPowerLost of [false, true]) {
    it.effect(`leaves none or a whole one after ${isPowerLost ? "a loss of power" : "a kill"} within any call`, () =>
      Effect.gen(function* () {
        let seed = 0
        const prepared = Effect.fnUntraced(function* () {
          const disk = Disk.make(Random.make(seed++))
          yield* on(disk, makeDirectory(directory))
          return disk
        })
        const whole = yield* on(yield* prepared(), written)
        assert.isTrue(Exit.isSuccess(whole.exit))
        const callsCount = whole.process.callsCount()
        assert.isAbove(callsCount, 12)
        for (let killedAtCall = 1; killedAtCall <= callsCount; killedAtCall++) {
          const disk = yield* prepared()
          yield* on(disk, written, { killedAtCall })
          if (isPowerLost) Disk.losePower(disk)
          const found = Effect.gen(function* () {
            if (!(yield* listDirectory(directory)).includes("x")) return 0
            return (yield* Stream.runCollect(archivePieces(`${directory}/x`))).length
          })
          const { exit } = yield* on(disk, found)
          assert.isTrue(Exit.isSuccess(exit) && [0, parts.length].includes(exit.value), `call ${killedAtCall}`)
          const again = yield* on(disk, Effect.andThen(written, found))
          assert.isTrue(Exit.isSuccess(again.exit) && again.exit.value === parts.length)
        }
      })
    )
  }

  for (const code of ["ENOSPC", "EIO"] as const) {
    it.effect(`leaves nothing behind after ${code}`, () =>
      Effect.gen(function* () {
        const disk = Disk.make(Random.make(1))
        yield* on(disk, makeDirectory(directory))
        for (const refused of ["write", "fsync", "rename"] as const) {
          const faultOf = (call: Files.Call) => (call === refused ? code : undefined)
          assert.isTrue(Exit.isFailure((yield* on(disk, written, { faultOf })).exit), refused)
          const { exit } = yield* on(disk, listDirectory(directory))
          assert.deepStrictEqual(Exit.isSuccess(exit) ? exit.value : [], [], refused)
        }
      })
    )
  }
})
