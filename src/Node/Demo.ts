/** Runs three nodes as three processes on this machine, and prints commands to try. Ctrl-C stops all of them in order. */
import { Console, Effect, Schedule, Schema, Stream } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { ChildProcess } from "effect/process"

/** Options of the demo: its data directory and the hints that it prints. */
export interface DemoOptions {
  /** The directory of the data, with a folder for each port; `.lithair` by default. */
  readonly directory?: string
  /** A path to open on each node; `/docs` by default. */
  readonly path?: string
  /** The URL of the documents of the node on a port; `/docs` on that port by default. */
  readonly docs?: (port: number) => string
  /** Shell commands to try. */
  readonly curls?: ReadonlyArray<string>
}

const ports = [8081, 8082, 8083]

/** A node of the demo ended by itself. */
export class NodeEnded extends Schema.TaggedError<NodeEnded>()("NodeEnded", { message: Schema.String }) {}

/** The arguments by which this runtime runs a script. Deno needs `run` and permissions. */
const runtimeArgs = "deno" in process.versions ? ["run", "-A"] : []

const startNode = Effect.fnUntraced(function* (directory: string, port: number) {
  const peers = ports.filter((each) => each !== port).join(",")
  const flags = ["--port", String(port), "--peers", peers, "--data", `${directory}/${port}`]
  const script = process.argv[1]
  if (script === undefined)
    return yield* new NodeEnded({ message: "The demo cannot run from a REPL or eval: put the program into a file" })
  const node = yield* ChildProcess.make(process.execPath, [...runtimeArgs, script, ...flags], {
    stdin: "ignore"
  })
  yield* node.all.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.runForEach((line) => Console.log(`[${port}] ${line}`)),
    Effect.ignore,
    Effect.forkScoped
  )
  return { port, node }
})

const isReady = (port: number) =>
  HttpClient.get(`http://127.0.0.1:${port}/readyz`).pipe(
    Effect.filterOrFail((response) => response.status === 200),
    Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 400 })
  )

const docsDefault = (port: number): string => `http://127.0.0.1:${port}/docs`

const welcome = ({ curls, directory, docs, path }: Required<DemoOptions>) => `
Three nodes, one cluster. Write to any, read from any:

${ports.map((port) => `  http://127.0.0.1:${port}${path}   docs: ${docs(port)}`).join("\n")}

${curls.map((curl) => `  ${curl}`).join("\n")}

Ctrl-C stops all three; the data stays under ${directory}/.
`

/** Runs this process's script as three nodes until it is interrupted or one of them ends. */
export const runDemo = ({ curls = [], directory = ".lithair", docs = docsDefault, path = "/docs" }: DemoOptions) =>
  Effect.gen(function* () {
    const nodes = yield* Effect.forEach(ports, (port) => startNode(directory, port))
    const anEnd = Effect.raceAll(
      nodes.map(({ node, port }) =>
        Effect.flatMap(node.exitCode, (code) =>
          Effect.fail(new NodeEnded({ message: `The node on port ${port} ended with exit code ${code}` }))
        )
      )
    )
    const ready = Effect.forEach(ports, isReady, { concurrency: "unbounded", discard: true })
    yield* Effect.raceFirst(ready, anEnd)
    yield* Console.log(welcome({ curls, directory, docs, path }))
    return yield* anEnd
  }).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer))
