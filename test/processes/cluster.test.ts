/** Three real processes with their own ports and directories keep the promises while nodes die, pause and return. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { moreWrites, underLoad, verify } from "./Load.ts"
import {
  allReady,
  equalHash,
  eventually,
  expectThat,
  freePort,
  leaderOf,
  type Runtime,
  runToEnd,
  startCluster,
  type TestNode
} from "./Processes.ts"

const node3: ReadonlyArray<Runtime> = ["node", "node", "node"]

const killTheLeader = (runtimes: ReadonlyArray<Runtime>) =>
  Effect.gen(function* () {
    const nodes = yield* startCluster(runtimes)
    const { written, result: failoverMs } = yield* underLoad({ nodes, clients: 8, prefix: "load" }, (written) =>
      Effect.gen(function* () {
        yield* moreWrites(written, 100)
        const leader = yield* leaderOf(nodes)
        yield* leader.stop("SIGKILL")
        const killedAtMs = performance.now()
        yield* moreWrites(written, 100)
        const firstAfter = written.acknowledgedAtMs.find((atMs) => atMs > killedAtMs)
        yield* leader.start
        yield* allReady(nodes)
        yield* moreWrites(written, 100)
        return firstAfter! - killedAtMs
      })
    )
    assert.isBelow(failoverMs, 2000, "a survivor accepts writes within 2 s")
    yield* verify(nodes, written)
  }).pipe(Effect.scoped)

describe("three processes", () => {
  it.live(
    "kill -9 of the leader under load loses no acknowledged write, and the node catches up",
    () => killTheLeader(node3),
    120_000
  )

  it.live("the same cluster mixed from Node, Bun and Deno", () => killTheLeader(["node", "bun", "deno"]), 120_000)

  it.live(
    "with two nodes paused the third refuses quickly and by type, and nothing refused as definite appears later",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(node3)
        const leader = yield* leaderOf(nodes)
        for (const survivor of [leader, nodes.find((node) => node !== leader)!]) {
          const paused = nodes.filter((node) => node !== survivor)
          const { written } = yield* underLoad({ nodes: [survivor], clients: 8, prefix: survivor.id }, (written) =>
            Effect.gen(function* () {
              yield* moreWrites(written, 20)
              for (const node of paused) yield* node.signal("SIGSTOP")
              yield* eventually(
                "a write is refused as certainly not done",
                Effect.suspend(() => expectThat(written.refused.size > 8, "writes are refused")),
                20_000
              )
              const startedAtMs = performance.now()
              const write = yield* survivor.request("POST", "/api/products", { body: { name: "minority", price: "1" } })
              const read = yield* survivor.request("GET", "/api/products")
              assert.isBelow(performance.now() - startedAtMs, 6000)
              assert.deepStrictEqual([write.status, write.body.type], [503, "urn:lithair:problem:no-quorum"])
              assert.deepStrictEqual([read.status, read.body.type], [503, "urn:lithair:problem:no-quorum"])
              written.refused.add("minority")
              const view = { productId: crypto.randomUUID(), renderedHtml: "<p>" }
              assert.strictEqual((yield* survivor.request("POST", "/api/product-views", { body: view })).status, 201)
              for (const node of paused) yield* node.signal("SIGCONT")
              yield* moreWrites(written, 20)
            })
          )
          yield* verify(nodes, written)
        }
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "all nodes killed at once and started again hold everything acknowledged, and what was deleted stays deleted",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(node3)
        const deleted = new Set<string>()
        const { written } = yield* underLoad({ nodes, clients: 8, prefix: "load" }, (written) =>
          Effect.gen(function* () {
            yield* moreWrites(written, 100)
            for (const [name, id] of [...written.acknowledged].slice(0, 10)) {
              const { status } = yield* nodes[0]!.request("DELETE", `/api/products/${id}`)
              assert.strictEqual(status, 204)
              deleted.add(name)
            }
            yield* moreWrites(written, 20)
            yield* Effect.forEach(nodes, (node) => node.stop("SIGKILL"), { concurrency: "unbounded" })
          })
        )
        yield* Effect.forEach(nodes, (node) => node.start)
        yield* allReady(nodes)
        for (const name of deleted) written.acknowledged.delete(name)
        const names = yield* verify(nodes, written)
        assert.deepStrictEqual(
          [...deleted].filter((name) => names.has(name)),
          []
        )
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "a local field differs per node, and survives a replicated update and a restart",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(node3)
        const [a, b, c] = nodes as [TestNode, TestNode, TestNode]
        const made = yield* a.request("POST", "/api/users", { body: { email: "ada@example.org", cacheData: "of a" } })
        assert.strictEqual(made.status, 201)
        const path = `/api/users/${made.body.id}`
        assert.strictEqual((yield* b.request("PATCH", path, { body: { cacheData: "of b" } })).status, 200)
        assert.strictEqual((yield* c.request("PATCH", path, { body: { email: "ada@example.com" } })).status, 200)
        yield* Effect.forEach(nodes, (node) => node.stop("SIGKILL"), { concurrency: "unbounded" })
        yield* Effect.forEach(nodes, (node) => node.start)
        yield* allReady(nodes)
        const shown = yield* Effect.forEach(nodes, (node) => Effect.map(node.request("GET", path), ({ body }) => body))
        const common = { id: made.body.id, email: "ada@example.com" }
        assert.deepStrictEqual(shown, [{ ...common, cacheData: "of a" }, { ...common, cacheData: "of b" }, common])
        yield* equalHash(nodes)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "SIGTERM ends a node in order; a directory in use, a busy port and a bad flag each end it with one clear line",
    () =>
      Effect.gen(function* () {
        const [first] = (yield* startCluster(["node"])) as [TestNode]
        const bad = [
          { flags: ["--port", String(first.port), "--data", `${first.data}-2`], says: /EADDRINUSE/ },
          { flags: ["--port", "1", "--data", first.data], says: /another node runs on it/ },
          { flags: ["--port", String(first.port), "--data", first.data], says: /another node runs on it/ },
          { flags: ["--port", "0"], says: /port/ },
          {
            flags: ["--host", "0.0.0.0", "--port", String(yield* freePort), "--data", `${first.data}-3`],
            says: /without a secret/
          },
          { flags: ["--port", "8081", "--peers", "8081"], says: /is this node itself/ },
          { flags: ["--nonsense"], says: /nonsense/ }
        ]
        for (const { flags, says } of bad) {
          const { code, stderr } = yield* runToEnd(flags)
          assert.strictEqual(code, 1, flags.join(" "))
          assert.match(stderr, says)
          assert.strictEqual(stderr.trim().split("\n").length, 1, stderr)
        }
        assert.strictEqual((yield* first.request("GET", "/readyz")).status, 200)
        assert.strictEqual(yield* first.stop("SIGTERM"), 0)
      }).pipe(Effect.scoped),
    120_000
  )
})
