/**
 * Whole nodes, from `Records` down to the disk, under seeded harm in virtual time, judged by the answers of clients and by
 * the log. `LITHAIR_HARM_SEEDS=500` runs so many seeds, `LITHAIR_HARM_FROM=17` from that one on.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { History } from "../../src/Testing.ts"
import { run } from "./Harm.ts"
import { failureOf } from "./HarmVerdict.ts"

const count = Number(process.env.LITHAIR_HARM_SEEDS ?? 6)
const from = Number(process.env.LITHAIR_HARM_FROM ?? 1)

describe("a TestCluster under harm", () => {
  it.effect(
    `keeps its promises to clients, seeds ${from} to ${from + count - 1} (promises 2 to 6)`,
    () =>
      Effect.gen(function* () {
        const counts = { ok: 0, info: 0, fail: 0, invoke: 0, reads: 0 }
        for (let seed = from; seed < from + count; seed++) {
          const ran = yield* Effect.exit(run(seed))
          assert.isUndefined(failureOf(ran), `seed ${seed}`)
          if (ran._tag === "Failure") continue
          for (const { type } of ran.value.events as ReadonlyArray<History.Event>) counts[type]++
          counts.reads += ran.value.readsCount
        }
        // Runs in which nothing happened, or nothing was harmed, prove nothing.
        assert.isAbove(counts.ok, 50 * count)
        assert.isAbove(counts.info + counts.fail, 5 * count)
        assert.isAbove(counts.reads, 30 * count)
      }),
    10_000 + count * 10_000
  )

  it.effect("is the same history, event by event, when it runs from its seed again", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* run(6), yield* run(6))
    })
  )
})
