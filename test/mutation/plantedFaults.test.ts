/** What the simulator is worth: faults of one line, planted in a copy of the sources, are found in so many runs. RAFT §4. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { mutant, output } from "../Mutation.ts"
import { plantedFaults } from "./plantedFaults.ts"

describe("simulator", () => {
  for (const { breaks, fromSeed = 1, name, seedsCount, ...mutation } of plantedFaults) {
    it.live(
      `finds from run ${fromSeed} on, within ${seedsCount}, that ${name} (${breaks})`,
      () =>
        Effect.gen(function* () {
          const directory = yield* mutant(mutation)
          const found = JSON.parse(
            yield* output(directory, "test/Testing/firstFailing.ts", [`${fromSeed}`, `${seedsCount}`])
          )
          assert.isNotNull(found)
          assert.isString(found.failure)
        }),
      120_000
    )
  }
})
