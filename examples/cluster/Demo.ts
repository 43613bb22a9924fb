/** Three nodes on this machine as three processes, with what to try first; stops all of them in order. */
import { fileURLToPath } from "node:url"
import { Console, Effect, Schedule, Schema, Stream } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { ChildProcess } from "effect/process"

const ports = [8081, 8082, 8083]
const script = fileURLToPath(new URL("../cluster.ts", import.meta.url))

/** A node of the demo ended by itself. */
export class NodeEnded extends Schema.TaggedError<NodeEnded>()("NodeEnded", { message: Schema.String }) {}

/** How this runtime runs a script: Deno is told to, and that it may. */
const runtimeArgs = "deno" in process.versions ? ["run", "-A"] : []

const startNode = Effect.fnUntraced(function* (port: number) {
  const peers = ports.filter((each) => each !== port).join(",")
  const flags = ["--port", String(port), "--peers", peers, "--data", `.lithair/${port}`]
  const node = yield* ChildProcess.make(process.execPath, [...runtimeArgs, script, ...flags], { stdin: "ignore" })
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

const welcome = `
Three nodes, one cluster. Write to any, read from any:

${ports.map((port) => `  http://127.0.0.1:${port}/api/products   docs: http://127.0.0.1:${port}/docs`).join("\n")}

  curl -X POST http://127.0.0.1:8081/api/products -H 'content-type: application/json' -d '{"name":"Anvil","price":"19.90"}'
  curl http://127.0.0.1:8082/api/products

Ctrl-C stops all three; the data stays under .lithair/.
`

export const runDemo = Effect.gen(function* () {
  const nodes = yield* Effect.forEach(ports, startNode)
  const anEnd = Effect.raceAll(
    nodes.map(({ node, port }) =>
      Effect.flatMap(node.exitCode, (code) =>
        Effect.fail(new NodeEnded({ message: `The node on port ${port} ended with exit code ${code}` }))
      )
    )
  )
  const ready = Effect.forEach(ports, isReady, { concurrency: "unbounded", discard: true })
  yield* Effect.raceFirst(ready, anEnd)
  yield* Console.log(welcome)
  return yield* anEnd
}).pipe(Effect.scoped, Effect.provide(FetchHttpClient.layer))
