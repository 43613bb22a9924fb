/** What the simulated disk is worth: each line that makes files durable is broken, and the lives on it end badly. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { failing, type NamedTest } from "../Mutation.ts"
import { brokenFiles } from "./brokenFiles.ts"

const lives: NamedTest = {
  file: "test/EventStore/simulatedLives.test.ts",
  title: "keep all that was acknowledged through kill -9, loss of power and refusals, or refuse what is rotten"
}

describe("a node's files on a simulated disk", () => {
  it.live(
    "lose what was acknowledged once a line that keeps it is broken",
    () =>
      Effect.gen(function* () {
        const failed = yield* failing(brokenFiles.map((broken) => ({ ...broken, tests: [lives] })))
        const survived = brokenFiles.filter((_, at) => failed[at]?.length === 0).map(({ name }) => name)
        assert.deepStrictEqual(survived, [])
      }),
    { timeout: 180_000 }
  )
})
