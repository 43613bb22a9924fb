/** How new a read is, on a clock that the test moves and a member that it plays. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, FiberSet } from "effect"
import { TestClock } from "effect/testing"
import * as Confirmation from "../../src/Cluster/Confirmation.ts"
import * as Condition from "../../src/Raft/node/Condition.ts"
import { NotDone } from "../../src/Raft/node/Outcome.ts"
import { beginEffect } from "../../src/Raft/node/Settle.ts"
import * as Freshness from "../../src/Repository/Freshness.ts"

/** A member that has applied `appliedIndex`, and takes `roundMs` to have a quorum confirm it, or never does. */
const played = {
  appliedIndex: 7,
  roundMs: 10,
  isCutOff: false,
  isLeaving: false,
  isRemoved: false,
  isSuspect: false,
  confirmedCount: 0
}

type PlayedNode = ReturnType<Parameters<typeof Freshness.make>[0]["node"]>

const startWith = Effect.fnUntraced(function* (differing: Partial<typeof played>) {
  const member = { ...played, ...differing }
  const cutOff = new NotDone({ reason: "no-quorum", message: "No leader is reachable" })
  const fork = yield* FiberSet.makeRuntime<never>()
  const clock = yield* Clock.Clock
  const round = Effect.gen(function* () {
    yield* Effect.sleep(member.roundMs)
    if (member.isCutOff) return yield* cutOff
    member.confirmedCount++
    return member.appliedIndex
  })
  const changes = Condition.make()
  const confirming = Confirmation.make({
    onConfirmed: changes.changed,
    readIndex: (settle) => beginEffect(fork, round, settle),
    nowMs: () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
  })
  yield* Effect.forkScoped(confirming.first)
  const { freshen } = yield* Freshness.make({
    ...confirming,
    until: changes.until,
    isStopping: () => member.isLeaving,
    isRemoved: () => member.isRemoved,
    node: () =>
      ({
        appliedIndex: () => member.appliedIndex,
        states: { isSuspect: () => member.isSuspect } as NonNullable<PlayedNode>["states"]
      }) as PlayedNode
  })
  /** Changes the member, and says so. */
  const become = (differing: Partial<typeof played>): void => {
    Object.assign(member, differing)
    changes.changed()
  }
  return { member, freshen, become }
})

/** One that a quorum has just confirmed. */
const start = Effect.gen(function* () {
  const started = yield* startWith({ roundMs: 0 })
  yield* TestClock.adjust(0)
  Object.assign(started.member, { roundMs: played.roundMs, confirmedCount: 0 })
  return started
})

/** What becomes of it once this much time has passed. */
const after = <A, E>(durationMs: number, effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
    yield* TestClock.adjust(durationMs)
    return yield* Fiber.join(fiber)
  })

const local = (staleMaxMs?: number): Freshness.Consistency => ({
  _tag: "Local",
  ...(staleMaxMs === undefined ? {} : { staleMaxMs })
})

describe("freshness", () => {
  it.effect("a linearizable read waits for a quorum, and is refused where none is", () =>
    Effect.gen(function* () {
      const { freshen, member } = yield* start
      assert.deepStrictEqual(yield* after(10, freshen(Freshness.linearizable)), {})
      assert.strictEqual(member.confirmedCount, 1)
      member.isCutOff = true
      assert.strictEqual((yield* Effect.flip(after(10, freshen(Freshness.linearizable))))._tag, "NotDone")
    })
  )

  it.effect("a suspect state serves no read, not even those that waited when the alarm came", () =>
    Effect.gen(function* () {
      const { become, freshen, member } = yield* start
      const waiting = yield* Effect.forkChild(Effect.flip(freshen({ _tag: "Session", minIndex: 8 })), {
        startImmediately: true
      })
      member.isSuspect = true
      for (const consistency of [
        local(),
        local(1_000),
        Freshness.linearizable,
        { _tag: "Session", minIndex: 7 }
      ] as const) {
        assert.strictEqual((yield* Effect.flip(freshen(consistency)))._tag, "NotDone")
      }
      become({ appliedIndex: 8 })
      yield* TestClock.adjust(10)
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "NotDone")
      assert.strictEqual(member.confirmedCount, 0)
    })
  )

  it.effect("a session waits until its index is applied, at most 5 s, and asks no quorum", () =>
    Effect.gen(function* () {
      const { become, freshen, member } = yield* start
      assert.deepStrictEqual(yield* freshen({ _tag: "Session", minIndex: 7 }), {})
      const waiting = yield* Effect.forkChild(freshen({ _tag: "Session", minIndex: 8 }), { startImmediately: true })
      yield* TestClock.adjust(4_000)
      assert.isUndefined(waiting.pollUnsafe())
      become({ appliedIndex: 8 })
      assert.deepStrictEqual(yield* Fiber.join(waiting), {})
      const met = yield* Effect.flip(after(Freshness.sessionWaitMs, freshen({ _tag: "Session", minIndex: 9 })))
      assert.strictEqual(met._tag, "NotCaughtUp")
      const left = yield* Effect.forkChild(freshen({ _tag: "Session", minIndex: 9 }), { startImmediately: true })
      become({ isLeaving: true })
      assert.strictEqual((yield* Effect.flip(Fiber.join(left)))._tag, "NotCaughtUp")
      const later = yield* Effect.flip(freshen({ _tag: "Session", minIndex: 9 }))
      assert.strictEqual(later._tag, "NotCaughtUp", "a node that is to stop is not waited for")
      assert.strictEqual(member.confirmedCount, 0)
    })
  )

  it.effect("a local read answers at once; its age is the time since the last confirmation began", () =>
    Effect.gen(function* () {
      const { freshen, member } = yield* start
      assert.deepStrictEqual(yield* freshen(local()), { staleMs: 0 })
      yield* TestClock.adjust(90)
      assert.deepStrictEqual(yield* freshen(local()), { staleMs: 90 })
      assert.strictEqual(member.confirmedCount, 0, "one that is recent enough is not renewed")
      yield* TestClock.adjust(110)
      assert.deepStrictEqual(yield* freshen(local()), { staleMs: 200 })
      yield* TestClock.adjust(10)
      assert.strictEqual(member.confirmedCount, 1)
      assert.deepStrictEqual(yield* freshen(local()), { staleMs: 10 })
    })
  )

  it.effect(
    "a node that has just started answers no read until a quorum confirms what it has, and asks by itself",
    () =>
      Effect.gen(function* () {
        const { freshen, member } = yield* startWith({ isCutOff: true })
        const reads = [
          Freshness.linearizable,
          local(),
          local(1_000_000),
          { _tag: "Session", minIndex: 0 },
          { _tag: "Session", minIndex: 7 }
        ] as const
        for (const consistency of reads) {
          const met = yield* Effect.flip(after(Freshness.sessionWaitMs, freshen(consistency)))
          assert.strictEqual(met._tag === "NotDone" ? met.reason : met._tag, "starting", consistency._tag)
        }
        const waiting = yield* Effect.forkChild(freshen({ _tag: "Session", minIndex: 0 }), { startImmediately: true })
        member.isCutOff = false
        yield* TestClock.adjust(200)
        assert.deepStrictEqual(yield* Fiber.join(waiting), {})
        assert.strictEqual(member.confirmedCount, 1, "nobody asked for it")
        assert.containsAllKeys(yield* freshen(local()), ["staleMs"])
      })
  )

  it.effect("a member that was removed answers no read, however old it may be", () =>
    Effect.gen(function* () {
      const { freshen, member } = yield* start
      member.isRemoved = true
      for (const consistency of [local(), local(1_000), { _tag: "Session", minIndex: 0 } as const]) {
        const met = yield* Effect.flip(freshen(consistency))
        assert.strictEqual(met._tag === "NotDone" ? met.reason : met._tag, "removed")
      }
    })
  )

  it.effect("cut off from a quorum, a local read goes on and its age grows", () =>
    Effect.gen(function* () {
      const { freshen, member } = yield* start
      yield* after(10, freshen(Freshness.linearizable))
      member.isCutOff = true
      for (let second = 1; second <= 3; second++) {
        yield* TestClock.adjust(1_000)
        assert.deepStrictEqual(yield* freshen(local()), { staleMs: 10 + second * 1_000 })
      }
    })
  )

  it.effect("an age above the limit is confirmed away, or the read is too stale", () =>
    Effect.gen(function* () {
      const { freshen, member } = yield* start
      assert.deepStrictEqual(yield* after(10, freshen(local(0))), { staleMs: 0 })
      yield* TestClock.adjust(500)
      assert.deepStrictEqual(yield* freshen(local(600)), { staleMs: 510 })
      member.isCutOff = true
      const met = yield* Effect.flip(after(10, freshen(local(400))))
      assert.strictEqual(met._tag, "TooStale")
    })
  )
})
