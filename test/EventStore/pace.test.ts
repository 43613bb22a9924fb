/** Work in the background leaves most of the time to others. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { rests } from "../../src/EventStore/Pace.ts"

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

describe("the pace of work in the background", () => {
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
