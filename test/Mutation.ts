/**
 * Whether a test would notice: one line of the sources is broken in a copy of the repository, and tests, or a module,
 * run against that copy in a process of their own. Not which lines (the lists beside the tests that use this).
 */
import { execFile } from "node:child_process"
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Data, Effect, type Scope } from "effect"

/** `find` stands exactly once in `file`, which is named from the root: a line that moved must be found again. */
export interface Mutation {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** A test by its file and its own name, without those of the groups around it. */
export interface NamedTest {
  readonly file: string
  readonly title: string
}

/** The mutation cannot be made, or the run against it gave no verdict. */
export class MutationFailed extends Data.TaggedError("MutationFailed")<{ readonly message: string }> {}

const root = fileURLToPath(new URL("..", import.meta.url))

/** A mutant that never ends is no verdict. */
const runTimeoutMs = 120_000

/** A copy of the repository with one line broken, for as long as the scope lasts. Gives its directory. */
export const mutant = (mutation: Mutation): Effect.Effect<string, MutationFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const text = readFileSync(join(root, mutation.file), "utf8")
    const count = text.split(mutation.find).length - 1
    if (count !== 1) {
      const message = `${mutation.file} holds this ${count} times, and not once: ${mutation.find}`
      return yield* new MutationFailed({ message })
    }
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-mutant-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true }))
    )
    for (const name of ["src", "test", "package.json", "tsconfig.json", "vitest.config.ts"]) {
      cpSync(join(root, name), join(directory, name), { recursive: true })
    }
    symlinkSync(join(root, "node_modules"), join(directory, "node_modules"))
    // A replacement may hold a dollar sign, which means something to `replace` unless a function gives it.
    writeFileSync(
      join(directory, mutation.file),
      text.replace(mutation.find, () => mutation.replace)
    )
    return directory
  })

/** Runs these tests in a mutant's directory, and gives those that failed: by an assertion or a throw of their own. */
export const failing = Effect.fnUntraced(function* (directory: string, tests: ReadonlyArray<NamedTest>) {
  const report = join(directory, "report.json")
  const names = tests.map(({ title }) => title.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
  yield* execute(directory, [
    join(root, "node_modules/vitest/vitest.mjs"),
    ...["run", "--no-cache", "--reporter=json", `--outputFile=${report}`, "-t", `(${names.join("|")})$`],
    ...new Set(tests.map(({ file }) => file))
  ])
  const failed = yield* Effect.try({
    try: () => failedOf(JSON.parse(readFileSync(report, "utf8"))),
    catch: () => new MutationFailed({ message: `No report of ${names.join(", ")}` })
  })
  return tests.filter(({ file, title }) => {
    return failed.some((each) => each.title === title && each.file.endsWith(`/${file}`))
  })
})

/** The standard output of a module of the copy, run with these arguments until it ends well; else there is no verdict. */
export const output = Effect.fnUntraced(function* (directory: string, module: string, args: ReadonlyArray<string>) {
  const { exitCode, stderr, stdout } = yield* execute(directory, [join(directory, module), ...args])
  if (exitCode === 0) return stdout
  return yield* new MutationFailed({ message: `${module} ended with ${exitCode}: ${stderr}` })
})

const failedOf = (report: {
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly assertionResults: ReadonlyArray<{ readonly title: string; readonly status: string }>
  }>
}): ReadonlyArray<NamedTest> =>
  report.testResults.flatMap(({ assertionResults, name }) =>
    assertionResults.filter(({ status }) => status === "failed").map(({ title }) => ({ file: name, title }))
  )

interface Ended {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

const execute = (cwd: string, args: ReadonlyArray<string>): Effect.Effect<Ended, MutationFailed> =>
  Effect.callback((resume) => {
    const options = { cwd, timeout: runTimeoutMs, killSignal: "SIGKILL", maxBuffer: 2 ** 26 } as const
    const child = execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : error.code
      if (typeof exitCode === "number") return resume(Effect.succeed({ exitCode, stdout, stderr }))
      const message = `${args.join(" ")} did not end by itself: ${error?.message}\n${stderr}`
      return resume(Effect.fail(new MutationFailed({ message })))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })
