/** Old history is read again while a node runs: what rots there is found, and named (FORMAT.md). */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { layerFile } from "../../src/EventStore/FileLog.ts"
import { LogSpace } from "../../src/EventStore/LogSpace.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { entries } from "./logStoreContract.ts"

const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-scrub-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

const flipBit = (path: string, offset: number) =>
  Effect.sync(() => {
    const file = openSync(path, "r+")
    const byte = new Uint8Array(1)
    readSync(file, byte, 0, 1, offset)
    byte[0]! ^= 4
    writeSync(file, byte, 0, 1, offset)
    closeSync(file)
  })

const fill = (from: number, to: number) =>
  Effect.gen(function* () {
    const log = yield* LogStore
    for (let index = from; index <= to; index++) yield* log.append([{ entries: entries(index, index) }])
  })

/** A log of segments of this size, whose scrubbing pauses for a millisecond. */
const during = <A, E>(segmentSizeBytes: number, use: (path: string) => Effect.Effect<A, E, LogStore | LogSpace>) =>
  Effect.gen(function* () {
    const path = yield* directory
    return yield* Effect.provide(use(path), layerFile({ directory: path, segmentSizeBytes, scrubPauseMs: 1 }))
  }).pipe(Effect.scoped)

describe("scrubbing", () => {
  it.live(
    "a bit that flips in an old segment of an open log is found: the file, the offset and the entry are named",
    () =>
      during(4096, (path) =>
        Effect.gen(function* () {
          const space = yield* LogSpace
          yield* fill(1, 300)
          const scrubbing = yield* Effect.forkScoped(Effect.flip(space.scrub))
          // The payload of the first record behind the hard state that begins a segment.
          yield* flipBit(join(path, "000000000002.log"), 128 + 40 + 41)
          const corrupt = yield* Fiber.join(scrubbing)
          assert.strictEqual(corrupt._tag, "LogCorrupt")
          if (corrupt._tag !== "LogCorrupt") return
          assert.deepStrictEqual([corrupt.file, corrupt.offset >= 128], ["000000000002.log", true])
          assert.isAbove(corrupt.index, 1)
          assert.include(corrupt.message, `"000000000002.log" at offset ${corrupt.offset}, entry ${corrupt.index}`)
        }).pipe(Effect.scoped)
      )
  )

  it.live("every flipped bit of a sealed segment's records is found; an intact log is read on and on", () =>
    during(4096, (path) =>
      Effect.gen(function* () {
        const space = yield* LogSpace
        yield* fill(1, 300)
        const intact = yield* Effect.timeoutOption(space.scrub, "60 millis")
        assert.strictEqual(intact._tag, "None")
        const name = join(path, "000000000001.log")
        for (let offset = 0; offset < 1024; offset += 13) {
          yield* flipBit(name, offset)
          const found = yield* Effect.flip(space.scrub)
          assert.strictEqual(found._tag, "LogCorrupt", `a flip at ${offset}`)
          yield* flipBit(name, offset)
        }
      })
    )
  )

  it.live(
    "records larger than what is read at once, and segments that are compacted away meanwhile, are no damage",
    () =>
      during(4 * 1024 * 1024, () =>
        Effect.gen(function* () {
          const log = yield* LogStore
          const space = yield* LogSpace
          const payload = new Uint8Array(700_000)
          for (let index = 1; index <= 12; index++) {
            yield* log.append([{ entries: [{ index, term: 1, type: "transaction", payload }] }])
          }
          assert.strictEqual((yield* Effect.timeoutOption(space.scrub, "80 millis"))._tag, "None")
          const scrubbing = yield* Effect.forkScoped(space.scrub)
          yield* log.append([{ snapshot: { index: 12, term: 1 }, entries: [] }])
          yield* space.compact({ throughIndex: 12 })
          yield* Effect.yieldNow
          assert.isUndefined(scrubbing.pollUnsafe())
        }).pipe(Effect.scoped)
      )
  )
})
