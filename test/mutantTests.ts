/**
 * Runs tests with broken lines for Mutation.ts, which has written a file for each: `node mutantTests.ts <list> <report>`.
 * One worker runs many of the files, and loads what they share once.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { createVitest } from "vitest/node"

/** A file of tests, and those that are to run. */
export interface ToRun {
  readonly path: string
  /** Their own names, without those of the groups around them. */
  readonly titles: ReadonlyArray<string>
}

/** A file of tests that has run, and the tests that failed. */
export interface Ran {
  readonly path: string
  readonly failed: ReadonlyArray<string>
}

const [list = "", report = ""] = process.argv.slice(2)
const toRun: ReadonlyArray<ToRun> = JSON.parse(readFileSync(list, "utf8"))

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")

const vitest = await createVitest(
  "test",
  {
    watch: false,
    config: false,
    reporters: [],
    pool: "threads",
    isolate: false,
    silent: true,
    experimental: { viteModuleRunner: false }
  },
  { logLevel: "silent" }
)
const project = vitest.getRootProject()
const { testModules } = await vitest.runTestSpecifications(
  toRun.map(({ path, titles }) =>
    project.createSpecification(path, { testNamePattern: new RegExp(`(${titles.map(escaped).join("|")})$`) })
  )
)
const ran: ReadonlyArray<Ran> = testModules.map(({ children, moduleId }) => ({
  path: moduleId,
  failed: [...children.allTests("failed")].map(({ name }) => name)
}))
writeFileSync(report, JSON.stringify(ran))
await vitest.close()
