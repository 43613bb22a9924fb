/** What is refused before any route is asked is a problem as well, and leaves the node as it was. */
import { connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { startCluster, type TestNode } from "./Processes.ts"
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
  }).pipe(Effect.timeout("10 seconds"))

const problemIn = (answer: string) => {
  const [head = "", body = ""] = answer.split("\r\n\r\n")
  assert.match(head, /content-type: application\/problem\+json/)
  const { detail, status, type } = JSON.parse(body) as Record<string, unknown>
  assert.isString(detail)
  return [head.split(" ")[1], status, type]
}

describe("a node's edges", () => {
  it.live("what the parser of HTTP refuses is answered by a problem, and the next request is served", () =>
    Effect.gen(function* () {
      const [node] = (yield* startCluster(["node"])) as [TestNode]
      const large = `GET /api/products HTTP/1.1\r\nhost: a\r\nx-large: ${"a".repeat(100_000)}\r\n\r\n`
      assert.deepStrictEqual(problemIn(yield* exchange(node, large)), [
        "431",
        431,
        "urn:lithair:problem:head-too-large"
      ])
      for (const bytes of ["no such thing\r\n\r\n", "GET / HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n"]) {
        const problem = problemIn(yield* exchange(node, bytes))
        assert.deepStrictEqual(problem, ["400", 400, "urn:lithair:problem:invalid-request"])
      }
      assert.strictEqual((yield* node.request("GET", "/api/products")).status, 200)
    }).pipe(Effect.scoped)
  )

  for (const runtime of ["node", "bun", "deno"] as const) {
    it.live(`the peers' path says by a problem that it is for peers, on ${runtime}`, () =>
      Effect.gen(function* () {
        const [node] = (yield* startCluster([runtime])) as [TestNode]
        const plain = yield* askRaw(node, { path: "/_raft" })
        assert.deepStrictEqual([plain.status, plain.body.type], [426, "urn:lithair:problem:websocket-required"])
        assert.strictEqual(plain.headers.get("upgrade"), "websocket")
        const page = yield* askRaw(node, { path: "/_raft", headers: { origin: "http://localhost" } })
        assert.deepStrictEqual([page.status, page.body.type], [403, "urn:lithair:problem:not-a-peer"])
      }).pipe(Effect.scoped)
    )
  }
})
