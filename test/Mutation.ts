/**
 * Whether a test would notice: this breaks one line of the sources, and runs tests or a module with it in a process of
 * their own. The lists beside the tests that use this say which lines.
 */
import { execFile } from "node:child_process"
import {
  copyFileSync,
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Data, Effect } from "effect"
import { build, type Plugin } from "esbuild"
import { ask } from "./Mutants.ts"

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

/** A mutant that never ends is no verdict. It is killed before the time of its test is over (vitest.config.ts). */
const runTimeoutMs = 240_000

/** What is broken, and the tests that are to notice. */
export interface Noticed extends Mutation {
  readonly tests: ReadonlyArray<NamedTest>
}

/**
 * Breaks each line in a copy of its own, and runs its tests: all in one process, which loads what they share once. Gives
 * for each the tests that failed, by an assertion or a throw of their own.
 */
export const failing = Effect.fnUntraced(function* (all: ReadonlyArray<Noticed>) {
  const directory = yield* workspace
  const copies = all.map((noticed, at) => ({ noticed, name: `copy-${at}-`.padEnd(12, "-") }))
  yield* Effect.forEach(copies, ({ name, noticed }) => writeMutant(join(directory, name), noticed))
  // Node loads the copies itself, in half of the time.
  writeFileSync(
    join(directory, "vitest.config.ts"),
    `export default { test: { include: ["copy-*/test/**/*.test.ts"], experimental: { viteModuleRunner: false } } }`
  )
  const titles = all.flatMap(({ tests }) => tests.map(({ title }) => title.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")))
  const report = join(directory, "report.json")
  yield* execute(directory, [
    join(root, "node_modules/vitest/vitest.mjs"),
    ...["run", "--no-cache", "--pool=threads", "--no-isolate", "--reporter=json", `--outputFile=${report}`],
    ...["-t", `(${titles.join("|")})$`],
    ...copies.flatMap(({ name, noticed }) => [...new Set(noticed.tests.map(({ file }) => `${name}/${file}`))])
  ])
  const failed = yield* Effect.try({
    try: () => failedOf(JSON.parse(readFileSync(report, "utf8"))),
    catch: () => new MutationFailed({ message: "The run left no report" })
  })
  return copies.map(({ name, noticed }) =>
    noticed.tests.filter(({ file, title }) => {
      return failed.some((each) => each.title === title && each.file.endsWith(`/${name}/${file}`))
    })
  )
}, Effect.scoped)

const workspace = Effect.gen(function* () {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-mutant-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"))
  cpSync(join(root, "package.json"), join(directory, "package.json"))
  return directory
})

/** The text of the file with the mutation in it. */
const brokenText = ({ file, find, replace }: Mutation): Effect.Effect<string, MutationFailed> =>
  Effect.suspend(() => {
    const text = readFileSync(join(root, file), "utf8")
    const count = text.split(find).length - 1
    return count === 1
      ? // A replacement may hold a dollar sign, which means something to `replace` unless a function gives it.
        Effect.succeed(text.replace(find, () => replace))
      : Effect.fail(new MutationFailed({ message: `${file} holds this ${count} times, and not once: ${find}` }))
  })

const writeMutant = Effect.fnUntraced(function* (directory: string, mutation: Mutation) {
  const text = yield* brokenText(mutation)
  for (const name of ["src", "test"]) linkTree(join(root, name), join(directory, name))
  const path = join(directory, mutation.file)
  rmSync(path) // It is a link: to write it would break the source itself.
  writeFileSync(path, text)
})

/** A copy by hard links, twenty times as fast as one of bytes: there are hundreds. Between two disks it is one of bytes. */
const linkTree = (from: string, to: string): void => {
  mkdirSync(to, { recursive: true })
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) linkTree(source, target)
    else linkFile(source, target)
  }
}

const linkFile = (source: string, target: string): void => {
  try {
    linkSync(source, target)
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EXDEV")) throw error
    copyFileSync(source, target)
  }
}

/**
 * What a module prints that runs with one line broken; if it throws there is no verdict. The module is bundled first,
 * which puts the broken line in its place, and one bundle takes less time to load than two hundred files.
 */
export const output = Effect.fnUntraced(function* (mutation: Mutation, module: string, args: ReadonlyArray<string>) {
  const directory = yield* workspace
  const bundle = join(directory, "bundle.mjs")
  const text = yield* brokenText(mutation)
  yield* Effect.tryPromise({
    try: () =>
      build({
        entryPoints: [join(root, module)],
        outfile: bundle,
        bundle: true,
        packages: "external",
        platform: "node",
        format: "esm",
        logLevel: "silent",
        plugins: [replacing(join(root, mutation.file), text)]
      }),
    catch: (error) => new MutationFailed({ message: `${module} cannot be bundled: ${error}` })
  })
  const answer = yield* ask({ bundle, args })
  if ("stdout" in answer) return answer.stdout
  return yield* new MutationFailed({ message: `${module} gave no result: ${answer.failure}` })
}, Effect.scoped)

const replacing = (path: string, contents: string): Plugin => ({
  name: "mutation",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.ts$/ }, (loaded) => (loaded.path === path ? { contents, loader: "ts" } : null))
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
    // A cache would keep every copy of the sources, and no other run asks for it.
    const env = { ...process.env, NODE_DISABLE_COMPILE_CACHE: "1" }
    const options = { cwd, env, timeout: runTimeoutMs, killSignal: "SIGKILL", maxBuffer: 2 ** 26 } as const
    const child = execFile(process.execPath, args, options, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : error.code
      if (typeof exitCode === "number") return resume(Effect.succeed({ exitCode, stdout, stderr }))
      const message = `${args.join(" ")} did not end by itself: ${error?.message}\n${stderr}`
      return resume(Effect.fail(new MutationFailed({ message })))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })
