/** What a command promises has a line that ensures it, and a test that fails once that line is broken. docs/commands.md. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { failing } from "../Mutation.ts"
import { promises } from "./brokenCommands.ts"

describe("docs/commands.md", () => {
  it.live("what is promised has a test that fails once the line that ensures it is broken", () =>
    Effect.gen(function* () {
      const all = Object.entries(promises)
      const failed = yield* failing(all.map(([, noticed]) => noticed))
      const survived = all.flatMap(([promise, { file, find, tests }], at) =>
        tests
          .filter((test) => failed[at]?.includes(test) !== true)
          .map(({ title }) => `${promise} without "${find}" in ${file}: "${title}" did not fail`)
      )
      assert.deepStrictEqual(survived, [])
    })
  )
})
