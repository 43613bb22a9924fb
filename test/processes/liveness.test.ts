/**
 * Two of three nodes that run and hear each other take writes, whatever clients do: nothing that a leader must do from
 * time to time may wait for a quiet moment.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { profiles } from "../../src/Testing/simulator/Profile.ts"
import { allAdvance, moreAnswers, moreWrites, underLoad, verify } from "./Load.ts"
import { allReady, eventually, expectThat, leaderOf, startCluster, type TestNode } from "./Processes.ts"
import { makeProxies } from "./Proxies.ts"

const notReadyFor = (node: TestNode, reason: RegExp) => {
  let answered = "nothing"
  return eventually(
    () => `${node.id} is not ready because of ${reason}; it answered ${answered}`,
    Effect.flatMap(node.request("GET", "/readyz", { timeoutMs: 1000 }), ({ body, status }) => {
      answered = JSON.stringify(body)
      return expectThat(status === 503 && reason.test(String(body.reasons)), "it says so")
    })
  )
}

describe("a lane for entries that is cut while beats arrive", () => {
  it.live(
    "a follower that gets none is not ready; a leader whom none leave hands over; both catch up once it is whole",
    () =>
      Effect.gen(function* () {
        const proxies = makeProxies()
        const nodes = yield* startCluster(["node", "node", "node"], proxies.environmentOf)
        const first = yield* leaderOf(nodes)
        const others = nodes.filter((node) => node !== first) as [TestNode, TestNode]
        const options = { nodes: others, clients: 4, prefix: "bulk", profile: () => "mixed" as const }
        const { written } = yield* underLoad(options, (written) =>
          Effect.gen(function* () {
            yield* moreWrites(written, 20)
            const [deaf] = others
            proxies.cutBulk({ from: first.port, to: deaf.port })
            yield* notReadyFor(deaf, /The node lacks committed entries, and got none for \d+ ms/)
            assert.strictEqual(yield* leaderOf(nodes), first)
            proxies.heal()
            yield* allReady(nodes)
            yield* allAdvance(nodes)
            for (const { port } of others) proxies.cutBulk({ from: first.port, to: port })
            yield* eventually(
              "another node leads",
              Effect.flatMap(leaderOf(nodes), (next) => expectThat(next !== first, "another one leads"))
            )
            assert.match(
              first.output(),
              /Nothing is committed past \d+ of \d+ entries for \d+ ms, though a quorum answers/
            )
            yield* moreWrites(written, 20)
            proxies.heal()
            yield* allReady(nodes)
            yield* allAdvance(nodes)
          })
        )
        yield* verify(nodes, written)
      }).pipe(Effect.scoped),
    120_000
  )
})

describe("two nodes of three, under load", () => {
  it.live(
    "one follower is killed and comes back, then the other is killed: writes go on (read-only, mixed, write-only)",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        for (const profile of profiles) {
          const leader = yield* leaderOf(nodes)
          const [b, c] = nodes.filter((node) => node !== leader) as [TestNode, TestNode]
          const write = (name: string) =>
            leader.request("POST", "/api/products", { body: { name: `${profile} ${name}`, price: "1" } })
          const options = { nodes: [leader], clients: 6, prefix: profile, profile: () => profile }
          const { written } = yield* underLoad(options, (written) =>
            Effect.gen(function* () {
              yield* moreAnswers(written, 20)
              yield* b.stop("SIGKILL")
              assert.strictEqual((yield* write("while b is down")).status, 201)
              yield* b.start
              yield* allReady([b])
              yield* allAdvance(nodes)
              yield* c.stop("SIGKILL")
              for (const name of ["first", "second", "third"]) {
                assert.strictEqual((yield* write(`${name} while c is down`)).status, 201)
              }
              yield* moreAnswers(written, 20)
              yield* c.start
              yield* allReady([c])
              yield* allAdvance(nodes)
            })
          )
          yield* verify(nodes, written)
        }
      }).pipe(Effect.scoped),
    120_000
  )
})
