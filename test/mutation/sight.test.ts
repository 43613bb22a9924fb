/** No reader sees what its rules hide: each line that ensures it is broken, and the test with random rules fails. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { failing } from "../Mutation.ts"
import { brokenSight } from "./brokenSight.ts"

const all = Object.entries(brokenSight)
const half = Math.ceil(all.length / 2)

describe("docs/access.md, What is enforced", () => {
  for (const [name, some] of [
    ["first", all.slice(0, half)],
    ["second", all.slice(half)]
  ] as const) {
    it.live(`what is promised has a test that fails once the line that ensures it is broken (the ${name} half)`, () =>
      Effect.gen(function* () {
        const failed = yield* failing(some.map(([, noticed]) => noticed))
        const survived = some.filter((_, at) => failed[at]?.length === 0).map(([name]) => name)
        assert.deepStrictEqual(survived, [])
      })
    )
  }
})
