/** Waiting for what may come true: whoever waits goes on when it holds, and is otherwise left alone. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Condition from "../../../src/Raft/node/Condition.ts"

describe("a condition", () => {
  it.effect("lets those go on for whom it holds, and nobody else", () =>
    Effect.gen(function* () {
      const condition = Condition.make()
      let index = 0
      const reached: Array<number> = []
      const waiting = yield* Effect.forEach([3, 1, 2, 2], (awaited) =>
        Effect.forkChild(
          Effect.map(
            condition.until(() => index >= awaited),
            () => void reached.push(awaited)
          ),
          { startImmediately: true }
        )
      )
      for (const expected of [[], [1], [1, 2, 2], [1, 2, 2, 3]]) {
        condition.changed()
        yield* Effect.yieldNow
        assert.deepStrictEqual(reached, expected)
        index += 1
      }
      yield* Fiber.joinAll(waiting)
      yield* condition.until(() => true)
    })
  )

  it.effect("lets nobody go on before the change is over: a node's turn comes first", () =>
    Effect.gen(function* () {
      const condition = Condition.make()
      const state = { holds: false, goneOn: false }
      const waiting = yield* Effect.forkChild(
        Effect.map(
          condition.until(() => state.holds),
          () => {
            state.goneOn = true
          }
        ),
        { startImmediately: true }
      )
      state.holds = true
      condition.changed()
      assert.isFalse(state.goneOn)
      yield* Fiber.join(waiting)
      assert.isTrue(state.goneOn)
    })
  )

  it.effect(
    "asks no more of those who gave up, and again of those for whom it ceased to hold before they went on",
    () =>
      Effect.gen(function* () {
        const condition = Condition.make()
        let askedCount = 0
        const asking = condition.until(() => ++askedCount < 0)
        const givingUp = yield* Effect.forkChild(asking, { startImmediately: true })
        yield* Fiber.interrupt(givingUp)
        condition.changed()
        assert.strictEqual(askedCount, 1)

        const state = { holds: false, goneOn: false }
        yield* Effect.forkChild(
          Effect.map(
            condition.until(() => state.holds),
            () => {
              assert.isTrue(state.holds)
              state.goneOn = true
            }
          ),
          { startImmediately: true }
        )
        for (const holds of [true, false, true]) {
          state.holds = holds
          condition.changed()
        }
        yield* Effect.yieldNow
        assert.isTrue(state.goneOn)
      })
  )
})
