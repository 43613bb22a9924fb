/**
 * Whether a test would notice: this breaks one line of the sources, and runs tests or a module with it in a process of
 * their own. The lists beside the tests that use this say which lines.
 */
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Data, Effect } from "effect"
import { type BrokenModule, root } from "./MutantModules.ts"
import { ask } from "./Mutants.ts"
import type { Ran, ToRun } from "./mutantTests.ts"
import { compiledText } from "./mutation/compiled.ts"

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

/** Where mutation/compiled.ts has left all modules. */
const directory = process.env.LITHAIR_COMPILED ?? ""

const testsScript = fileURLToPath(new URL("mutantTests.ts", import.meta.url))

/** A mutant that never ends is no verdict. It is killed before the time of its test is over (vitest.config.ts). */
const runTimeoutMs = 240_000

/** What is broken, and the tests that are to notice. */
export interface Noticed extends Mutation {
  readonly tests: ReadonlyArray<NamedTest>
}

/**
 * Runs for each broken line its tests: all in one process, which loads what they share once. Gives for each the tests that
 * failed, by an assertion or a throw of their own.
 */
export const failing = Effect.fnUntraced(function* (all: ReadonlyArray<Noticed>) {
  const workspace = yield* makeWorkspace
  const runs = yield* Effect.forEach(all, (noticed, at) => writeTests(join(workspace, String(at)), noticed))
  const list = join(workspace, "runs.json")
  writeFileSync(list, JSON.stringify(runs.flat()))
  const report = join(workspace, "report.json")
  yield* execute(workspace, [testsScript, list, report])
  const ran = yield* Effect.try({
    try: (): ReadonlyArray<Ran> => JSON.parse(readFileSync(report, "utf8")),
    catch: () => new MutationFailed({ message: "The run left no report" })
  })
  const failed = new Set(ran.flatMap(({ failed, path }) => failed.map((title) => `${path} ${title}`)))
  return all.map(({ tests }, at) =>
    tests.filter(({ file, title }) => failed.has(`${join(workspace, String(at), file)} ${title}`))
  )
}, Effect.scoped)

const makeWorkspace = Effect.gen(function* () {
  const path = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-mutant-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )
  symlinkSync(join(root, "node_modules"), join(path, "node_modules"))
  return path
})

/** Writes a file for each file of tests: it runs them with the line broken. */
const writeTests = Effect.fnUntraced(function* (path: string, { tests, ...mutation }: Noticed) {
  const broken = JSON.stringify(yield* brokenModule(mutation))
  const files = [...new Set(tests.map(({ file }) => file))]
  return files.map((file): ToRun => {
    const made = join(path, file)
    mkdirSync(dirname(made), { recursive: true })
    const [modules, ...names] = [join(root, "test/MutantModules.ts"), directory, file].map((each) =>
      JSON.stringify(each)
    )
    writeFileSync(made, `import { run } from ${modules}\nawait run(${names.join(", ")}, ${broken})\n`)
    return { path: made, titles: tests.flatMap((test) => (test.file === file ? [test.title] : [])) }
  })
})

/** The module with the mutation in it. */
const brokenModule = ({ file, find, replace }: Mutation): Effect.Effect<BrokenModule, MutationFailed> =>
  Effect.gen(function* () {
    const text = readFileSync(join(root, file), "utf8")
    const count = text.split(find).length - 1
    if (count !== 1) {
      return yield* new MutationFailed({ message: `${file} holds this ${count} times, and not once: ${find}` })
    }
    // A replacement may hold a dollar sign, which means something to `replace` unless a function gives it.
    const compiled = yield* Effect.tryPromise({
      try: () => compiledText(text.replace(find, () => replace)),
      catch: (error) => new MutationFailed({ message: `${file} cannot be compiled: ${error}` })
    })
    return { file, text: compiled }
  })

/** What a module prints that runs with one line broken; if it throws there is no verdict. */
export const output = Effect.fnUntraced(function* (mutation: Mutation, module: string, args: ReadonlyArray<string>) {
  const answer = yield* ask({ directory, module, broken: yield* brokenModule(mutation), args })
  if ("stdout" in answer) return answer.stdout
  return yield* new MutationFailed({ message: `${module} gave no result: ${answer.failure}` })
})

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
