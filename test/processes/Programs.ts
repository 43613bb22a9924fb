/** Programs of users as real processes, on each runtime. Not the example cluster, whose flags Processes.ts knows. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import { bundleOf } from "./Bundle.ts"
import { type Asked, exchange } from "./Exchange.ts"
import { eventually, expectThat, type Runtime } from "./Processes.ts"

const bin = (name: Runtime) => fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url))
const runs: Record<Runtime, ReadonlyArray<string>> = { node: [], bun: ["run"], deno: ["run", "-A"] }

/** A directory for one test. */
export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-program-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A program that runs, in a directory of its own. */
export interface Program {
  readonly output: () => string
  readonly signal: (name: NodeJS.Signals) => Effect.Effect<void>
  /** Waits until it ends, and gives its exit code; null after a signal. */
  readonly ended: Effect.Effect<number | null>
}

/** Starts a program of `examples` or `test`, named from the root of the checkout. */
export const startProgram = Effect.fnUntraced(function* (options: {
  readonly runtime: Runtime
  readonly script: string
  readonly args?: ReadonlyArray<string>
  /** Flags of the runtime itself. */
  readonly runtimeArgs?: ReadonlyArray<string>
  /** Whether Node runs the program's bundle (bundled.ts), which starts faster. */
  readonly isBundled?: boolean
  /** Its variables beside those of the tests. */
  readonly environment?: Readonly<Record<string, string>>
  readonly cwd: string
}) {
  const { args = [], cwd, environment, isBundled = false, runtime, runtimeArgs = [], script } = options
  const file = fileURLToPath(new URL(`../../${script}`, import.meta.url))
  const path = isBundled && runtime === "node" ? bundleOf(file) : file
  const child = spawn(bin(runtime), [...runs[runtime], ...runtimeArgs, path, ...args], {
    cwd,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data: Buffer) => {
      output += data.toString()
    })
  }
  const exited = once(child, "close")
  yield* Effect.addFinalizer(() =>
    Effect.promise(async () => {
      child.kill("SIGKILL")
      await exited
    })
  )
  return {
    output: () => output,
    signal: (name) => Effect.sync(() => void child.kill(name)),
    ended: Effect.map(
      Effect.promise(() => exited),
      () => child.exitCode
    )
  } satisfies Program
})

/** Asks a server of this host. */
export const ask = (port: number, path: string, asked: Asked = {}) => exchange(`http://127.0.0.1:${port}${path}`, asked)

/** Sends JSON. */
export const post = (port: number, path: string, body: unknown, headers: Record<string, string> = {}) =>
  ask(port, path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers }
  })

/** Waits until this path answers 200. */
export const whenOk = (program: Program, port: number, path: string) =>
  eventually(
    () => `${path} on port ${port} is answered with 200; the program said: ${program.output()}`,
    Effect.flatMap(ask(port, path), ({ status }) => expectThat(status === 200, "the answer is 200")),
    30_000
  )
