/** Each event shows once in the rows of a projection into SQL: each line that ensures it is broken, and a test fails. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { failing } from "../Mutation.ts"
import { brokenSql } from "./brokenSql.ts"

describe("docs/projections.md, Projections into PostgreSQL", () => {
  it.live("what is promised has a test that fails once the line that ensures it is broken", () =>
    Effect.gen(function* () {
      const all = Object.entries(brokenSql)
      const failed = yield* failing(all.map(([, noticed]) => noticed))
      const survived = all.filter((_, at) => failed[at]?.length === 0).map(([name]) => name)
      assert.deepStrictEqual(survived, [])
    })
  )
})
