/** Reads under a lease, over real sockets: without a round while it lasts, and never after a pause (C7, diss. 6.4.1). */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { clusterOf, eventually, expectThat, leaderOf, startCluster, type TestNode } from "./Processes.ts"

/** Of a lease: 4,000 ms less a beat of 667 ms and a drift of 100 ms, longer than a busy machine holds a read up. */
const environment = { LITHAIR_READ_LEASE_DRIFT_MS: "100", LITHAIR_ELECTION_TIMEOUT_MS: "4000" }

const start = startCluster(["node", "node", "node"], () => Effect.succeed(environment))

const create = (node: TestNode) =>
  Effect.map(node.request("POST", "/api/products", { body: { name: "Anvil", price: "1" } }), ({ body, status }) => {
    assert.strictEqual(status, 201)
    return `/api/products/${body.id}`
  })

describe("reads under a lease", () => {
  it.live(
    "are answered by a leader that nobody answers, until the lease is over",
    () =>
      Effect.gen(function* () {
        const nodes = yield* start
        const leader = yield* leaderOf(nodes)
        const followers = nodes.filter((node) => node !== leader)
        const path = yield* create(leader)
        // A new leader has no lease yet: this read takes a round, and the echoes of that begin one.
        yield* leader.request("GET", path)
        for (const follower of followers) yield* follower.signal("SIGSTOP")
        const pausedAtMs = performance.now()
        const { status } = yield* leader.request("GET", path)
        const answeredMs = performance.now() - pausedAtMs
        assert.strictEqual(status, 200)
        assert.isBelow(answeredMs, 3000, "a round would have waited for those that are paused")
        yield* eventually(
          "a leader without a quorum is told so",
          Effect.flatMap(leader.request("GET", path), (answer) => expectThat(answer.status === 503, "it is refused"))
        )
        for (const follower of followers) yield* follower.signal("SIGCONT")
        yield* eventually(
          "the cluster reads on",
          Effect.flatMap(leader.request("GET", path), (answer) => expectThat(answer.status === 200, "it is answered"))
        )
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "a leader that was paused for longer than its lease shows nothing older than what others have acknowledged since",
    () =>
      Effect.gen(function* () {
        const nodes = yield* start
        const paused = yield* leaderOf(nodes)
        const others = nodes.filter((node) => node !== paused)
        const path = yield* create(paused)
        assert.strictEqual((yield* paused.request("GET", path)).body.price, "1.00")
        yield* paused.signal("SIGSTOP")
        // They wait in its sockets: it answers them first, once it runs again.
        const reads = yield* Effect.forEach(Array.from({ length: 8 }), () =>
          Effect.forkChild(paused.request("GET", path, { timeoutMs: 40_000 }), { startImmediately: true })
        )
        yield* eventually(
          "another leads",
          Effect.flatMap(clusterOf(others[0]!), ({ leader }) =>
            expectThat(leader !== null && leader !== paused.id, `${leader} leads`)
          )
        )
        yield* eventually(
          "the new leader writes",
          Effect.flatMap(others[0]!.request("PATCH", path, { body: { price: "2" } }), ({ status }) =>
            expectThat(status === 200, `it was answered ${status}`)
          )
        )
        yield* paused.signal("SIGCONT")
        const answers = yield* Effect.forEach(reads, Fiber.join)
        const old = answers.filter(({ body, status }) => status === 200 && body.price !== "2.00")
        assert.deepStrictEqual(old, [])
        yield* eventually(
          "it reads on, as a follower",
          Effect.flatMap(paused.request("GET", path), ({ body, status }) =>
            expectThat(status === 200 && body.price === "2.00", `it was answered ${status}`)
          )
        )
      }).pipe(Effect.scoped),
    60_000
  )
})
