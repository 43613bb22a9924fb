/** The turns of a node's followers: however many there are, they leave time for other work. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Turns from "../../src/Changes/Turns.ts"

describe("the turns of followers", () => {
  it.effect("rest after so many steps, and go on one after another", () =>
    Effect.gen(function* () {
      const inTurn = yield* Turns.make
      let doneCount = 0
      const step = inTurn(
        Effect.sync(() => {
          doneCount += 1
        })
      )
      yield* Effect.forkChild(Effect.forEach(Array.from({ length: 1_000 }), () => step, { concurrency: "unbounded" }))
      yield* TestClock.adjust(0)
      // Time stands still, so each step costs what its reader does with it: 40 µs of 1 ms.
      const first = doneCount
      assert.isAtLeast(first, 25)
      assert.isAtMost(first, 25 + 4)
      yield* TestClock.adjust(2)
      assert.isAbove(doneCount, first)
      assert.isAtMost(doneCount, 2 * (25 + 4))
      yield* TestClock.adjust(1_000)
      assert.strictEqual(doneCount, 1_000)
    })
  )

  it.effect("go on after a step that fails or is interrupted", () =>
    Effect.gen(function* () {
      const inTurn = yield* Turns.make
      for (let count = 0; count < 9; count++) yield* Effect.exit(inTurn(Effect.fail("no")))
      for (let count = 0; count < 9; count++) {
        const fiber = yield* Effect.forkChild(inTurn(Effect.never))
        yield* Effect.yieldNow
        fiber.interruptUnsafe()
        yield* Effect.yieldNow
      }
      assert.strictEqual(yield* inTurn(Effect.succeed(1)), 1)
    })
  )
})
