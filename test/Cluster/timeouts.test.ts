import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, FiberSet } from "effect"
import { TestClock } from "effect/testing"
import * as Timeouts from "../../src/Cluster/Timeouts.ts"

describe("Timeouts", () => {
  it.effect("expires each limit once, in time, unless it was removed, and goes on after the list was empty", () =>
    Effect.gen(function* () {
      let fibersCount = 0
      const run = yield* FiberSet.makeRuntime<never>()
      const fork = (effect: Effect.Effect<void>) => {
        fibersCount += 1
        run(effect)
      }
      const timeouts = Timeouts.make({ clock: yield* Clock.Clock, fork })
      const expired: Array<string> = []
      const after = (name: string, ms: number) => {
        return timeouts.add(timeouts.nowMs() + ms, () => void expired.push(name))
      }
      after("late", 500)
      after("soon", 100)
      const removed = after("removed", 100)
      timeouts.remove(removed)
      yield* TestClock.adjust("90 millis")
      assert.deepStrictEqual(expired, [])
      yield* TestClock.adjust("20 millis")
      assert.deepStrictEqual(expired, ["soon"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(expired, ["soon", "late"])
      assert.strictEqual(fibersCount, 1)
      after("another", 100)
      yield* TestClock.adjust("110 millis")
      assert.deepStrictEqual([expired, fibersCount], [["soon", "late", "another"], 2])
    })
  )

  it.effect("sweeps a limit that is added while the last one expires", () =>
    Effect.gen(function* () {
      const fork = yield* FiberSet.makeRuntime<never>()
      const timeouts = Timeouts.make({ clock: yield* Clock.Clock, fork })
      let isOver = false
      timeouts.add(timeouts.nowMs() + 50, () =>
        timeouts.add(timeouts.nowMs() + 50, () => {
          isOver = true
        })
      )
      yield* TestClock.adjust("200 millis")
      assert.isTrue(isOver)
    })
  )
})
