/**
 * Parts of the gate and of `npm test`, each a process, one after the other. Every part runs, even after one that failed. A
 * part that failed otherwise than by its tests, or gave no report, counts as one failure.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export interface Part {
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
const directory = mkdtempSync(join(tmpdir(), "lithair-check-"))
process.on("exit", () => rmSync(directory, { recursive: true, force: true }))

/** Node keeps what it has compiled here. The workers of the tests all load Effect, vitest and the sources. */
const compiled = { NODE_COMPILE_CACHE: join(directory, "compiled") }

/** A part that takes longer hangs. It is killed, and counts as one failure. */
const partTimeoutMs = 2_400_000

/** A program of `node_modules`. */
export const binary = (name: string): string => `node_modules/.bin/${name}`

/** A run of vitest over projects of vitest.config.ts. */
export interface Run extends Pick<Part, "command" | "env"> {
  readonly runtime: string
  /** The name of the part; "tests" unless given. */
  readonly what?: string
  readonly projects: ReadonlyArray<string>
  readonly flags?: ReadonlyArray<string>
}

/** The part that is such a run. */
export const tests = ({ command, env, flags = [], projects, runtime, what = "tests" }: Run): Part => {
  const report = join(directory, `${runtime}-${what}.json`)
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`]
  const vitest = ["node_modules/vitest/vitest.mjs", "run", ...reporters]
  return {
    name: `${what} on ${runtime}`,
    command: [...command, ...vitest, ...projects.map((name) => `--project=${name}`), ...flags],
    report,
    env: { LITHAIR_TEST_RUNTIME: runtime, ...env }
  }
}

const readReport = (path: string): { readonly passedCount: number; readonly failedCount: number } | undefined => {
  try {
    const { numPassedTests, numTotalTests } = JSON.parse(readFileSync(path, "utf8"))
    // A test that neither passed nor failed was skipped, and none may be.
    return { passedCount: numPassedTests, failedCount: numTotalTests - numPassedTests }
  } catch {
    return undefined // No report: the part ended before its tests did, and the caller counts it as failed.
  }
}

/** Runs a part, and shows what it prints. */
const run = (part: Part): Promise<Outcome> =>
  new Promise((resolve) => {
    const startedMs = performance.now()
    const [command = "", ...args] = part.command
    console.log(`\n# ${part.name}`)
    const child = spawn(command, args, {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...compiled, ...part.env },
      timeout: partTimeoutMs,
      killSignal: "SIGKILL"
    })
    child.on("error", (error) => console.error(`${part.name}: ${error.message}`))
    child.on("close", (status) => {
      const counts = part.report === undefined ? { passedCount: 0, failedCount: 0 } : readReport(part.report)
      const isOk = status === 0 && counts !== undefined && (part.report === undefined || counts.passedCount > 0)
      const { failedCount = 0, passedCount = 0 } = counts ?? {}
      resolve({
        name: part.name,
        passedCount,
        failedCount: isOk ? failedCount : Math.max(1, failedCount),
        seconds: (performance.now() - startedMs) / 1000
      })
    })
  })

/** Runs all parts, and ends this process with their counts in the last line; with code 1 if anything failed. */
export const runAll = async (parts: ReadonlyArray<Part>): Promise<void> => {
  const startedMs = performance.now()
  const outcomes: Array<Outcome> = []
  for (const part of parts) outcomes.push(await run(part))

  console.log("\n# all parts")
  for (const { failedCount, name, passedCount, seconds } of outcomes) {
    const state = failedCount === 0 ? "ok" : "FAILED"
    console.log(
      `${name.padEnd(18)} ${state.padEnd(7)} ${String(passedCount).padStart(5)} tests ${seconds.toFixed(1)} s`
    )
  }
  const total = (count: (outcome: Outcome) => number) => outcomes.reduce((sum, outcome) => sum + count(outcome), 0)
  const failedTotal = total(({ failedCount }) => failedCount)
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
  console.log(`${total(({ passedCount }) => passedCount)} passed, ${failedTotal} failed`)
  process.exitCode = failedTotal === 0 ? 0 : 1
}
