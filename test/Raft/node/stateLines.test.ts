/** Lines about things that change their state, in virtual time. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, FiberSet, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as StateLines from "../../../src/Raft/node/StateLines.ts"

const make = Effect.gen(function* () {
  const said: Array<string> = []
  const logger = Logger.layer([Logger.make(({ message }) => void said.push(String(message)))])
  const clock = yield* Clock.Clock
  const run = yield* FiberSet.makeRuntime<never>()
  const lines = StateLines.make<"up" | "down">({
    nowNanos: () => clock.monotonicTimeNanosUnsafe(),
    fork: (effect) => void run(Effect.provide(effect, logger)),
    initial: "down"
  })
  const change = (thing: string, state: "up" | "down") =>
    Effect.andThen(
      Effect.sync(() => lines.changed(thing, state, (meanwhile) => Effect.logInfo(`${thing} is ${state}${meanwhile}`))),
      Effect.yieldNow
    )
  return { said, change, lines }
})

describe("a thing that changes its state", () => {
  it.effect("has a line for each change, and none for its first state or for what it already is", () =>
    Effect.gen(function* () {
      const { change, said } = yield* make
      yield* change("a", "down")
      yield* change("a", "up")
      yield* change("a", "up")
      yield* change("b", "up")
      yield* TestClock.adjust("10 seconds")
      yield* change("a", "down")
      assert.deepStrictEqual(said, ["a is up", "b is up", "a is down"])
    })
  )

  it.effect("that flaps has a line every ten seconds, with how often it changed, and its last state is told", () =>
    Effect.gen(function* () {
      const { change, said } = yield* make
      yield* change("a", "up")
      for (let times = 0; times < 50; times++) {
        yield* change("a", "down")
        yield* change("a", "up")
      }
      yield* change("a", "down")
      assert.deepStrictEqual(said, ["a is up"])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(said, ["a is up", "a is down (100 other changes since the last such line)"])
      // It is back where the last line left it: that is no news.
      yield* change("a", "up")
      yield* change("a", "down")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(said.length, 2)
      yield* change("a", "up")
      assert.strictEqual(said[2], "a is up (2 other changes since the last such line)")
    })
  )

  it.effect("and is forgotten meanwhile has no line", () =>
    Effect.gen(function* () {
      const { change, lines, said } = yield* make
      yield* change("a", "up")
      yield* change("a", "down")
      lines.forget("a")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(said, ["a is up"])
    })
  )
})
