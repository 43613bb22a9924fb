/**
 * The one gate: format and lint, types, the examples in docs, all tests on Node, and the portable ones on Bun and Deno.
 * The last line counts passed and failed tests over all parts.
 */
import { alone, inside, portable, processes, timed } from "./nodeTests.ts"
import { binary, runAll, tests } from "./Parts.ts"

/** All that tests can do (test/support/measure.ts). `npm test` does less of what is costly. */
const env = { LITHAIR_TEST_FULL: "1" }

/** `npm test` runs a fifth of the seeds (test/Testing/simulator.test.ts), and a tenth of the kills (test/processes/sql.test.ts). */
const seeds = { LITHAIR_TEST_SEEDS: "500" }
const kills = { LITHAIR_TEST_KILLS: "100" }

await runAll([
  { name: "format and lint", command: [binary("biome"), "check", "--error-on-warnings", "."] },
  { name: "types", command: [binary("tsc"), "--noEmit"] },
  { name: "examples in docs", command: [binary("node"), "scripts/docExamples.ts"] },
  tests({ ...processes, env: { ...env, ...kills } }),
  tests({ ...inside, env: { ...env, ...seeds } }),
  // One file at a time on a machine that does nothing else.
  tests({ ...timed, env, projects: [...timed.projects, ...alone.projects], flags: ["--no-file-parallelism"] }),
  // Bun's child processes do not carry vitest's messages, its threads do.
  tests({ runtime: "Bun", command: [binary("bun"), "--bun"], env, projects: portable, flags: ["--pool=threads"] }),
  tests({ runtime: "Deno", command: [binary("deno"), "run", "-A"], env, projects: portable })
])
