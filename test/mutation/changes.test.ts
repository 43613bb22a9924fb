/** A follower of changes misses nothing and sees nothing twice: each line that ensures it is broken, and a test fails. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { failing } from "../Mutation.ts"
import { brokenChanges } from "./brokenChanges.ts"

describe("docs/http.md, Changes", () => {
  it.live("what is promised has a test that fails once the line that ensures it is broken", () =>
    Effect.gen(function* () {
      const all = Object.entries(brokenChanges)
      const failed = yield* failing(all.map(([, noticed]) => noticed))
      const survived = all.filter((_, at) => failed[at]?.length === 0).map(([name]) => name)
      assert.deepStrictEqual(survived, [])
    })
  )
})
