/** Every row of docs/raft.md has a test that fails once the line that ensures it is broken. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { failing } from "../Mutation.ts"
import { titleOf } from "../Raft/Transcript.ts"
import { brokenRows } from "./consensusRows.ts"

describe("the rows of docs/raft.md", () => {
  it.live(
    "a test of each fails once the line that ensures it is broken",
    () =>
      Effect.gen(function* () {
        const failed = yield* failing(brokenRows)
        const survived = brokenRows.flatMap(({ file, find, row, tests }, at) =>
          tests
            .filter((test) => failed[at]?.includes(test) !== true)
            .map(({ title }) => `${row} without "${find}" in ${file}: "${title}" did not fail`)
        )
        assert.deepStrictEqual(survived, [])
      }),
    { timeout: 120_000 }
  )

  it("each has a line that was broken", () => {
    const rows = new Set(brokenRows.map(({ row }) => row))
    const requirements = Array.from({ length: 20 }, (_, at) => `C${at + 1}`)
    assert.deepStrictEqual([...rows], ["§5.2", "§5.3", "§5.4.1", ...requirements])
  })

  it("every story of test/transcripts misses one of these lines", () => {
    const directory = fileURLToPath(new URL("../transcripts/", import.meta.url))
    const titles = readdirSync(directory).map((file) => titleOf(readFileSync(directory + file, "utf8")))
    const missing = titles.filter(
      (title) => !brokenRows.some(({ tests }) => tests.some((test) => test.title === title))
    )
    assert.deepStrictEqual(missing, [])
  })
})
