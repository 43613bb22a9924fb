/** The tool behind the tests of this folder: what it breaks, and that it does not call everything broken. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { failing, output } from "../Mutation.ts"

const half = { file: "src/Raft/core/Quorum.ts", find: "* 2 > voters.length", replace: "* 2 >= voters.length" }

const test = {
  file: "test/Raft/core/quorum.test.ts",
  title: "half of the voters is no majority, and nobody is none (§5.2)"
}

describe("a mutation", () => {
  it.effect("is refused if its line is missing, or there twice", () =>
    Effect.gen(function* () {
      const run = (find: string) => Effect.flip(output({ ...half, find }, "test/Testing/firstFailing.ts", []))
      const absent = yield* run("no such line")
      assert.include(absent.message, "src/Raft/core/Quorum.ts holds this 0 times")
      const twice = yield* run("isMajority")
      assert.match(twice.message, /holds this [2-9] times, and not once/)
    })
  )

  it.live("that breaks nothing fails nothing, nor does a test that is not there", () =>
    Effect.gen(function* () {
      const harmless = { ...half, replace: "* 2 > voters.length + 0" }
      const unknown = { file: test.file, title: "no such test" }
      const failed = yield* failing([
        { ...half, tests: [test, unknown] },
        { ...harmless, tests: [test] }
      ])
      assert.deepStrictEqual(failed, [[test], []])
    })
  )
})
