import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber } from "effect"
import { type Begin, beginEffect, flatMapOutcome, outcomeOf, settleNow } from "../../../src/Raft/node/Settle.ts"

const succeeding: Begin<number, string> = (settle) => settleNow(settle, Exit.succeed(1))
const failing: Begin<number, string> = (settle) => settleNow(settle, Exit.fail("refused"))

describe("a request without a fiber", () => {
  it.effect("goes on with its value, keeps its failure, and ends with the defect of what follows it", () =>
    Effect.gen(function* () {
      const next = (value: number) => Exit.succeed(value + 1)
      assert.strictEqual(yield* outcomeOf(flatMapOutcome(succeeding, next)), 2)
      assert.strictEqual(yield* Effect.flip(outcomeOf(flatMapOutcome(failing, next))), "refused")
      const defect = new Error("a defect")
      const exit = yield* Effect.exit(
        outcomeOf(
          flatMapOutcome(succeeding, (): Exit.Exit<number> => {
            throw defect
          })
        )
      )
      assert.isTrue(Exit.isFailure(exit) && Cause.squash(exit.cause) === defect)
    })
  )

  it.effect("is given up by an interruption, and the effect that it began ends with it", () =>
    Effect.gen(function* () {
      let ended = 0
      const end = Effect.sync(() => {
        ended += 1
      })
      const never = Effect.onInterrupt(Effect.never, () => end)
      const outcomes: Array<unknown> = []
      const begin: Begin<never, never> = (settle) =>
        beginEffect(Effect.runFork, never, (exit) => {
          outcomes.push(exit)
          settle(exit)
        })
      const waiting = yield* Effect.forkChild(outcomeOf(begin), { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      yield* Effect.yieldNow
      assert.deepStrictEqual([ended, outcomes], [1, []])
    })
  )
})
