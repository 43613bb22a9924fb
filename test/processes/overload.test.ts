/** Load makes nodes slow, and never silent: no election while every core is busy and clients ask for more than there is. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { availableParallelism } from "node:os"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { moreWrites, underLoad, verify } from "./Load.ts"
import { clusterOf, startCluster, type TestNode } from "./Processes.ts"

/** Processes that do nothing but keep a core, one for each, until the scope closes. */
const busyCores = Effect.forEach(
  Array.from({ length: availableParallelism() }),
  () =>
    Effect.acquireRelease(
      Effect.sync(() => spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" })),
      (hog: ChildProcess) =>
        Effect.promise(async () => {
          const ended = once(hog, "exit")
          hog.kill("SIGKILL")
          await ended
        })
    ),
  { discard: true }
)

const termsOf = (nodes: ReadonlyArray<TestNode>) =>
  Effect.forEach(nodes, (node) => Effect.map(clusterOf(node), ({ term }) => term))

const leaderLosses = (nodes: ReadonlyArray<TestNode>) =>
  nodes.flatMap((node) => node.output().match(/.*no leader is known now.*/g) ?? [])

describe("overload", () => {
  it.live(
    "256 clients that write without pause while all cores are busy: no election, no leader lost, no write lost (issue 3.6)",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"])
        const before = yield* termsOf(nodes)
        yield* busyCores
        const { written, result: seconds } = yield* underLoad({ nodes, clients: 256, prefix: "load" }, (written) =>
          Effect.gen(function* () {
            const beganMs = performance.now()
            yield* moreWrites(written, 10_000, 90_000)
            return (performance.now() - beganMs) / 1000
          })
        )
        assert.deepStrictEqual(yield* termsOf(nodes), before)
        assert.deepStrictEqual(leaderLosses(nodes), [])
        console.log(`${Math.round(written.acknowledged.size / seconds)} writes/s for ${Math.round(seconds)} s`)
        console.log(`${written.refused.size} refused, ${written.unknown.size} unknown`)
        yield* verify(nodes, written)
      }).pipe(Effect.scoped),
    180_000
  )

  it.live(
    "bodies beyond what a node holds at once are refused at once and by type, those within are written, and it says that it lives",
    () =>
      Effect.gen(function* () {
        const [node] = (yield* startCluster(["node"])) as [TestNode]
        const body = { name: "A".repeat(1_000_000), price: "1" }
        const post = node.request("POST", "/api/products", { body, timeoutMs: 20_000 })
        const live = Effect.map(node.request("GET", "/livez"), ({ status }) => status)
        const posts = Effect.forEach(Array.from({ length: 40 }), () => post, { concurrency: "unbounded" })
        const [answers, status] = yield* Effect.all([posts, live], { concurrency: 2 })
        const done = answers.filter((answer) => answer.status === 201)
        const refused = answers.filter((answer) => answer.status === 503)
        assert.strictEqual(status, 200)
        assert.strictEqual(done.length + refused.length, answers.length)
        assert.isAtLeast(done.length, 16)
        assert.isAtLeast(refused.length, 1)
        for (const { body, headers } of refused) {
          assert.strictEqual(body.type, "urn:lithair:problem:overloaded")
          assert.deepStrictEqual([body.definite, headers.get("retry-after")], [true, "1"])
        }
        const { body: listed } = yield* node.request("GET", "/api/products?select=id&limit=1000")
        assert.strictEqual(listed.items.length, done.length)
      }).pipe(Effect.scoped)
  )
})
