/** The derived API of real nodes, held against its contract: a follower and a cluster of one, on any runtime, answer alike. */
import { fileURLToPath } from "node:url"
import { assert, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { bodiesContract } from "./BodiesContract.ts"
import { commandsContract } from "./CommandsContract.ts"
import { historyContract } from "./HistoryContract.ts"
import { keysContract } from "./KeysContract.ts"
import { listsContract } from "./ListsContract.ts"
import { pathsContract } from "./PathsContract.ts"
import { allReady, eventually, expectThat, leaderOf, startCluster } from "./Processes.ts"
import { readsContract } from "./ReadsContract.ts"
import { recordsContract } from "./RecordsContract.ts"
import { rulesContract } from "./RulesContract.ts"
import { assertProblem, layerAlone, layerFollower } from "./Served.ts"
import { transactionsContract } from "./TransactionsContract.ts"

/** Its router serves what the others serve directly. */
const routedNode = fileURLToPath(new URL("routedNode.ts", import.meta.url))

const served = [
  { name: "a follower of three", cluster: layerFollower },
  { name: "a cluster of one on Node", cluster: layerAlone("node") },
  { name: "a cluster of one behind a middleware", cluster: layerAlone("node", routedNode) },
  { name: "a cluster of one on Bun", cluster: layerAlone("bun") },
  { name: "a cluster of one on Deno", cluster: layerAlone("deno") }
]

for (const { cluster, name } of served) {
  layer(cluster, { excludeTestServices: true, timeout: "60 seconds" })(name, (it) => {
    pathsContract(it)
    bodiesContract(it)
    recordsContract(it)
    listsContract(it)
    readsContract(it)
    historyContract(it)
    keysContract(it)
    commandsContract(it)
    transactionsContract(it)
    rulesContract(it)
  })
}

it.live(
  "a minority refuses by type what needs a quorum, answers what does not, and a keyed write of unknown outcome is done once",
  () =>
    Effect.gen(function* () {
      const nodes = yield* startCluster(["node", "node", "node"])
      const leader = yield* leaderOf(nodes)
      const others = nodes.filter((node) => node !== leader)
      const email = `${crypto.randomUUID()}@example.org`
      const made = yield* leader.request("POST", "/api/users", { body: { email, cacheData: "old" } })
      const path = `/api/users/${made.body.id}`
      assert.deepStrictEqual((yield* leader.request("GET", path)).body, made.body)
      const seen = { "lithair-min-index": made.headers.get("lithair-index") ?? "" }
      const name = crypto.randomUUID()
      const keyed = { body: { name, price: "1" }, headers: { "idempotency-key": name } }

      for (const node of others) yield* node.signal("SIGSTOP")
      // The leader proposes, and hears from no one: the outcome is unknown.
      const unknown = yield* leader.request("POST", "/api/products", keyed)
      assert.strictEqual(unknown.status, 504, JSON.stringify(unknown.body))
      assert.strictEqual(unknown.body.type, "urn:lithair:problem:unknown-outcome")
      assert.deepStrictEqual([unknown.body.definite, unknown.body.key], [false, name])

      for (const query of ["", "?consistency=local&max-stale=100"]) {
        const met = yield* leader.request("GET", path + query)
        assert.strictEqual(met.status, 503, JSON.stringify(met.body))
        assert.strictEqual(met.body.type, `urn:lithair:problem:${query === "" ? "no-quorum" : "too-stale"}`)
        assert.strictEqual(met.headers.get("retry-after"), "1")
      }
      const local = yield* leader.request("GET", `${path}?consistency=local`)
      assert.deepStrictEqual([local.status, local.body], [200, made.body])
      assert.isAbove(Number(local.headers.get("lithair-stale-ms")), 100)
      const session = yield* leader.request("GET", `${path}?consistency=session`, { headers: seen })
      assert.deepStrictEqual([session.status, session.body], [200, made.body])
      const startedMs = performance.now()
      const nowhere = { headers: { "lithair-min-index": "999999999" } }
      const waited = yield* leader.request("GET", `${path}?consistency=session`, nowhere)
      assert.deepStrictEqual([waited.status, waited.body.type], [503, "urn:lithair:problem:not-caught-up"])
      assert.isAtLeast(performance.now() - startedMs, 4_900)
      assert.isBelow(performance.now() - startedMs, 7_000)
      const own = yield* leader.request("PATCH", path, { body: { cacheData: "new" } })
      assert.deepStrictEqual([own.status, own.body.cacheData], [200, "new"])
      assert.strictEqual((yield* leader.request("GET", "/readyz")).status, 503)
      assert.strictEqual((yield* leader.request("GET", "/livez")).status, 200)

      for (const node of others) yield* node.signal("SIGCONT")
      yield* allReady(nodes)
      const copies = yield* Effect.forEach(nodes, (node) =>
        eventually(
          "a copy is answered",
          Effect.tap(node.request("POST", "/api/products", keyed), ({ status }) =>
            expectThat(status === 201, "it is done")
          )
        )
      )
      assert.strictEqual(new Set(copies.map(({ body }) => body.id)).size, 1)
      const listed = yield* leader.request("GET", `/api/products?name=eq.${name}&count=exact`)
      assert.strictEqual(listed.body.total, 1)
      const again = yield* leader.request("PATCH", `/api/products/${copies[0]!.body.id}`, keyed)
      assertProblem(again, 422, "key-reused")
    }).pipe(Effect.scoped),
  60_000
)
