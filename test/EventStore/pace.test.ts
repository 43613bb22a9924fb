/** Work in the background leaves most of the time to others. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { makeNextSegment } from "../../src/EventStore/NextSegment.ts"
import { rests, SYNCED_AT_ONCE_BYTES } from "../../src/EventStore/Pace.ts"

/** A clock that moves when work is done on it, and notes how long effects sleep. */
const workClock = () => {
  let nowMs = 0
  const sleptMs: Array<number> = []
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => nowMs,
    currentTimeMillis: Effect.sync(() => nowMs),
    currentTimeNanosUnsafe: () => BigInt(nowMs) * 1_000_000n,
    currentTimeNanos: Effect.sync(() => BigInt(nowMs) * 1_000_000n),
    monotonicTimeNanosUnsafe: () => BigInt(nowMs) * 1_000_000n,
    monotonicTimeNanos: Effect.sync(() => BigInt(nowMs) * 1_000_000n),
    sleep: (duration) =>
      Effect.sync(() => {
        sleptMs.push(Duration.toMillis(duration))
        nowMs += Duration.toMillis(duration)
      })
  }
  const work = (ms: number) =>
    Effect.sync(() => {
      nowMs += ms
    })
  return { clock, sleptMs, work }
}

/** A clock by which all work takes a while, and effects sleep for no time. */
const countingClock = () => {
  let nowMs = 0
  let sleepsCount = 0
  const passed = (): bigint => BigInt(nowMs++) * 1_000_000n
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => nowMs,
    currentTimeMillis: Effect.sync(() => nowMs),
    currentTimeNanosUnsafe: passed,
    currentTimeNanos: Effect.sync(passed),
    monotonicTimeNanosUnsafe: passed,
    monotonicTimeNanos: Effect.sync(passed),
    sleep: () =>
      Effect.sync(() => {
        sleepsCount += 1
      })
  }
  return { clock, sleepsCount: () => sleepsCount }
}

describe("the pace of work in the background", () => {
  it.live("the preparation of a segment rests between its steps, unless an append waits for it", () => {
    const directory = mkdtempSync(join(tmpdir(), "lithair-pace-"))
    const { clock, sleepsCount } = countingClock()
    const sizeBytes = 4 * SYNCED_AT_ONCE_BYTES
    return Effect.gen(function* () {
      const next = yield* makeNextSegment(directory)
      yield* next.prepare({ after: 1, sizeBytes, isAwaited: true })
      assert.deepStrictEqual([next.readyBytes(), sleepsCount()], [sizeBytes, 0])
      yield* next.remove
      yield* next.prepare({ after: 1, sizeBytes })
      assert.deepStrictEqual([next.readyBytes(), sleepsCount()], [sizeBytes, 4])
    }).pipe(
      Effect.provideService(Clock.Clock, clock),
      Effect.ensuring(Effect.sync(() => rmSync(directory, { recursive: true })))
    )
  })

  it.effect("rests four times as long as it worked, and not for its rests, and never for long", () => {
    const { clock, sleptMs, work } = workClock()
    return Effect.gen(function* () {
      const rest = yield* rests
      for (const workedMs of [1, 3, 0, 5, 100, 2]) {
        yield* work(workedMs)
        yield* rest
      }
      assert.deepStrictEqual(
        sleptMs.filter((ms) => ms > 0),
        [4, 12, 20, 20, 8]
      )
    }).pipe(Effect.provideService(Clock.Clock, clock))
  })
})
