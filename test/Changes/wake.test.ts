/** Followers at the end of a log go on with each entry, also with those that are applied while others are being woken. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Wake from "../../src/Changes/Wake.ts"
import * as Condition from "../../src/Raft/node/Condition.ts"

const makeLog = () => {
  let applied = 0
  const condition = Condition.make()
  return {
    appliedIndex: () => applied,
    applied: (index: number) => condition.until(() => applied >= index),
    append: (): void => {
      applied += 1
      condition.changed()
    }
  }
}

it.effect(
  "each follower gets the last entry, although it was applied while followers were woken for the one before",
  () =>
    Effect.gen(function* () {
      const followersCount = 40
      const last = 20
      const log = makeLog()
      const applied = yield* Wake.make(log)
      const seen = new Array<number>(followersCount).fill(0)
      /** Follows to the end, and writes the next entry as soon as it has seen one first. */
      const follow = Effect.fnUntraced(function* (who: number) {
        for (let index = 1; index <= last; index++) {
          yield* applied(index)
          seen[who] = index
          if (log.appliedIndex() === index && index < last && who === index % followersCount) log.append()
        }
      })
      const followers = yield* Effect.forEach(seen, (_, who) => Effect.forkChild(follow(who)))
      yield* Effect.yieldNow
      log.append()
      for (let turn = 0; turn < 10_000; turn++) yield* Effect.yieldNow
      const behind = seen.filter((index) => index < last).length
      yield* Effect.forEach(followers, Fiber.interrupt)
      assert.strictEqual(behind, 0)
    })
)
