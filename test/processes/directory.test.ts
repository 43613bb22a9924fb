/** The data directory of real processes: locked between runtimes and containers, refused where it is none, missed when it is gone. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  allReady,
  eventually,
  expectThat,
  freePort,
  type Runtime,
  runToEnd,
  startCluster,
  startCopy
} from "./Processes.ts"

const runtimes: ReadonlyArray<Runtime> = ["node", "bun", "deno"]
const program = fileURLToPath(new URL("../EventStore/directoryHolder.ts", import.meta.url))
const bin = (name: Runtime) => fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url))
const freshDirectory = () => mkdtempSync(join(tmpdir(), "lithair-directory-"))

/** A PID namespace with a /proc of its own, as a container has. The program is PID 1 there. */
const namespace = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
const mayUnshare = spawnSync(namespace[0]!, [...namespace.slice(1), "true"]).status === 0

/** Starts a process that asks for the directory, and gives its first line: "held", or the reason why not. */
const ask = (directory: string, runtime: Runtime, within: ReadonlyArray<string> = []) =>
  Effect.promise(async () => {
    const run = runtime === "deno" ? ["run", "-A"] : []
    const [command = "", ...args] = [...within, bin(runtime), ...run, program, directory, "a:8081"]
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] })
    const [said] = await once(child.stdout, "data")
    return { child, said: String(said).trim() }
  })

const kill = (child: ChildProcess) =>
  Effect.promise(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, "exit")
    child.kill("SIGKILL")
    await exit
  })

/** Who asks for the directory holds it; meanwhile all are refused; once it is killed -9 the next holds it at once. */
const inTurn = (within: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const directory = freshDirectory()
    for (const runtime of runtimes) {
      const holder = yield* ask(directory, runtime, within)
      const others = yield* Effect.forEach(runtimes, (other) => ask(directory, other, within), { concurrency: 3 })
      yield* Effect.forEach([holder, ...others], ({ child }) => kill(child))
      assert.strictEqual(holder.said, "held", runtime)
      for (const { said } of others) assert.match(said, /^DirectoryInUse: .*another node runs on it/)
    }
  })

describe("the data directory", { timeout: 60_000 }, () => {
  it.live("is locked between Node, Bun and Deno, and free as soon as the holder was killed -9", () => inTurn([]))

  // Where this machine permits no namespaces, the test above has shown that the lock rests on the kernel alone.
  it.live.skipIf(!mayUnshare)("is locked between PID namespaces, where every process is PID 1 of its own", () =>
    inTurn(namespace)
  )

  const losses: Record<string, (data: string) => void> = {
    "is removed": (data) => rmSync(data, { recursive: true }),
    "is moved away": (data) => renameSync(data, `${data}.old`)
  }
  for (const [what, lose] of Object.entries(losses)) {
    it.live(`ends the node with one line when it ${what} while the node runs`, () =>
      Effect.gen(function* () {
        const [node] = yield* startCluster(["node"])
        const written = yield* node!.request("POST", "/api/products", { body: { name: "kept", price: "1" } })
        assert.strictEqual(written.status, 201)
        lose(node!.data)
        yield* eventually(
          "the node has ended",
          Effect.suspend(() => expectThat(!node!.isRunning(), "it has ended"))
        )
        assert.strictEqual(yield* node!.stop("SIGTERM"), 1)
        const said = node!.output().split("\n")
        const lines = said.filter((line) => line.startsWith("lithair: Files were removed or replaced"))
        assert.lengthOf(lines, 1, node!.output())
      }).pipe(Effect.scoped)
    )
  }

  it.live("is of no use as a copy while the original runs: the peers refuse it, and the cluster goes on", () =>
    Effect.gen(function* () {
      const nodes = yield* startCluster(["node", "node", "node"])
      // The smaller id dials: its copy reaches all the others.
      const [original, ...others] = nodes.toSorted((one, other) => (one.id < other.id ? -1 : 1))
      const copy = yield* startCopy(original!, others)
      yield* eventually(
        () => `the copy was refused by both; it said: ${copy.output()}`,
        Effect.suspend(() => {
          const refusals = copy
            .output()
            .split("\n")
            .filter((line) => line.includes("copy of its data directory"))
          const isByAll = others.every(({ id }) => refusals.some((line) => line.includes(` link to ${id} `)))
          return expectThat(isByAll, "both have refused it")
        })
      )
      const ready = yield* copy.request("GET", "/readyz")
      assert.strictEqual(ready.status, 503)
      for (const [at, node] of nodes.entries()) {
        const written = yield* node.request("POST", "/api/products", { body: { name: `beside ${at}`, price: "1" } })
        assert.strictEqual(written.status, 201)
      }
      yield* allReady(nodes)
    }).pipe(Effect.scoped)
  )

  const file = join(freshDirectory(), "file")
  writeFileSync(file, "")
  for (const path of ["/proc/x", "/proc/x/y", "/sys/x", "/dev/null/x", "/dev/null", file, `${file}/x`]) {
    it.live.skipIf(process.platform !== "linux")(`ends the node with one line where it would be ${path}`, () =>
      Effect.gen(function* () {
        const port = yield* freePort
        const { code, stderr } = yield* runToEnd(["--port", String(port), "--data", path])
        assert.strictEqual(code, 1, stderr)
        assert.match(stderr, /^lithair: Cannot .*\n$/, "what failed is said, and not the system's word for it alone")
        assert.include(stderr, "/")
      })
    )
  }
})
