/** The orderly end of a member, on the test's clock. C18. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, FiberSet } from "effect"
import { TestClock } from "effect/testing"
import * as Drain from "../../src/Cluster/Drain.ts"
import { begin, turns } from "../Raft/node/Shell.ts"

/** Writes down what happens, and when. */
const start = Effect.gen(function* () {
  const fork = yield* FiberSet.makeRuntime<never>()
  const noted: Array<string> = []
  const note = (what: string) =>
    Effect.map(
      Effect.clockWith((clock) => clock.currentTimeMillis),
      (ms) => void noted.push(`${what} ${ms}`)
    )
  const draining = Drain.make({
    begun: () => {},
    handOver: note("handed over"),
    giveUp: () => {
      noted.push("given up")
    },
    fork
  })
  return { draining, noted }
})

describe("the drain of a member", () => {
  it.effect("hands over once the attempts under way are answered, and ends once the orders are, without a pause", () =>
    Effect.gen(function* () {
      const { draining, noted } = yield* start
      const [endOrder, endAttempt] = [draining.given.begin(), draining.attempted.begin()]
      const drained = yield* begin(draining.drain)
      assert.isTrue(draining.isDraining())
      assert.deepStrictEqual(noted, [])
      endAttempt()
      // An end that is told twice counts once.
      endAttempt()
      yield* turns
      assert.deepStrictEqual(noted, ["handed over 0"])
      assert.isUndefined(drained.settled())
      endOrder()
      yield* drained.join
      assert.isFalse(draining.isStopping())
      // Reads go on for a moment.
      yield* TestClock.adjust("250 millis")
      assert.deepStrictEqual([noted, draining.isStopping()], [["handed over 0", "given up"], true])
    })
  )

  it.effect("waits for no attempt longer than a second, and gives up then", () =>
    Effect.gen(function* () {
      const { draining, noted } = yield* start
      draining.attempted.begin()
      const drained = yield* begin(draining.drain)
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual([noted, draining.isStopping()], [[], false])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual([noted, draining.isStopping()], [["given up", "handed over 1000"], true])
      yield* drained.join
    })
  )
})
