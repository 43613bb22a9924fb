/** Erasures of runs drawn from seeds. `LITHAIR_ERASE_SEEDS=100` runs so many, `LITHAIR_ERASE_FROM=17` from that one on. */
import { assert, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { run } from "./EraseRun.ts"

const count = Number(process.env.LITHAIR_ERASE_SEEDS ?? 2)
const from = Number(process.env.LITHAIR_ERASE_FROM ?? 1)

it.effect(
  `nothing tells an erased value, on disk or in an answer, while nodes crash, lag, leave and join, seeds ${from} to ${from + count - 1}`,
  () =>
    Effect.gen(function* () {
      const counts = { written: 0, erased: 0, crashes: 0, learners: 0 }
      for (let seed = from; seed < from + count; seed++) {
        const { crashes, erased, learners, written } = yield* Effect.annotateLogs(run(seed), { seed })
        counts.written += written
        counts.erased += erased
        counts.crashes += crashes
        counts.learners += learners
      }
      assert.isAbove(counts.written, 50 * count)
      assert.isAbove(counts.erased, 2 * count)
      assert.isAbove(counts.crashes, 0)
      assert.isAbove(counts.learners, 0)
    }).pipe(Effect.provide(Logger.layer([]))),
  30_000 + count * 30_000
)
