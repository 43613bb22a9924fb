/** A restore that takes long says how far it is; a short one says nothing. */
import { assert, it } from "@effect/vitest"
import { Clock, Effect, Logger, Result } from "effect"
import { SnapshotStore } from "../../../src/EventStore/SnapshotStore.ts"
import { layerMemory } from "../../../src/EventStore/Snapshots.ts"
import { encodeConfiguration } from "../../../src/Raft/core/ConfigurationCodec.ts"
import { restoreNewest } from "../../../src/Raft/node/restoreMachine.ts"

const chunksCount = 10

/** What a restore logs on a clock that moves on by so much with each look. */
const logged = (stepNanos: bigint) =>
  Effect.gen(function* () {
    const store = yield* SnapshotStore
    const configuration = encodeConfiguration({
      voters: [{ id: "a", address: "127.0.0.1:1", instanceId: "i" }],
      learners: []
    })
    const content = Array.from({ length: chunksCount }, () => new Uint8Array(64 * 1024))
    yield* store.write({ index: 7, term: 1, configuration, content })
    const told: Array<unknown> = []
    const logger = Logger.make(({ message }) => void told.push(message))
    const clock = yield* Clock.Clock
    let nowNanos = 0n
    const moving: Clock.Clock = {
      ...clock,
      monotonicTimeNanosUnsafe: () => {
        nowNanos += stepNanos
        return nowNanos
      }
    }
    const restored = yield* restoreNewest(
      { restoring: () => ({ take: () => {}, end: () => Result.void }) },
      "counted",
      0
    ).pipe(Effect.provideService(Clock.Clock, moving), Effect.provide(Logger.layer([logger])))
    assert.strictEqual(restored?.index, 7)
    return told.flat()
  }).pipe(Effect.scoped, Effect.provide(layerMemory))

it.effect("says once a second how much of a snapshot is restored, if it takes longer than that", () =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* logged(1_000_000n), [])
    const told = yield* logged(500_000_000n)
    assert.deepStrictEqual(
      told,
      [20, 40, 60, 80, 100].map((percent) => `Restoring the snapshot at 7: ${percent} %`)
    )
  })
)
