/**
 * Attacks by doing nothing: idle connections and idle streams. Readers that take nothing are in test/Node/eventStream.test.ts
 * and test/Node/stuck.test.ts, heads and bodies that do not come in test/processes/edges.test.ts. docs/edge.md.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { layer, makeKey, send, Target } from "./Target.ts"

/** Only V8 collects garbage on demand and tells its heap. */
const isV8 = !("Bun" in globalThis) && !("Deno" in globalThis)

/** The bytes that live after the garbage is gone, on V8's heap and outside of it. */
const livingBytes = Effect.promise(async () => {
  const { setFlagsFromString } = await import("node:v8")
  const { runInNewContext } = await import("node:vm")
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")
  collect()
  collect()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
})

/** Another process that opens connections, sends a head on each, and reads nothing. It says when all have their first bytes. */
const openElsewhere = (port: number, count: number, head: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const program = `
        const { connect } = require("node:net")
        let waiting = ${count}
        for (let at = 0; at < ${count}; at++) {
          const socket = connect(${port}, "127.0.0.1", () => socket.write(${JSON.stringify(head)}))
          socket.on("error", () => {})
          const begun = () => { if (--waiting === 0) console.log("open") }
          if (${head === ""}) socket.once("connect", begun)
          else socket.once("data", () => { socket.pause(); begun() })
        }
        setInterval(() => {}, 1000)`
      const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] })
      await once(child.stdout, "data")
      return child
    }),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )

describe("clients that do nothing", () => {
  it.live.skipIf(!isV8)(
    "cost little and give it back: 36 kB an idle stream of changes or live query, 5 kB an idle connection",
    () =>
      Effect.gen(function* () {
        const { port } = yield* Target
        const { key } = yield* makeKey("sam", ["staff"])
        yield* send("POST", "/api/notes", { key, body: { teamId: null, rank: 1 } })
        const head = (path: string) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\n\r\n`
        const kinds = [
          { count: 300, text: head("/api/notes/changes"), boundBytes: 60_000 },
          { count: 300, text: head("/api/notes/live"), boundBytes: 60_000 },
          { count: 600, text: "", boundBytes: 10_000 }
        ]
        for (const { boundBytes, count, text } of kinds) {
          // The first ones warm up code and tables, which stay.
          yield* Effect.scoped(openElsewhere(port, count, text))
          const before = yield* livingBytes
          const eachBytes = Effect.map(livingBytes, (bytes) => (bytes - before) / count)
          yield* Effect.scoped(
            Effect.gen(function* () {
              yield* openElsewhere(port, count, text)
              assert.isBelow(yield* eachBytes, boundBytes, text)
              // The node goes on meanwhile.
              assert.strictEqual((yield* send("GET", "/api/notes?limit=1", { key })).status, 200)
            })
          )
          while ((yield* eachBytes) > 5_000) yield* Effect.sleep("50 millis")
        }
      }).pipe(Effect.provide(layer({ edge: { streamsOfOneMax: 1_024, requestLog: false } }))),
    60_000
  )
})
