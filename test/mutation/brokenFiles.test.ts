/** What the simulated disk is worth: each line that makes files durable is broken, and the lives on it end badly. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { failing } from "../Mutation.ts"
import { brokenFiles, testOf } from "./brokenFiles.ts"

describe("a node's files on a simulated disk", () => {
  it.live("lose what was acknowledged once a line that keeps it is broken", () =>
    Effect.gen(function* () {
      const failed = yield* failing(brokenFiles.map((broken) => ({ ...broken, tests: [testOf(broken)] })))
      const survived = brokenFiles.filter((_, at) => failed[at]?.length === 0).map(({ name }) => name)
      assert.deepStrictEqual(survived, [])
    })
  )
})
