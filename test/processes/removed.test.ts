/** Real processes that have just started, and removed members: their answers, and how they end. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { allReady, eventually, expectThat, ifMembers, startCluster, type TestNode } from "./Processes.ts"

const problem = (name: string) => `urn:lithair:problem:${name}`

/** It answers at all: its server is there before its log is open. */
const answers = (node: TestNode, path: string) => eventually(`${path} is answered`, node.request("GET", path))

const ended = (node: TestNode) =>
  eventually(
    () => `${node.id} ends by itself; it said ${node.output()}`,
    Effect.suspend(() => expectThat(!node.isRunning(), "it has ended")),
    30_000
  )

describe("a process that has just started", () => {
  it.live(
    "answers no read without a quorum; one that was removed says so and ends with code 78, though it was down meanwhile",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        // By id: the last one is dialled by all others, and dials nobody.
        const [a, b, c] = nodes.toSorted((one, other) => (one.id < other.id ? -1 : 1)) as [TestNode, TestNode, TestNode]
        const created = yield* a.request("POST", "/api/products", { body: { name: "Anvil", price: "1.00" } })
        assert.strictEqual(created.status, 201)
        yield* Effect.forEach(nodes, (node) => node.stop("SIGKILL"), { concurrency: "unbounded" })
        yield* b.start
        for (const query of ["consistency=local", "consistency=session", ""]) {
          const read = yield* answers(b, `/api/products?${query}`)
          assert.deepStrictEqual([read.status, read.body.type], [503, problem("starting")], query)
          assert.isNotNull(read.headers.get("retry-after"))
        }
        assert.strictEqual((yield* b.request("GET", "/readyz")).status, 503)
        yield* a.start
        yield* allReady([a, b])
        for (const node of [a, b]) {
          const read = yield* node.request("GET", "/api/products?consistency=local")
          assert.deepStrictEqual([read.status, read.body.items.length], [200, 1])
          assert.match(read.headers.get("lithair-stale-ms") ?? "missing", /^\d+$/)
        }

        // While `c` is down.
        const headers = yield* ifMembers(a)
        const removed = yield* a.request("DELETE", `/_admin/api/members/${c.id}?force=true`, { headers })
        assert.strictEqual(removed.status, 200, JSON.stringify(removed.body))
        yield* c.start
        yield* eventually(
          () => `the removed node says so; it said ${c.output()}`,
          Effect.flatMap(c.request("GET", "/api/products?consistency=local"), ({ body }) =>
            expectThat(body.type === problem("removed"), "it does")
          )
        )
        const write = yield* c.request("POST", "/api/products", { body: { name: "Bolt", price: "1.00" } })
        assert.deepStrictEqual([write.status, write.body.type, write.body.definite], [503, problem("removed"), true])
        const ready = yield* c.request("GET", "/readyz")
        assert.strictEqual(ready.status, 503)
        assert.include(ready.body.reasons, "The node was removed from its cluster")

        // `b` while it runs, under any leader.
        const again = { headers: yield* ifMembers(a) }
        assert.strictEqual((yield* a.request("DELETE", `/_admin/api/members/${b.id}?force=true`, again)).status, 200)
        yield* Effect.forEach([b, c], ended, { concurrency: "unbounded" })
        for (const node of [b, c]) {
          assert.strictEqual(yield* node.stop("SIGKILL"), 78)
          assert.include(node.output(), `${node.id} was removed from its cluster`)
        }
        const alone = yield* a.request("POST", "/api/products", { body: { name: "Bolt", price: "1.00" } })
        assert.strictEqual(alone.status, 201)
      }).pipe(Effect.scoped),
    90_000
  )
})
