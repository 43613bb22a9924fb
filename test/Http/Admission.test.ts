import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Admission from "../../src/Http/Admission.ts"
import { bodySizeMaxBytes, Reserve, Turn } from "../../src/Http/Body.ts"
import { IsLeaving, withDeadline } from "../../src/Http/BodyDeadline.ts"

/** Keeps the thread. */
const work = (ms: number) =>
  Effect.sync(() => {
    const endMs = performance.now() + ms
    while (performance.now() < endMs);
  })

/** A clock whose time does not pass. */
const stillClock: Clock.Clock = {
  currentTimeMillisUnsafe: () => 0,
  currentTimeMillis: Effect.succeed(0),
  currentTimeNanosUnsafe: () => 0n,
  currentTimeNanos: Effect.succeed(0n),
  monotonicTimeNanosUnsafe: () => 0n,
  monotonicTimeNanos: Effect.succeed(0n),
  sleep: () => Effect.never
}

describe("Admission", () => {
  it.live("requests begin in slices, and whatever else waits has its turn between two of them", () =>
    Effect.gen(function* () {
      const { admit } = yield* Admission.make
      let turnsCount = 0
      const others = yield* Effect.forkScoped(
        Effect.forever(
          Effect.andThen(
            Effect.yieldNow,
            Effect.sync(() => turnsCount++)
          )
        )
      )
      const seen = yield* Effect.forEach(
        Array.from({ length: 20 }),
        () => admit(Effect.map(work(4), () => turnsCount)),
        { concurrency: "unbounded" }
      )
      yield* Fiber.interrupt(others)
      // 80 ms of work in slices of 10 ms, each of which ends with the request that it is over in.
      assert.isAtLeast(new Set(seen).size, 3, seen.join())
    }).pipe(Effect.scoped)
  )

  it.live("a body that has come is worked on in a slice too", () =>
    Effect.gen(function* () {
      const { admit } = yield* Admission.make
      const order: Array<string> = []
      const big = admit(Effect.andThen(Effect.andThen(work(15), Effect.flatten(Turn)), work(1))).pipe(
        Effect.andThen(Effect.sync(() => order.push("body")))
      )
      const other = Effect.sync(() => order.push("other"))
      yield* Effect.all([big, Effect.andThen(Effect.yieldNow, other)], { concurrency: "unbounded" })
      assert.deepStrictEqual(order, ["other", "body"])
    }).pipe(Effect.scoped)
  )

  it.effect("others are refused while one waits for its turn for too long, and no longer", () => {
    let nowNanos = 0n
    const clock: Clock.Clock = { ...stillClock, monotonicTimeNanosUnsafe: () => nowNanos }
    const passMs = (ms: number) => {
      nowNanos += BigInt(ms) * 1_000_000n
    }
    return Effect.gen(function* () {
      const { enter } = yield* Admission.make
      const begun: Array<string> = []
      const ask = (name: string) => enter()?.turn(() => void begun.push(name))
      ask("first")
      // The slice that it began in is over.
      passMs(11)
      ask("second")
      passMs(Admission.turnMaxMs)
      ask("third")
      passMs(1)
      assert.isUndefined(enter())
      assert.deepStrictEqual(begun, ["first"])
      while (begun.length < 3) yield* Effect.yieldNow
      assert.deepStrictEqual(begun, ["first", "second", "third"])
      assert.isDefined(enter())
    }).pipe(Effect.scoped, Effect.provideService(Clock.Clock, clock))
  })

  it.effect("whoever waits for a body waits 10 s at most, and not for one once the node is to go", () =>
    Effect.gen(function* () {
      const { admit } = yield* Admission.make
      let isLeaving = false
      const waiting = admit(withDeadline(Effect.never)).pipe(
        Effect.provideService(IsLeaving, () => isLeaving),
        Effect.flip
      )
      const first = yield* Effect.forkScoped(waiting)
      yield* TestClock.adjust("9900 millis")
      assert.isUndefined(first.pollUnsafe())
      yield* TestClock.adjust("200 millis")
      assert.strictEqual((yield* Fiber.join(first)).kind, "request-timeout")
      const second = yield* Effect.forkScoped(waiting)
      yield* TestClock.adjust("1 second")
      assert.isUndefined(second.pollUnsafe())
      isLeaving = true
      yield* TestClock.adjust("200 millis")
      assert.strictEqual((yield* Fiber.join(second)).kind, "draining")
      const read = admit(withDeadline(Effect.delay(Effect.succeed("body"), 1_000)))
      const third = yield* Effect.forkScoped(read)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(third), "body")
    }).pipe(Effect.scoped)
  )

  it.effect("what is one too many, or would be one byte too many, is refused before it has begun, as overloaded", () =>
    Effect.gen(function* () {
      const { admit } = yield* Admission.make
      const until = yield* Deferred.make<void>()
      let begunCount = 0
      const handler = Effect.andThen(
        Effect.sync(() => begunCount++),
        Deferred.await(until)
      )
      const reading = (bytes: number) => Effect.flatMap(Reserve, (reserve) => reserve(bytes))
      const bodies = yield* Effect.forEach(Array.from({ length: 16 }), () =>
        Effect.forkScoped(admit(Effect.andThen(reading(bodySizeMaxBytes), handler)))
      )
      yield* Effect.yieldNow
      const large = yield* Effect.flip(admit(Effect.andThen(reading(1), handler)))
      assert.deepStrictEqual([large.kind, large.status, large.members.definite], ["overloaded", 503, true])
      const others = yield* Effect.forEach(Array.from({ length: Admission.requestsMaxCount - 16 }), () =>
        Effect.forkScoped(admit(handler))
      )
      yield* Effect.yieldNow
      assert.strictEqual((yield* Effect.flip(admit(handler))).kind, "overloaded")
      yield* Deferred.succeed(until, undefined)
      yield* Effect.forEach([...bodies, ...others], Fiber.join, { discard: true })
      assert.strictEqual(begunCount, Admission.requestsMaxCount)
      yield* admit(reading(Admission.bodiesMaxBytes))
    }).pipe(Effect.scoped)
  )
})
