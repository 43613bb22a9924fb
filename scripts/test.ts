/** `npm test`: all tests on Node. With arguments it is `vitest run` with them. */
import { spawnSync } from "node:child_process"
import { inside, processes, timed } from "./nodeTests.ts"
import { runAll, tests } from "./Parts.ts"

const args = process.argv.slice(2)

if (args.length === 0) await runAll([[tests(processes), tests(inside)], [tests(timed)]])
else {
  const vitest = ["node_modules/vitest/vitest.mjs", "run", ...args]
  process.exitCode = spawnSync(process.execPath, vitest, { stdio: "inherit" }).status ?? 1
}
