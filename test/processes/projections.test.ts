/** Projections and a reaction on three real processes, which are killed with -9 while orders are placed. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import {
  allReady,
  equalHash,
  eventually,
  expectThat,
  leaderOf,
  listAll,
  type Runtime,
  startCluster,
  type TestNode
} from "./Processes.ts"
import { type Placed, placing, readSpent, spentOf } from "./Sales.ts"
import { assertProblem } from "./Served.ts"

const script = fileURLToPath(new URL("salesNode.ts", import.meta.url))

/** A cluster of such nodes; `environment` is that of all of them, from their next start on. */
const startSales = Effect.fnUntraced(function* (runtimes: ReadonlyArray<Runtime>) {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-sales-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const mails = join(directory, "mails.txt")
  const environment: Record<string, string> = { SALES_MAILS: mails, SALES_VERSION: "1" }
  const nodes = yield* startCluster(runtimes, () => Effect.succeed(environment), script)
  const sent = () =>
    readFileSync(mails, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split(" "))
      .map(([port, id, customer]) => ({ port: Number(port), id: id ?? "", customer }))
  return { nodes, environment, sent }
})

const more = (placed: ReadonlyArray<Placed>, count: number) => {
  const goal = placed.length + count
  return eventually(
    `${count} more orders are placed`,
    Effect.suspend(() => expectThat(placed.length >= goal, "they are")),
    60_000
  )
}

/** Every node answers the same at the same index, and all of it follows from the orders that the tables hold. */
const verifySpent = Effect.fnUntraced(function* (nodes: ReadonlyArray<TestNode>, placed: ReadonlyArray<Placed>) {
  yield* equalHash(nodes)
  const orders = (yield* listAll(nodes[0]!, "orders")) as unknown as ReadonlyArray<Placed>
  const ids = new Set(orders.map(({ id }) => id))
  assert.deepStrictEqual(
    placed.filter(({ id }) => !ids.has(id)),
    [],
    "every acknowledged order is there"
  )
  for (const node of nodes) {
    const { spent } = yield* readSpent(node)
    assert.deepStrictEqual(spent, spentOf(orders))
  }
  return orders
})

/** The SQLite file of a node that does not run, as it was left. */
const tablesOf = (node: TestNode, version = 1) => {
  const database = new DatabaseSync(join(node.data, "derived", `orders.v${version}.sqlite`))
  const all = (sql: string) =>
    database
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }))
  const tables = {
    position: Number(all("SELECT position FROM _lithair")[0]?.position),
    changes: all("SELECT entry, id FROM changes ORDER BY entry"),
    orders: all("SELECT id FROM orders ORDER BY id"),
    changed: all("SELECT DISTINCT id FROM changes ORDER BY id")
  }
  database.close()
  return tables
}

describe("projections of three processes", () => {
  it.live(
    "on Node, Bun and Deno, killed with -9 under load: rows and position agree, nothing is lost, and no mail is missed",
    () =>
      Effect.gen(function* () {
        const { environment, nodes, sent } = yield* startSales(["node", "bun", "deno"])
        const left: Array<ReturnType<typeof tablesOf>> = []
        const { placed, result: deaths } = yield* placing(nodes, (placed) =>
          Effect.gen(function* () {
            let deaths = 0
            for (const victim of nodes) {
              yield* more(placed, 40)
              yield* victim.stop("SIGKILL")
              left.push(tablesOf(victim))
              deaths += 1
              yield* more(placed, 20)
              yield* victim.start
              yield* allReady(nodes)
              // The read shows everything that was answered before it began, on every node.
              const before = spentOf([...placed])
              const { spent } = yield* readSpent(victim)
              for (const [customer, { orders }] of Object.entries(before)) {
                assert.isAtLeast((spent[customer] as { orders: number }).orders, orders, customer)
              }
            }
            const leader = yield* leaderOf(nodes)
            yield* leader.stop("SIGKILL")
            yield* more(placed, 20)
            yield* leader.start
            yield* allReady(nodes)
            return deaths + 1
          })
        )
        const orders = yield* verifySpent(nodes, placed)
        yield* eventually(
          "the reaction runs on the leader alone",
          Effect.gen(function* () {
            const asked = yield* Effect.forEach(nodes, (node) => node.request("GET", "/_admin/api/reactions"))
            return yield* expectThat(asked.filter(({ body }) => body.items[0].running).length === 1, "it runs on one")
          })
        )

        // Each order is mailed at least once, in the order of the log, and few again for each death of a leader.
        yield* eventually(
          "all orders are mailed",
          Effect.suspend(() => expectThat(new Set(sent().map(({ id }) => id)).size === orders.length, "they are"))
        )
        const mails = sent()
        const first = mails.filter(({ id }, at) => mails.findIndex((other) => other.id === id) === at)
        const indexes = first.map(({ id }) => Number(id.split(".")[0]))
        assert.deepStrictEqual(
          indexes,
          indexes.toSorted((a, b) => a - b)
        )
        const mailed = new Set(mails.map(({ id }) => id))
        assert.isTrue(placed.every(({ index }) => mailed.has(`${index}.0`)))
        assert.isAtMost(mails.length - first.length, deaths * 64)

        // Whenever a node was killed, its file held exactly the events up to its position.
        yield* Effect.forEach(nodes, (node) => node.stop("SIGTERM"), { concurrency: "unbounded" })
        const whole = tablesOf(nodes[0]!)
        assert.strictEqual(whole.changes.length, orders.length)
        for (const { changed, changes, orders, position } of left) {
          assert.deepStrictEqual(
            changes,
            whole.changes.filter(({ entry }) => Number(entry) <= position)
          )
          assert.deepStrictEqual(orders, changed)
        }
        assert.isTrue(left.some(({ position }) => position > 0))

        // Another version: made anew, killed while it is, and right in the end.
        environment.SALES_VERSION = "2"
        yield* Effect.forEach(nodes, (node) => node.start)
        yield* eventually(
          "the file of the new version is there",
          Effect.try({ try: () => tablesOf(nodes[1]!, 2), catch: () => "not yet" })
        )
        yield* nodes[1]!.stop("SIGKILL")
        const rebuilding = tablesOf(nodes[1]!, 2)
        assert.deepStrictEqual(
          rebuilding.changes,
          whole.changes.filter(({ entry }) => Number(entry) <= rebuilding.position)
        )
        yield* nodes[1]!.start
        yield* allReady(nodes)
        yield* verifySpent(nodes, placed)
        yield* eventually(
          "every projection has come to the end of the log",
          Effect.flatMap(nodes[1]!.request("GET", "/api/_projections"), ({ body }) =>
            expectThat(
              body.items.every(({ lag }: { readonly lag: number }) => lag === 0),
              "no projection lags"
            )
          )
        )
        yield* Effect.forEach(nodes, (node) => node.stop("SIGTERM"), { concurrency: "unbounded" })
        for (const node of nodes) assert.deepStrictEqual(tablesOf(node, 2).changes, whole.changes)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "one that throws answers 503 at once on every node, and the others go on",
    () =>
      Effect.gen(function* () {
        const { nodes } = yield* startSales(["node", "node", "node"])
        const [node] = nodes
        const place = (customer: string) =>
          node!.request("POST", "/api/orders", { body: { id: crypto.randomUUID(), customer, cents: 1 } })
        yield* place("ann")
        for (const each of nodes) {
          const counted = yield* each.request("GET", "/api/_projections/faulty")
          assert.deepStrictEqual([counted.status, counted.body], [200, 1])
        }
        const placed = yield* place("mallory")
        assert.strictEqual(placed.status, 201)
        for (const each of nodes) {
          const failed = yield* each.request("GET", "/api/_projections/faulty")
          assertProblem(failed, 503, "projection-failed")
          assert.strictEqual(failed.body.projection, "faulty")
          assert.notMatch(JSON.stringify(failed.body), /please/, "what its code threw is told to the log alone")
          assert.deepStrictEqual((yield* readSpent(each)).spent, {
            ann: { orders: 1, cents: 1 },
            mallory: { orders: 1, cents: 1 }
          })
          const { body } = yield* each.request("GET", "/api/_projections")
          const states = body.items.map(({ name, state }: { name: string; state: string }) => [name, state])
          assert.deepStrictEqual(Object.fromEntries(states), {
            faulty: "failed",
            history: "following",
            orders: "following",
            spent: "following"
          })
        }
        yield* place("ann")
        assert.deepInclude((yield* readSpent(node!)).spent, { ann: { orders: 2, cents: 2 } })
      }).pipe(Effect.scoped),
    60_000
  )

  it.live(
    "are read by key, page by page and as new as is asked, and nothing that is asked for is ignored",
    () =>
      Effect.gen(function* () {
        const { nodes } = yield* startSales(["node"])
        const ask = (method: string, path: string, headers: Record<string, string> = {}) =>
          nodes[0]!.request(method, `/api/_projections${path}`, { headers })
        const keys = ["", "a b", "ann", "z/ü%", "\u{1f642}"]
        for (const customer of keys) {
          yield* nodes[0]!.request("POST", "/api/orders", { body: { customer, cents: 1 } })
        }
        const walked: Array<string> = []
        let path = "/spent?limit=2"
        for (let cursor: string | null = ""; cursor !== null; ) {
          const { body, headers, status } = yield* ask("GET", path)
          assert.strictEqual(status, 200, JSON.stringify(body))
          walked.push(...body.items.map(({ key }: { key: string }) => key))
          cursor = body.next
          path = `/spent?limit=2&cursor=${cursor}`
          assert.strictEqual(headers.get("link"), cursor === null ? null : `</api/_projections${path}>; rel="next"`)
        }
        assert.deepStrictEqual(walked, keys.toSorted())
        for (const key of keys) {
          const { body, status } = yield* ask("GET", `/spent?key=${encodeURIComponent(key)}`)
          assert.deepStrictEqual([status, body], [200, { orders: 1, cents: 1 }], key)
        }
        const history = yield* ask("GET", "/history")
        assert.lengthOf(history.body, keys.length)
        const seen = history.headers.get("lithair-index") ?? ""
        const session = yield* ask("GET", "/history?consistency=session", { "lithair-min-index": seen })
        assert.deepStrictEqual([session.status, session.body], [200, history.body])
        const ahead = yield* ask("GET", "/history?consistency=session", { "lithair-min-index": "999999" })
        assertProblem(ahead, 503, "not-caught-up")
        assert.strictEqual((yield* ask("GET", "/spent?consistency=local&limit=1")).status, 200)
        assert.strictEqual((yield* ask("GET", "/history?consistency=local&max-stale=1000")).status, 200)
        assertProblem(yield* ask("GET", "/spent?key=nobody"), 404, "not-found")
        for (const none of ["/nothing", "/spent/ann", "/orders", "/Spent", "/"]) {
          assertProblem(yield* ask("GET", none), 404, "not-found", none)
        }
        for (const wrong of [
          "?limit=1",
          "/spent?limit=0",
          "/spent?limit=1001",
          "/spent?key=a&key=b",
          "/spent?key=a&limit=1",
          "/spent?cursor=x",
          "/spent?customer=eq.ann",
          "/history?key=a",
          "/history?consistency=perhaps"
        ]) {
          assertProblem(yield* ask("GET", wrong), 400, "invalid-request", wrong)
        }
        assertProblem(yield* ask("POST", "/spent"), 405, "method-not-allowed")
        const { body: document } = yield* nodes[0]!.request("GET", "/openapi.json")
        assert.includeMembers(Object.keys(document.paths), ["/api/_projections", "/api/_projections/spent"])
        assert.isUndefined(document.paths["/api/_projections/orders"])
        const positions = Object.keys(document.paths).filter((each) => /lithair|position/i.test(each))
        assert.deepStrictEqual(positions, [], "the positions of reactions are served nowhere")
      }).pipe(Effect.scoped),
    60_000
  )
})
