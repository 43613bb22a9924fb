/** The turns of connections while more requests wait than help a node. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Turns from "../../src/Http/Turns.ts"

const start = Effect.gen(function* () {
  const node = { busyCount: Turns.busyMaxCount }
  const turns = yield* Turns.make(() => node.busyCount)
  const released: Array<string> = []
  const wait = (name: string, isOpen = true) =>
    turns.wait({
      release: () => {
        released.push(name)
        return isOpen
      }
    })
  /** A request of another connection is answered. */
  const answer = () => {
    node.busyCount -= 1
    turns.passed()
  }
  return { node, turns, released, wait, answer }
})

/** Lets what waits for the next turn of the event loop have it. */
const nextTurn = Effect.yieldNow.pipe(Effect.repeat({ times: 5 }))

describe("Turns", () => {
  it.effect("connections wait only while as many requests as help are under way", () =>
    Effect.gen(function* () {
      const { node, turns } = yield* start
      assert.isTrue(turns.mustWait())
      node.busyCount -= 1
      assert.isFalse(turns.mustWait())
    }).pipe(Effect.scoped)
  )

  it.effect("each has its turn when another request was answered, in the order in which they came", () =>
    Effect.gen(function* () {
      const { answer, node, released, wait } = yield* start
      for (const name of ["a", "b", "c"]) wait(name)
      yield* nextTurn
      assert.deepStrictEqual(released, [])
      answer()
      assert.deepStrictEqual(released, ["a"])
      // Its next request has come.
      node.busyCount += 1
      yield* nextTurn
      assert.deepStrictEqual(released, ["a"])
      answer()
      assert.deepStrictEqual(released, ["a", "b"])
    }).pipe(Effect.scoped)
  )

  it.effect("one that sends nothing, or is closed, keeps nobody from having a turn", () =>
    Effect.gen(function* () {
      const { answer, released, wait } = yield* start
      wait("closed", false)
      wait("silent")
      wait("next")
      answer()
      assert.deepStrictEqual(released, ["closed", "silent"])
      yield* nextTurn
      assert.deepStrictEqual(released, ["closed", "silent", "next"])
    }).pipe(Effect.scoped)
  )

  it.effect("all have their turn once the requests are answered, however many wait", () =>
    Effect.gen(function* () {
      const { node, released, turns, wait } = yield* start
      const names = Array.from({ length: 3 * Turns.busyMaxCount }, (_, at) => `${at}`)
      for (const name of names) wait(name)
      node.busyCount = 0
      turns.passed()
      assert.strictEqual(released.length, Turns.busyMaxCount)
      yield* nextTurn
      assert.deepStrictEqual(released, names)
    }).pipe(Effect.scoped)
  )

  it.effect("none waits for longer than a second, even if no request is answered", () =>
    Effect.gen(function* () {
      const { released, wait } = yield* start
      wait("first")
      yield* TestClock.adjust(Turns.turnMaxMs / 2)
      wait("second")
      yield* TestClock.adjust(Turns.turnMaxMs / 2 - 100)
      assert.deepStrictEqual(released, [])
      yield* TestClock.adjust(200)
      assert.deepStrictEqual(released, ["first"])
      yield* TestClock.adjust(Turns.turnMaxMs)
      assert.deepStrictEqual(released, ["first", "second"])
    }).pipe(Effect.scoped)
  )
})
