/** Whole nodes, from their HTTP-less face down to the disk, under seeded harm in virtual time; judged by what clients saw. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { check, History, VersionedRegister } from "../../src/Testing.ts"
import { run } from "./Harm.ts"

describe("a TestCluster under harm", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    it.effect(`leaves a linearizable history and equal nodes, seed ${seed} (promises 2 to 5)`, () =>
      Effect.gen(function* () {
        const { events, hashes } = yield* run(seed)
        assert.strictEqual(new Set(hashes).size, 1)
        const verdict = check(VersionedRegister.model, Result.getOrThrow(History.operations(events)))
        assert.strictEqual(verdict._tag, "Linearizable", JSON.stringify({ ...verdict, orders: undefined }))
        const counts = (type: History.Event["type"]) => events.filter((event) => event.type === type).length
        // A run in which nothing happened, or nothing was harmed, proves nothing.
        assert.isAbove(counts("ok"), 50)
        assert.isAbove(counts("info") + counts("fail"), 5)
      })
    )
  }

  it.effect("is the same history, event by event, when it runs from its seed again", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* run(6), yield* run(6))
    })
  )
})
