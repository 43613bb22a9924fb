/** A request that is refused before any route gets a problem too, and leaves the node as it was. */
import type { Server } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { makeServer } from "../../src/Node/HttpServer.ts"
import { eventually, expectThat, startCluster, type TestNode } from "./Processes.ts"
import { askRaw } from "./Raw.ts"

/** Sends bytes as they are, and gives all that is answered until the connection ends. */
const exchange = ({ port }: TestNode, bytes: string) =>
  Effect.callback<string>((resume) => {
    let answer = ""
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes))
    socket.on("data", (data) => {
      answer += data.toString()
    })
    socket.on("error", () => {})
    socket.on("close", () => resume(Effect.succeed(answer)))
    return Effect.sync(() => socket.destroy())
  }).pipe(Effect.timeout("30 seconds"))

const problemIn = (answer: string) => {
  const [head = "", body = ""] = answer.split("\r\n\r\n")
  assert.match(head, /content-type: application\/problem\+json/)
  const { detail, status, type } = JSON.parse(body) as Record<string, unknown>
  assert.isString(detail)
  return [head.split(" ")[1], status, type]
}

describe("a node's edges", { concurrent: true }, () => {
  it.live("a request that the HTTP parser refuses gets a problem, and the next request is served", () =>
    Effect.gen(function* () {
      const [node] = (yield* startCluster(["node"])) as [TestNode]
      const large = `GET /api/products HTTP/1.1\r\nhost: localhost\r\nx-large: ${"a".repeat(100_000)}\r\n\r\n`
      assert.deepStrictEqual(problemIn(yield* exchange(node, large)), [
        "431",
        431,
        "urn:lithair:problem:head-too-large"
      ])
      for (const bytes of ["no such thing\r\n\r\n", "GET / HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n"]) {
        const problem = problemIn(yield* exchange(node, bytes))
        assert.deepStrictEqual(problem, ["400", 400, "urn:lithair:problem:invalid-request"])
      }
      assert.strictEqual((yield* node.request("GET", "/api/products")).status, 200)
    }).pipe(Effect.scoped)
  )

  it.live("a client that the parser refuses, and that never closes its half, is cut off", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.callback<Server>((resume) => {
          const made = makeServer().server
          made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
        }),
        (made) => Effect.sync(() => void made.close())
      )
      const { port } = server.address() as AddressInfo
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () =>
        socket.write("no such thing\r\n\r\n")
      )
      yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
      yield* Effect.callback<void>((resume) => void socket.on("end", () => resume(Effect.void)).resume())
      const openCount = Effect.callback<number>((resume) => {
        server.getConnections((_, count) => resume(Effect.succeed(count)))
      })
      yield* eventually(
        "the server holds the connection no longer",
        Effect.flatMap(openCount, (count) => expectThat(count === 0, `${count} connections are open`)),
        5_000
      )
    }).pipe(Effect.scoped)
  )

  for (const runtime of ["node", "bun", "deno"] as const) {
    it.live(
      `bodies and heads that do not come keep no room, and are 408 after 10 s, on ${runtime}`,
      () =>
        Effect.gen(function* () {
          const [node] = (yield* startCluster([runtime])) as [TestNode]
          const head = ["POST /api/products HTTP/1.1", "host: localhost", "content-type: application/json"]
          const requests = Array.from({ length: 32 }, (_, at) => {
            const announced = at % 2 === 0 ? "content-length: 1048576" : "transfer-encoding: chunked"
            return [...head, announced, "", ""].join("\r\n")
          })
          // Heads that do not come to their end, and a connection that says nothing.
          requests.push("GET /api/pro", "GET /api/products HTTP/1.1\r\nhost: localhost\r\n", "")
          const idle = yield* Effect.forEach(requests, (request) => Effect.forkScoped(exchange(node, request)))
          while (idle.some((each) => each.pollUnsafe() === undefined)) {
            const created = yield* node.request("POST", "/api/products", { body: { name: "a", price: "1" } })
            assert.strictEqual(created.status, 201, JSON.stringify(created.body))
            yield* Effect.sleep("20 millis")
          }
          for (const [at, each] of idle.entries()) {
            const answer = yield* Fiber.join(each)
            assert.notStrictEqual(answer, "", `the answer to ${JSON.stringify(requests[at])}`)
            assert.deepStrictEqual(problemIn(answer), ["408", 408, "urn:lithair:problem:request-timeout"])
          }
        }).pipe(Effect.scoped),
      60_000
    )

    it.live(`the peers' path says by a problem that it is for peers, on ${runtime}`, () =>
      Effect.gen(function* () {
        const [node] = (yield* startCluster([runtime])) as [TestNode]
        const plain = yield* askRaw(node, { path: "/_raft" })
        assert.deepStrictEqual([plain.status, plain.body.type], [426, "urn:lithair:problem:peer-protocol-required"])
        assert.strictEqual(plain.headers.get("upgrade"), "lithair-peer")
        const page = yield* askRaw(node, { path: "/_raft", headers: { origin: "http://localhost" } })
        assert.deepStrictEqual([page.status, page.body.type], [403, "urn:lithair:problem:not-a-peer"])
      }).pipe(Effect.scoped)
    )
  }
})
