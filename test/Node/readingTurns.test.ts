/** Connections of a crowded node are read in turns. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { inTurnsFrom, make } from "../../src/Node/ReadingTurns.ts"

/** Waits until something holds, while the event loop goes on. */
const until = (isSo: () => boolean) =>
  Effect.promise(async () => {
    while (!isSo()) await new Promise((resume) => setImmediate(resume))
  })

/** Lets so much time pass. */
const pass = (ms: number) => {
  const endMs = performance.now() + ms
  return until(() => performance.now() >= endMs)
}

describe("connections that rest", () => {
  it.live("are read in their order once nothing is crowded, and not before", () =>
    Effect.gen(function* () {
      const turns = make()
      let isCrowded = true
      const read: Array<number> = []
      for (const number of [1, 2, 3])
        turns.await(
          () => isCrowded,
          () => read.push(number)
        )
      yield* pass(20)
      assert.deepStrictEqual(read, [])
      isCrowded = false
      yield* until(() => read.length === 3)
      assert.deepStrictEqual(read, [1, 2, 3])
      // The turns go on after a pause.
      turns.await(
        () => isCrowded,
        () => read.push(4)
      )
      yield* until(() => read.length === 4)
    })
  )

  it.live("are read by as many at once as keep a node busy, so that what they send can make it crowded again", () =>
    Effect.gen(function* () {
      const turns = make()
      let readCount = 0
      for (let count = 0; count < 3 * inTurnsFrom; count++) {
        turns.await(
          () => readCount >= inTurnsFrom,
          () => void readCount++
        )
      }
      yield* until(() => readCount > 0)
      yield* pass(20)
      assert.strictEqual(readCount, inTurnsFrom)
    })
  )

  it.live("are read after a while in any case", () =>
    Effect.gen(function* () {
      const turns = make(30)
      const beganMs = performance.now()
      let readMs = 0
      turns.await(
        () => true,
        () => {
          readMs = performance.now()
        }
      )
      yield* until(() => readMs > 0)
      assert.isAtLeast(readMs - beganMs, 30)
    })
  )
})
