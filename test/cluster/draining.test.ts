/** A node that is told to stop answers whoever waits before it goes, and says no more than it knows. HTTP contract, "Errors". */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { type Answer, allReady, eventually, expectThat, leaderOf, startCluster, type TestNode } from "./Processes.ts"

const bodyOf = (name: string) => ({ name, price: "1" })

/** Sends writes and reads that have to wait to `node`, and tells it to stop while they are under way. */
const stopDuringRequests = Effect.fnUntraced(function* (node: TestNode) {
  const key = crypto.randomUUID()
  const requests = yield* Effect.forkChild(
    Effect.all(
      [
        node.request("POST", "/api/products", { body: bodyOf("keyed"), headers: { "idempotency-key": key } }),
        node.request("POST", "/api/products", { body: bodyOf("unkeyed") }),
        node.request("GET", "/api/products"),
        node.request("GET", "/api/products?consistency=session", { headers: { "lithair-min-index": "1000000" } })
      ],
      { concurrency: "unbounded" }
    )
  )
  // A follower tells nobody what it has forwarded: that all have come to it is a matter of time.
  yield* Effect.sleep(200)
  const stoppedAtMs = performance.now()
  const stopping = yield* Effect.forkChild(node.stop("SIGTERM"))
  yield* eventually(
    "the node says that it drains",
    Effect.tap(node.request("GET", "/readyz", { timeoutMs: 1000 }), ({ status }) =>
      expectThat(status === 503, "it is not ready")
    )
  )
  const asked = yield* node.request("GET", `/api/_operations/${key}`)
  assert.deepStrictEqual([asked.status, asked.body.type], [503, "urn:lithair:problem:draining"])
  const [keyed, unkeyed, linearizable, session] = yield* Fiber.join(requests)
  assert.deepStrictEqual([linearizable.status, linearizable.body?.type], [503, "urn:lithair:problem:draining"])
  assert.deepStrictEqual([session.status, session.body?.type], [503, "urn:lithair:problem:not-caught-up"])
  assert.strictEqual(yield* Fiber.join(stopping), 0)
  assert.isBelow(performance.now() - stoppedAtMs, 5_000, "it ends within a few seconds")
  return { key, keyed, unkeyed }
})

const expectUnknown = ({ body, headers, status }: Answer, node: TestNode) => {
  assert.deepStrictEqual(
    [status, body?.type, body?.definite],
    [504, "urn:lithair:problem:unknown-outcome", false],
    JSON.stringify(body)
  )
  assert.strictEqual(headers.get("content-type"), "application/problem+json")
  assert.strictEqual(headers.get("lithair-node"), node.id)
  assert.strictEqual(body.operation, `/api/_operations/${encodeURIComponent(body.key)}`)
}

/** By the key that a 504 names, what may be done comes to be told for good. */
const expectTold = (node: TestNode, { body }: Answer) =>
  eventually(
    "what became of a write is told",
    Effect.tap(node.request("GET", body.operation), ({ body: { state } }) =>
      expectThat(state === "committed" || state === "absent", `it is ${state}`)
    )
  )

describe("a node that is told to stop", () => {
  it.live(
    "as the leader answers 504, with a key, what it has proposed and cannot commit: it may still be done (C18)",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        const leader = yield* leaderOf(nodes)
        const others = nodes.filter((node) => node !== leader)
        for (const node of others) yield* node.signal("SIGSTOP")
        const { key, keyed, unkeyed } = yield* stopDuringRequests(leader)
        for (const answer of [keyed, unkeyed]) expectUnknown(answer, leader)
        assert.strictEqual(keyed.body.key, key)
        for (const node of others) yield* node.signal("SIGCONT")
        yield* leader.start
        yield* allReady(nodes)
        for (const answer of [keyed, unkeyed]) yield* expectTold(others[0]!, answer)
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "as a follower waits for what it has forwarded, and answers 504 for what the leader has not answered (C18)",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"], () =>
          // The leader hangs for less than an election takes.
          Effect.succeed({ LITHAIR_ELECTION_TIMEOUT_MS: "5000" })
        )
        const leader = yield* leaderOf(nodes)
        const [follower, other] = nodes.filter((node) => node !== leader)
        yield* leader.signal("SIGSTOP")
        const { key, keyed, unkeyed } = yield* stopDuringRequests(follower!)
        for (const answer of [keyed, unkeyed]) expectUnknown(answer, follower!)
        assert.strictEqual(keyed.body.key, key)
        yield* leader.signal("SIGCONT")
        for (const answer of [keyed, unkeyed]) yield* expectTold(other!, answer)
      }).pipe(Effect.scoped),
    60_000
  )
})
