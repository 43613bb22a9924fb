/** Every row of docs/raft.md has tests that fail once a line that ensures it is broken; and the page says what is so. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { failing } from "../Mutation.ts"
import { titleOf } from "../Raft/core/Transcript.ts"
import { brokenRows } from "./consensusRows.ts"

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8")

const names = ["§5.2", "§5.3", "§5.4.1", ...Array.from({ length: 27 }, (_, at) => `C${at + 1}`)]

interface Linked {
  /** From the root. */
  readonly file: string
  /** What stands between this link and the next. */
  readonly said: string
}

const linksOf = (cell: string): ReadonlyArray<Linked> =>
  [...cell.matchAll(/\[[^\]]+\]\(\.\.\/([^)]+)\)([^[]*)/g)].map(([, file = "", said = ""]) => ({ file, said }))

/** The rows of the table of the page. */
const rows = read("docs/raft.md")
  .split("\n")
  .flatMap((line) => {
    const [, name = "", , code = "", tests = ""] = line.split("|").map((cell) => cell.trim())
    return names.includes(name) ? [{ name, code: linksOf(code), tests: linksOf(tests) }] : []
  })

const brokenOf = (name: string) => brokenRows.filter(({ row }) => row === name)

describe("the rows of docs/raft.md", () => {
  it.live("the tests of each fail once a line that ensures it is broken", () =>
    Effect.gen(function* () {
      const failed = yield* failing(brokenRows)
      const survived = brokenRows.flatMap(({ file, find, row, tests }, at) =>
        tests
          .filter((test) => failed[at]?.includes(test) !== true)
          .map(({ title }) => `${row} without "${find}" in ${file}: "${title}" did not fail`)
      )
      assert.deepStrictEqual(survived, [])
    })
  )

  it("each is there, with a line that is broken for it", () => {
    assert.deepStrictEqual([...new Set(brokenRows.map(({ row }) => row))], names)
    assert.deepStrictEqual(
      rows.map(({ name }) => name),
      names
    )
  })

  it("each names the files of the lines that are broken, and functions that are there", () => {
    for (const { code, name } of rows) {
      const broken = new Set(brokenOf(name).map(({ file }) => file))
      const missing = [...broken].filter((file) => !code.some((linked) => linked.file === file))
      assert.deepStrictEqual(missing, [], name)
      for (const { file, said } of code) {
        const functions = [...said.matchAll(/`(\w+)`/g)].map(([, word = ""]) => word)
        assert.isNotEmpty(functions, `${name}: ${file}`)
        for (const each of functions) assert.match(read(file), new RegExp(`(const|function[*]?) ${each}\\b`), name)
      }
    }
  })

  it("each names only tests that fail once a line is broken, by file and title", () => {
    for (const { name, tests } of rows) {
      assert.isNotEmpty(tests, name)
      for (const { file, said } of tests) {
        const isStory = file.endsWith(".txt")
        const title = isStory ? titleOf(read(file)) : /"(.+)"/.exec(said)?.[1]
        const test = { file: isStory ? "test/Raft/core/transcript.test.ts" : file, title: title ?? "" }
        const failing = brokenOf(name).flatMap((broken) => broken.tests)
        assert.deepInclude(failing, test, name)
      }
    }
  })

  it("every story of test/Raft/core/transcripts misses one of the lines", () => {
    const stories = readdirSync(fileURLToPath(new URL("../Raft/core/transcripts/", import.meta.url)))
    const titles = new Set(brokenRows.flatMap(({ tests }) => tests.map(({ title }) => title)))
    const idle = stories.filter((file) => !titles.has(titleOf(read(`test/Raft/core/transcripts/${file}`))))
    assert.deepStrictEqual(idle, [])
  })
})
