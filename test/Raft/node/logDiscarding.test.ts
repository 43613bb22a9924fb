/** The removal of erased entries from a log in real files, while no snapshot can be taken of the state, and after that. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { layerFile } from "../../../src/EventStore/FileLog.ts"
import { LogSpace } from "../../../src/EventStore/LogSpace.ts"
import { LogStore } from "../../../src/EventStore/LogStore.ts"
import * as RaftLog from "../../../src/Raft/core/RaftLog.ts"
import type { State } from "../../../src/Raft/core/State.ts"
import * as Condition from "../../../src/Raft/node/Condition.ts"
import { discard } from "../../../src/Raft/node/LogDiscarding.ts"

const directory = mkdtempSync(join(tmpdir(), "lithair-discarding-"))
afterAll(() => rmSync(directory, { recursive: true }))
const segments = () => readdirSync(directory).filter((name) => /^\d+\.log$/.test(name))

describe("the removal of erased entries", () => {
  it.effect("ends one segment, however often no snapshot can be taken", () =>
    Effect.gen(function* () {
      const store = yield* LogStore
      const space = yield* LogSpace
      const core: { -readonly [K in "durableSeq" | "log" | "snapshot" | "snapshotSeq"]: State[K] } = {
        log: RaftLog.fromRecovered(store.recovered),
        snapshot: undefined,
        snapshotSeq: 0,
        durableSeq: 0
      }
      const write = Effect.gen(function* () {
        const entry = { index: core.log.lastIndex + 1, term: 1, type: "noop" as const, payload: new Uint8Array(8) }
        yield* store.append([{ entries: [entry] }])
        RaftLog.append(core.log, entry)
      })
      let failuresCount = 0
      const takeSnapshot = Effect.gen(function* () {
        // A write comes between two attempts.
        yield* write
        if (failuresCount < 3) {
          failuresCount += 1
          return
        }
        const index = core.log.lastIndex
        core.snapshot = { index, term: 1 } as NonNullable<State["snapshot"]>
        yield* store.append([{ snapshot: { index, term: 1 }, entries: [] }])
      }).pipe(Effect.orDie)
      yield* write
      const seen: Array<number> = []
      const discarding = discard(
        {
          core,
          space,
          run: () => RaftLog.compact(core.log, core.snapshot?.index ?? 0),
          appliedIndex: () => core.log.lastIndex,
          isSuspect: () => false,
          takeSnapshot: Effect.ensuring(
            takeSnapshot,
            Effect.sync(() => seen.push(segments().length))
          ),
          until: Condition.make().until
        },
        1
      )
      const timePasses = Effect.forever(Effect.andThen(TestClock.adjust(50), Effect.yieldNow))
      yield* Effect.raceFirst(discarding, timePasses)
      assert.deepStrictEqual(seen, [2, 2, 2, 2])
      assert.isAbove(space.firstIndex(), 1)
    }).pipe(Effect.provide(layerFile({ directory, segmentSizeBytes: 4096 })), Effect.scoped)
  )
})
