/**
 * Compiles every `ts` example in the pages and in the sources' doc comments, and runs those that end by themselves, tests
 * as tests. An example is a module. With imports it is a user's program; without imports it shows the file in which it
 * stands, and sees that file's exports.
 */
import { execFile } from "node:child_process"
import { globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

interface Example {
  /** Relative to the root. */
  readonly file: string
  /** The line of its first line of code, from 1. */
  readonly line: number
  readonly code: string
}

const root = fileURLToPath(new URL("..", import.meta.url))
const read = (file: string): string => readFileSync(join(root, file), "utf8")

/** The line without the ` * ` of a doc comment. */
const unquoted = (file: string, line: string): string => (file.endsWith(".ts") ? line.replace(/^\s*\* ?/, "") : line)

function examplesOf(file: string): ReadonlyArray<Example> {
  const found: Array<Example> = []
  let open: { readonly line: number; readonly code: Array<string> } | undefined
  for (const [at, raw] of read(file).split("\n").entries()) {
    const line = unquoted(file, raw)
    if (open === undefined) {
      if (line.startsWith("```ts")) open = { line: at + 2, code: [] }
    } else if (line.startsWith("```")) {
      found.push({ file, line: open.line, code: open.code.join("\n") })
      open = undefined
    } else open.code.push(line)
  }
  return found
}

/** The sources of the entry points, by the names that users import. */
function entryPoints(): ReadonlyMap<string, string> {
  const { exports } = JSON.parse(read("package.json")) as { exports: Readonly<Record<string, string>> }
  return new Map(Object.entries(exports).map(([name, path]) => [name.replace(/^\./, "lithair"), join(root, path)]))
}

/** The example as a module, on the same lines as in its file, so that errors name the right lines. */
function moduleOf(example: Example, entries: ReadonlyMap<string, string>): string {
  const source = example.file.endsWith(".ts") ? read(example.file) : ""
  const exported = [...source.matchAll(/^export (?:const|function|class|interface|type) (\w+)/gm)].flatMap(
    ([, name]) => name ?? []
  )
  const used = exported.filter((name) => new RegExp(`\\b${name}\\b`).test(example.code))
  const isWhole = /^import /m.test(example.code)
  const prelude = isWhole || used.length === 0 ? "" : `import { ${used.join(", ")} } from "${join(root, example.file)}"`
  const code = example.code.replaceAll(/from "(lithair[^"]*)"/g, (all, name: string) => {
    const entry = entries.get(name)
    return entry === undefined ? all : `from "${entry}"`
  })
  return `${prelude}${"\n".repeat(example.line - 1)}${code}\nexport {}\n`
}

/** A server runs until somebody stops it: the package's test runs one. */
const endsByItself = ({ code }: Example): boolean => !code.includes("lithair/node")

const isTest = ({ code }: Example): boolean => code.includes('"@effect/vitest"')

const nameOf = (example: Example): string =>
  `${example.file.replaceAll("/", "+")}+${example.line}${isTest(example) ? ".test" : ""}.ts`

/** Messages about a module, as messages about the file of its example. */
const located = (said: string): string =>
  said.replaceAll(/[^\s"']*?([^\s"'/]*)\+\d+(?:\.test)?\.ts\b/g, (_, name: string) => name.replaceAll("+", "/"))

const runsAlone = (example: Example): boolean => endsByItself(example) && !isTest(example)

/** Enough for all tests of the pages on a busy machine. */
const runMaxMs = 90_000

/** Runs a program of the checkout to its end. Gives what it said if it failed. */
const run = (directory: string, binary: string, ...args: ReadonlyArray<string>): Promise<ReadonlyArray<string>> =>
  new Promise((resolve) => {
    const command = join(root, "node_modules/.bin", binary)
    const options = { cwd: directory, timeout: runMaxMs, maxBuffer: 2 ** 26 }
    execFile(command, args, options, (error, stdout, stderr) => {
      const ended = error?.killed ? `${binary} ${args.join(" ")} ended by a signal, after ${runMaxMs} ms at most` : ""
      resolve(error === null ? [] : [`${located(`${stdout}${stderr}`)}${ended}`])
    })
  })

/** As many at once as there are cores. */
const inTurns = async (works: ReadonlyArray<() => Promise<ReadonlyArray<string>>>): Promise<ReadonlyArray<string>> => {
  const failures: Array<string> = []
  const left = works[Symbol.iterator]()
  const turn = async () => {
    for (const work of left) failures.push(...(await work()))
  }
  await Promise.all(Array.from({ length: availableParallelism() }, turn))
  return failures
}

/**
 * One bundle of all examples that run alone. Without it each loads the library from hundreds of files, which takes four
 * fifths of its time. Source maps name the lines of the examples.
 */
const bundle = (examples: ReadonlyArray<Example>, directory: string) =>
  build({
    entryPoints: examples.map((example) => join(directory, nameOf(example))),
    outdir: join(directory, "bundled"),
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    sourcemap: true,
    // What ECMAScript modules need for packages that call `require`, as esbuild's users write it.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"
    },
    logLevel: "warning"
  })

async function check(examples: ReadonlyArray<Example>, directory: string): Promise<ReadonlyArray<string>> {
  const entries = entryPoints()
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"))
  for (const example of examples) writeFileSync(join(directory, nameOf(example)), moduleOf(example, entries))
  const tsconfig = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: { noUnusedLocals: false },
    include: ["*.ts"]
  }
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify(tsconfig))
  writeFileSync(join(directory, "package.json"), JSON.stringify({ type: "module" }))

  const mistyped = await run(directory, "tsc", "--noEmit")
  if (mistyped.length > 0) return mistyped
  const alone = examples.filter(runsAlone)
  await bundle(alone, directory)
  const bundled = (example: Example) => join("bundled", nameOf(example).replace(/\.ts$/, ".mjs"))
  return inTurns([
    ...(examples.some(isTest) ? [() => run(directory, "node", "node_modules/vitest/vitest.mjs", "run")] : []),
    ...alone.map((example) => () => run(directory, "node", "--enable-source-maps", bundled(example)))
  ])
}

const pages = ["*.md", "docs/**/*.md", "src/**/*.md", "src/**/*.ts"]
const examples = globSync(pages, { cwd: root }).toSorted().flatMap(examplesOf)
const directory = mkdtempSync(join(tmpdir(), "lithair-examples-"))
const failures = await check(examples, directory)
rmSync(directory, { recursive: true })

for (const failure of failures) console.log(failure)
const ranCount = examples.filter(endsByItself).length
console.log(`${examples.length} examples, ${ranCount} of them run: ${failures.length === 0 ? "ok" : "FAILED"}`)
process.exitCode = failures.length === 0 && examples.length > 0 ? 0 : 1
