/** Followers of runs drawn from seeds. `LITHAIR_FOLLOW_SEEDS=100` runs so many, `LITHAIR_FOLLOW_FROM=17` from that one on. */
import { assert, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { run } from "./FollowRun.ts"

const count = Number(process.env.LITHAIR_FOLLOW_SEEDS ?? 4)
const from = Number(process.env.LITHAIR_FOLLOW_FROM ?? 1)

it.effect(
  `live equals list at every index, and each follower is told each change once and in order, while nodes crash and followers move, seeds ${from} to ${from + count - 1}`,
  () =>
    Effect.gen(function* () {
      const counts = { pages: 0, changes: 0, moves: 0, crashes: 0 }
      for (let seed = from; seed < from + count; seed++) {
        const { changes, crashes, moves, pages } = yield* Effect.annotateLogs(run(seed), { seed })
        counts.pages += pages
        counts.changes += changes
        counts.moves += moves
        counts.crashes += crashes
      }
      assert.isAbove(counts.pages, 100 * count)
      assert.isAbove(counts.changes, 50 * count)
      assert.isAbove(counts.moves, 10 * count)
      assert.isAbove(counts.crashes, 0)
    }).pipe(Effect.provide(Logger.layer([]))),
  10_000 + count * 20_000
)
