/** `npm test`: all tests on Node. With arguments it is `vitest run` with them. */
import { spawnSync } from "node:child_process"
import { alone, inside, processes, timed } from "./nodeTests.ts"
import { runAll, tests } from "./Parts.ts"

const args = process.argv.slice(2)

/** One run, in which they share the bundles of their programs and follow each other. */
const ofProcesses = { ...processes, projects: [...processes.projects, ...timed.projects] }

if (args.length === 0) await runAll([tests(ofProcesses), tests(inside), tests(alone)])
else {
  const vitest = ["node_modules/vitest/vitest.mjs", "run", ...args]
  process.exitCode = spawnSync(process.execPath, vitest, { stdio: "inherit" }).status ?? 1
}
