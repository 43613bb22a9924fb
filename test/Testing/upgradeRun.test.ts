/** Rolling upgrades drawn from seeds. `LITHAIR_UPGRADE_SEEDS=100` runs so many, `LITHAIR_UPGRADE_FROM=17` from that one on. */
import { assert, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { run } from "./UpgradeRun.ts"

const count = Number(process.env.LITHAIR_UPGRADE_SEEDS ?? 4)
const from = Number(process.env.LITHAIR_UPGRADE_FROM ?? 1)

it.effect(
  `a version becomes active once every member has it, and its records are stored as the leader reads them, seeds ${from} to ${from + count - 1}`,
  () =>
    Effect.gen(function* () {
      const counts = { refused: 0, written: 0, crashes: 0 }
      for (let seed = from; seed < from + count; seed++) {
        const { crashes, refused, written } = yield* Effect.annotateLogs(run(seed), { seed })
        counts.refused += refused
        counts.written += written
        counts.crashes += crashes
      }
      assert.isAbove(counts.refused, 0)
      assert.isAbove(counts.written, count)
      assert.isAbove(counts.crashes, 3 * count - 1)
    }).pipe(Effect.provide(Logger.layer([]))),
  10_000 + count * 20_000
)
