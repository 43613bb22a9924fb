/** Real nodes as real processes: started, killed, paused and asked over HTTP. Every wait is for a condition, with a bound. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Schedule, type Scope } from "effect"
import { readMetrics } from "../Http/PrometheusText.ts"
import { freePort } from "../support/freePort.ts"
import { bundleOf } from "./Bundle.ts"
import { exchange, NoAnswer } from "./Exchange.ts"

export type Runtime = "node" | "bun" | "deno"

const bin = (name: Runtime) => fileURLToPath(new URL(`../../node_modules/.bin/${name}`, import.meta.url))
export const exampleScript = fileURLToPath(new URL("../../examples/cluster.ts", import.meta.url))
const runs: Record<Runtime, ReadonlyArray<string>> = { node: [], bun: ["run"], deno: ["run", "-A"] }

/** What this runtime runs for a program. */
const programOf = (runtime: Runtime, script: string) => (runtime === "node" ? bundleOf(script) : script)

/** The command that runs a script on this runtime. */
export const runtimeCommand = (runtime: Runtime): ReadonlyArray<string> => [bin(runtime), ...runs[runtime]]

/** An answer of a node. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: the tests say what they expect of a body
  readonly body: any
}

export interface TestNode {
  readonly runtime: Runtime
  readonly port: number
  readonly url: string
  readonly id: string
  readonly output: () => string
  readonly isRunning: () => boolean
  /** The id of its process, once it has been started. */
  readonly pid: () => number | undefined
  /** Ends with the exit code, undefined for a signal. */
  readonly stop: (signal: NodeJS.Signals) => Effect.Effect<number | null>
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  readonly start: Effect.Effect<void>
  readonly data: string
  readonly request: (method: string, path: string, options?: RequestOptions) => Effect.Effect<Answer, NoAnswer>
}

export interface RequestOptions {
  readonly body?: unknown
  readonly headers?: Record<string, string>
  readonly timeoutMs?: number
}

export { freePort }

const request =
  (url: string) =>
  (method: string, path: string, options: RequestOptions = {}): Effect.Effect<Answer, NoAnswer> => {
    const { body: value, headers, timeoutMs } = options
    const body = value === undefined || typeof value === "string" ? value : JSON.stringify(value)
    const type = body === undefined ? {} : { "content-type": "application/json" }
    return Effect.flatMap(
      exchange(url + path, { method, body, headers: { ...type, ...headers }, timeoutMs }),
      ({ headers, status, text }) =>
        Effect.try({
          try: () => ({ status, headers, body: text === "" ? undefined : JSON.parse(text) }),
          catch: (cause) => new NoAnswer({ cause })
        })
    )
  }

/** Starts a cluster whose nodes run on these runtimes, waits until all are ready, and stops them with the scope. */
export const startCluster = (
  runtimes: ReadonlyArray<Runtime>,
  /** The variables that the node on this port gets beside those of the tests. */
  environmentOf: (port: number) => Effect.Effect<Record<string, string>, never, Scope.Scope> = () => Effect.succeed({}),
  /** The program of a node. It takes the flags of the example. */
  script: string = exampleScript
): Effect.Effect<ReadonlyArray<TestNode>, Error, Scope.Scope> =>
  Effect.gen(function* () {
    const ports = yield* Effect.forEach(runtimes, () => freePort)
    const root = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-cluster-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    const nodes = yield* Effect.forEach(
      runtimes,
      Effect.fnUntraced(function* (runtime, at) {
        const port = ports[at]!
        const peers = ports.filter((each) => each !== port).join(",")
        const environment = yield* environmentOf(port)
        const flags = ["--peers", peers]
        return yield* makeNode(runtime, port, { flags, data: join(root, String(port)), environment, script })
      })
    )
    yield* Effect.forEach(nodes, (node) => node.start)
    yield* allReady(nodes)
    return nodes
  })

/** The headers of a change that is for the members as this node knows them now. */
export const ifMembers = (node: Pick<TestNode, "request">, headers: Record<string, string> = {}) =>
  Effect.map(node.request("GET", "/_admin/api/members", { headers }), (answer) => ({
    ...headers,
    "if-match": answer.headers.get("etag") ?? ""
  }))

/** Starts an empty node that asks the cluster to take it in, and waits until it is ready. */
export const joinCluster = Effect.fnUntraced(function* (
  through: TestNode,
  runtime: Runtime = "node",
  environment: Record<string, string> = {}
) {
  const port = yield* freePort
  const data = join(dirname(through.data), String(port))
  const node = yield* makeNode(runtime, port, {
    flags: ["--join", through.id],
    data,
    environment,
    script: exampleScript
  })
  yield* node.start
  yield* allReady([node])
  return node
})

/** Starts a node under the name of another, on a copy of its data directory as it is now. */
export const startCopy = Effect.fnUntraced(function* (original: TestNode, others: ReadonlyArray<TestNode>) {
  const port = yield* freePort
  const data = `${original.data}-copy`
  cpSync(original.data, data, { recursive: true })
  const flags = ["--address", original.id, "--peers", others.map(({ id }) => id).join(",")]
  const node = yield* makeNode("node", port, { flags, data, environment: {}, script: exampleScript })
  yield* node.start
  return node
})

/** A node that is not started yet. */
export const makeNode = Effect.fnUntraced(function* (
  runtime: Runtime,
  port: number,
  options: { flags: ReadonlyArray<string>; data: string; environment: Record<string, string>; script: string }
) {
  const flags = ["--port", String(port), ...options.flags, "--data", options.data]
  let child: ChildProcess | undefined
  let output = ""
  const url = `http://127.0.0.1:${port}`
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null
  const stop = (signal: NodeJS.Signals) =>
    Effect.promise(async () => {
      const running = child
      if (running === undefined) return null
      if (isRunning()) {
        const exited = once(running, "exit")
        running.kill(signal)
        await exited
      }
      return running.exitCode
    })
  yield* Effect.addFinalizer(() => stop("SIGKILL"))
  const node: TestNode = {
    runtime,
    port,
    url,
    id: `127.0.0.1:${port}`,
    data: options.data,
    output: () => output,
    isRunning,
    pid: () => child?.pid,
    stop,
    signal: (signal) => Effect.sync(() => void child?.kill(signal)),
    start: Effect.sync(() => {
      child = spawn(bin(runtime), [...runs[runtime], programOf(runtime, options.script), ...flags], {
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, ...options.environment }
      })
      for (const stream of [child.stdout, child.stderr]) {
        stream?.on("data", (data: Buffer) => {
          output += data.toString()
        })
      }
    }),
    request: request(url)
  }
  return node
})

/** Runs a script with these flags until it ends by itself. */
export const runToEnd = (
  flags: ReadonlyArray<string>,
  script: string = exampleScript,
  environment: Record<string, string> = {},
  runtime: Runtime = "node"
) =>
  Effect.promise(async () => {
    const child = spawn(bin(runtime), [...runs[runtime], programOf(runtime, script), ...flags], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
      timeout: 20_000
    })
    const said = { stdout: "", stderr: "" }
    for (const name of ["stdout", "stderr"] as const) {
      child[name].on("data", (data: Buffer) => {
        said[name] += data.toString()
      })
    }
    await once(child, "close")
    return { code: child.exitCode, ...said }
  })

/** Tries again until it succeeds; it is a failure of the test if it never does within about `timeoutMs`. */
export const eventually = <A, E, R>(
  what: string | (() => string),
  attempt: Effect.Effect<A, E, R>,
  timeoutMs = 15_000
) => {
  const said = () => (typeof what === "string" ? what : what())
  return attempt.pipe(
    Effect.retry({ schedule: Schedule.spaced("20 millis") }),
    Effect.timeoutOrElse({
      duration: timeoutMs,
      orElse: () => Effect.fail(new Error(`Not within ${timeoutMs} ms: ${said()}`))
    }),
    Effect.mapError((error) => (error instanceof Error ? error : new Error(`${said()}: ${error}`)))
  )
}

/** Fails unless it holds. */
export const expectThat = (holds: boolean, what: string) =>
  holds ? Effect.void : Effect.fail(new Error(`It does not hold that ${what}`))

export const allReady = (nodes: ReadonlyArray<TestNode>) =>
  Effect.forEach(
    nodes,
    (node) => {
      let last = "nothing"
      return eventually(
        () => `the node on port ${node.port} is ready; it answered ${last} and said: ${node.output()}`,
        Effect.flatMap(node.request("GET", "/readyz?verbose", { timeoutMs: 1000 }), ({ body, status }) => {
          last = JSON.stringify(body)
          return expectThat(status === 200, "the node is ready")
        }),
        30_000
      )
    },
    { concurrency: "unbounded", discard: true }
  )

/** The metrics of a node, as it shows them. */
export const metricsOf = ({ url }: TestNode) =>
  Effect.map(exchange(`${url}/metrics`, {}), ({ text }) => readMetrics(text))

export const clusterOf = (node: TestNode) =>
  Effect.map(node.request("GET", "/_admin/api/cluster", { timeoutMs: 1000 }), ({ body }) => body)

/** The node that leads, as all of these nodes see it. */
export const leaderOf = (nodes: ReadonlyArray<TestNode>) =>
  eventually(
    "the nodes agree on a leader among them",
    Effect.gen(function* () {
      const seen = yield* Effect.forEach(nodes, clusterOf, { concurrency: "unbounded" })
      const leader = nodes.find(({ id }) => seen.every((each) => each.leader === id))
      return leader === undefined ? yield* Effect.fail("no agreement") : leader
    })
  )

/** All records of a model as this node lists them, walked by cursor. */
export const listAll = Effect.fnUntraced(function* (node: TestNode, path: string) {
  const items: Array<Record<string, unknown>> = []
  let cursor: string | null = null
  do {
    const query: string = `?limit=1000${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`
    const { body, status }: Answer = yield* node.request("GET", `/api/${path}${query}`)
    if (status !== 200) return yield* Effect.fail(new Error(`${path} answered ${status}: ${JSON.stringify(body)}`))
    items.push(...body.items)
    cursor = body.next
  } while (cursor !== null)
  return items
})

/** Waits until all nodes have applied the same index, and gives their one state hash. */
export const equalHash = (nodes: ReadonlyArray<TestNode>) =>
  eventually(
    "all nodes have applied the same entries and have the same state hash",
    Effect.gen(function* () {
      const seen = yield* Effect.forEach(nodes, clusterOf, { concurrency: "unbounded" })
      const states = new Set(seen.map((each) => `${each.appliedIndex} ${each.stateHash}`))
      return states.size === 1 ? seen[0].stateHash : yield* Effect.fail(`states differ: ${[...states].join(" | ")}`)
    })
  )
