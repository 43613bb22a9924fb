/**
 * Attacks by doing nothing: idle connections, idle streams, and answers that nobody takes. Readers that take nothing are in
 * test/Node/eventStream.test.ts and test/Node/stuck.test.ts, heads and bodies that do not come in
 * test/processes/edges.test.ts. vitest.config.ts leaves this out on Bun and Deno. docs/edge.md.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { connect, Socket } from "node:net"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { stuckMaxMs } from "../../src/Http/Stuck.ts"
import { layer, makeKey, send, Target } from "./Target.ts"

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
  it.live(
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

describe("clients that take none of their large answers", () => {
  it.live(
    "are cut off after a minute, so that they keep no other out for longer",
    () =>
      Effect.gen(function* () {
        const { port } = yield* Target
        const { key } = yield* makeKey("sam", ["staff"])
        const small = Effect.map(send("GET", "/api/plans/none", { key }), ({ status }) => status)
        // A page has some 8 MiB. The operating system takes about half of it for the client.
        const text = "x".repeat(900_000)
        for (let at = 0; at < 10; at++) {
          assert.strictEqual((yield* send("POST", "/api/plans", { key, body: { text } })).status, 201)
        }
        // The sockets of the server whose answers must be taken within a minute. The minute itself is the runtime's.
        const watched = new Set<Socket>()
        const { setTimeout } = Socket.prototype
        const spy = vi.spyOn(Socket.prototype, "setTimeout").mockImplementation(function (this: Socket, ms, ...more) {
          if (ms === stuckMaxMs) watched.add(this)
          return setTimeout.call(this, ms, ...more)
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => spy.mockRestore()))
        const head = `GET /api/plans HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${key}\r\n\r\n`
        for (let at = 0; at < 12; at++) {
          const socket = connect(port, "127.0.0.1", () => socket.write(head))
          socket.pause().on("error", () => {})
          yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
        }
        while ((yield* small) !== 503) yield* Effect.sleep("20 millis")
        for (const socket of watched) if (socket.timeout === stuckMaxMs) socket.emit("timeout")
        while ((yield* small) !== 404) yield* Effect.sleep("20 millis")

        // A client that takes its answer may ask again on its connection, for as long as it likes.
        watched.clear()
        const socket = connect(port, "127.0.0.1", () => socket.write(`${head}${head}`))
        let bytes = 0
        socket.on("data", (part) => {
          bytes += part.length
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
        while (bytes < 16_000_000) yield* Effect.sleep("20 millis")
        assert.lengthOf([...watched], 1)
        while ([...watched].some(({ timeout }) => timeout === stuckMaxMs)) yield* Effect.sleep("20 millis")
      }).pipe(Effect.scoped, Effect.provide(layer())),
    30_000
  )
})
