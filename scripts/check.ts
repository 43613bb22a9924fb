/**
 * The one gate: format and lint, types, the examples in docs, all tests on Node, and the portable ones on Bun and Deno.
 * Every part runs, even after one that failed. The last line counts passed and failed tests over all parts; a part that
 * failed otherwise, or gave no report, counts as one failure.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

interface Part {
  readonly name: string
  readonly command: ReadonlyArray<string>
  /** The file in which a part of tests leaves its counts. */
  readonly report?: string
  readonly env?: Readonly<Record<string, string>>
}

interface Outcome {
  readonly name: string
  readonly passedCount: number
  readonly failedCount: number
  readonly seconds: number
}

const root = fileURLToPath(new URL("..", import.meta.url))
const reports = mkdtempSync(join(tmpdir(), "lithair-check-"))

/** A part that takes longer hangs. The gate kills it, and counts it as one failure. */
const partTimeoutMs = 2_400_000

/** The projects of vitest.config.ts that run on every runtime. */
const portable = ["fast", "slow"]
/** These are of the repository, and start what they need themselves. */
const nodeOnly = ["tidy", "mutation"]
/** Real clusters, and the package: several files at a time, and no other part beside them. */
const processes = ["processes"]
/** Real clusters that are held to a time: one file at a time, and nothing beside it. */
const timed = ["timed"]

const binary = (name: string): string => `node_modules/.bin/${name}`

const tests = (options: {
  readonly runtime: string
  readonly what?: string
  readonly command: ReadonlyArray<string>
  readonly projects: ReadonlyArray<string>
  readonly flags?: ReadonlyArray<string>
}): Part => {
  const report = join(reports, `${options.runtime}-${options.what ?? "tests"}.json`)
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`]
  const vitest = ["node_modules/vitest/vitest.mjs", "run", ...reporters]
  const projects = options.projects.map((name) => `--project=${name}`)
  return {
    name: `${options.what ?? "tests"} on ${options.runtime}`,
    command: [...options.command, ...vitest, ...projects, ...(options.flags ?? [])],
    report,
    env: { LITHAIR_TEST_RUNTIME: options.runtime }
  }
}

const parts: ReadonlyArray<Part> = [
  { name: "format and lint", command: [binary("biome"), "check", "--error-on-warnings", "."] },
  { name: "types", command: [binary("tsc"), "--noEmit"] },
  { name: "examples in docs", command: [binary("node"), "scripts/docExamples.ts"] },
  tests({ runtime: "Node", command: [binary("node")], projects: [...portable, ...nodeOnly] }),
  tests({ runtime: "Node", what: "processes", command: [binary("node")], projects: processes }),
  tests({
    runtime: "Node",
    what: "timed",
    command: [binary("node")],
    projects: timed,
    flags: ["--no-file-parallelism"]
  }),
  // Bun's child processes do not carry vitest's messages, its threads do.
  tests({ runtime: "Bun", command: [binary("bun"), "--bun"], projects: portable, flags: ["--pool=threads"] }),
  tests({ runtime: "Deno", command: [binary("deno"), "run", "-A"], projects: portable })
]

const readReport = (path: string): { readonly passedCount: number; readonly failedCount: number } | undefined => {
  try {
    const { numPassedTests, numTotalTests } = JSON.parse(readFileSync(path, "utf8"))
    // A test that neither passed nor failed was skipped, and none may be.
    return { passedCount: numPassedTests, failedCount: numTotalTests - numPassedTests }
  } catch {
    return undefined // No report: the part ended before its tests did, and the caller counts it as failed.
  }
}

const run = (part: Part): Outcome => {
  console.log(`\n# ${part.name}`)
  const startedMs = performance.now()
  const [command = "", ...args] = part.command
  const { error, status } = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, ...part.env },
    timeout: partTimeoutMs,
    killSignal: "SIGKILL"
  })
  if (error !== undefined) console.log(`${part.name}: ${error.message}`)
  const counts = part.report === undefined ? { passedCount: 0, failedCount: 0 } : readReport(part.report)
  const isOk = status === 0 && counts !== undefined && (part.report === undefined || counts.passedCount > 0)
  const { failedCount = 0, passedCount = 0 } = counts ?? {}
  return {
    name: part.name,
    passedCount,
    failedCount: isOk ? failedCount : Math.max(1, failedCount),
    seconds: (performance.now() - startedMs) / 1000
  }
}

const outcomes = parts.map(run)
rmSync(reports, { recursive: true })

console.log("\n# all parts")
for (const { failedCount, name, passedCount, seconds } of outcomes) {
  const state = failedCount === 0 ? "ok" : "FAILED"
  console.log(`${name.padEnd(18)} ${state.padEnd(7)} ${String(passedCount).padStart(5)} tests ${seconds.toFixed(1)} s`)
}
const total = (count: (outcome: Outcome) => number) => outcomes.reduce((sum, outcome) => sum + count(outcome), 0)
const failedTotal = total(({ failedCount }) => failedCount)
console.log(`${total(({ passedCount }) => passedCount)} passed, ${failedTotal} failed`)
process.exitCode = failedTotal === 0 ? 0 : 1
