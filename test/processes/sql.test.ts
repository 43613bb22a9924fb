/**
 * A projection of three processes into a real PostgreSQL, while leaders are killed with -9 and stopped, and connections
 * and the server are killed in the middle of transactions: its rows equal the memory projection at the same index.
 */
import { fileURLToPath } from "node:url"
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Random, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { startPostgres, username } from "../support/Postgres.ts"
import {
  allReady,
  eventually,
  expectThat,
  leaderOf,
  listAll,
  metricsOf,
  startCluster,
  type TestNode
} from "./Processes.ts"
import { type Placed, placing, readSpent } from "./Sales.ts"

const example = fileURLToPath(new URL("../../examples/sql.ts", import.meta.url))
const script = fileURLToPath(new URL("sqlNode.ts", import.meta.url))

/** The gate takes a hundred. */
const killsCount = Number(process.env.LITHAIR_TEST_KILLS ?? 10)
/** So many come before the load rests, and the rows are compared. */
const roundCount = 10

const layerClient = (port: number) =>
  PgClient.layer({ host: "127.0.0.1", port, username, database: "postgres", applicationName: "lithair-test" })

/** The server may have just begun again. */
const asking = <A, E, R>(ask: Effect.Effect<A, E, R>) =>
  ask.pipe(Effect.retry(Schedule.spaced("50 millis")), Effect.timeout("30 seconds"))

/** The connections of nodes that are inside a transaction now. */
const inTransaction = Effect.gen(function* () {
  const sql = yield* SqlClient
  const found = yield* sql<{ readonly pid: number }>`SELECT pid FROM pg_stat_activity
    WHERE application_name = 'lithair-node' AND xact_start IS NOT NULL`
  return found.length > 0 ? found.map(({ pid }) => pid) : yield* Effect.fail(new Error("none is inside"))
}).pipe(Effect.retry(Schedule.spaced("1 millis")), Effect.timeout("30 seconds"))

/** What the rows say, and the entry that they reflect, at one moment. */
const readRows = Effect.gen(function* () {
  const sql = yield* SqlClient
  const read = Effect.gen(function* () {
    const [note] = yield* sql<{ readonly entry: unknown }>`SELECT entry FROM lithair_projections`
    const rows = yield* sql<{ readonly customer: string; readonly orders: unknown; readonly cents: unknown }>`
      SELECT customer, count(*) AS orders, sum(cents) AS cents FROM sql_orders GROUP BY customer`
    const spent = rows.map(({ cents, customer, orders }) => [
      customer,
      { orders: Number(orders), cents: Number(cents) }
    ])
    return { index: Number(note?.entry ?? 0), spent: Object.fromEntries(spent) }
  })
  return yield* asking(sql.withTransaction(Effect.andThen(sql`SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`, read)))
})

/** Waits until rows and memory reflect the same entry, and gives both. */
const atEqualIndex = (node: TestNode) =>
  eventually(
    "rows and memory reflect the same entry",
    Effect.gen(function* () {
      const rows = yield* readRows
      const memory = yield* readSpent(node)
      yield* expectThat(rows.index === memory.index, `the rows are at ${rows.index}, and memory at ${memory.index}`)
      return { rows, memory }
    }),
    60_000
  )

describe("a projection into PostgreSQL", () => {
  it.live(
    `equals the one in memory at equal index after ${killsCount} kills, and has each event once`,
    () =>
      Effect.gen(function* () {
        const server = yield* startPostgres
        const nodes = yield* startCluster(
          ["node", "node", "node"],
          () => Effect.succeed({ SQL_PORT: String(server.port) }),
          script
        )
        yield* Effect.gen(function* () {
          const sql = yield* SqlClient
          const kills = {
            connection: Effect.gen(function* () {
              for (const pid of yield* inTransaction) yield* sql`SELECT pg_terminate_backend(${pid})`
            }),
            leader: Effect.gen(function* () {
              const leader = yield* leaderOf(nodes)
              yield* inTransaction
              yield* leader.stop("SIGKILL")
              yield* leader.start
              yield* allReady(nodes)
            }),
            server: Effect.gen(function* () {
              yield* inTransaction
              yield* server.kill
              yield* server.start
            }),
            // Another node leads meanwhile. The former one goes on inside its transaction, and finds that it was overtaken.
            stopped: Effect.gen(function* () {
              const leader = yield* leaderOf(nodes)
              yield* inTransaction
              yield* leader.signal("SIGSTOP")
              const rest = nodes.filter((node) => node !== leader)
              yield* Effect.ensuring(leaderOf(rest), leader.signal("SIGCONT"))
              yield* allReady(nodes)
            })
          }
          const order = ["connection", "leader", "connection", "server", "connection", "stopped", "connection"] as const
          let placedCount = 0
          const placed: Array<Placed> = []
          for (let kill = 0; kill < killsCount; ) {
            const round = yield* placing(nodes, () =>
              Effect.gen(function* () {
                for (const end = Math.min(killsCount, kill + roundCount); kill < end; kill++) {
                  yield* asking(kills[order[kill % order.length]!])
                }
              })
            )
            placed.push(...round.placed)
            const { memory, rows } = yield* atEqualIndex(nodes[kill % nodes.length]!)
            assert.deepStrictEqual(rows.spent, memory.spent)
            const count = Object.values(rows.spent as Record<string, { orders: number }>).reduce(
              (sum, { orders }) => sum + orders,
              0
            )
            assert.isAbove(count, placedCount, "orders were placed meanwhile")
            placedCount = count
          }

          const orders = yield* listAll(nodes[0]!, "orders")
          const ids = new Set(orders.map(({ id }) => id))
          assert.isTrue(placed.every(({ id }) => ids.has(id)))
          const changes = yield* asking(sql<{ readonly entry: unknown }>`SELECT entry FROM sql_changes ORDER BY entry`)
          const entries = changes.map(({ entry }) => Number(entry))
          assert.strictEqual(entries.length, orders.length, "each order once")
          assert.strictEqual(new Set(entries).size, entries.length)

          const leader = yield* leaderOf(nodes)
          const metrics = yield* metricsOf(leader)
          const valueOf = (name: string) => metrics.get(name)?.series[0]?.value
          assert.strictEqual(valueOf("lithair_sql_projection_failing"), 0)
          assert.isDefined(valueOf("lithair_sql_projection_lag_entries"))
        }).pipe(Effect.provide(layerClient(server.port)))
      }).pipe(Random.withSeed("sql"), Effect.scoped),
    600_000
  )

  it.live(
    "lags while the server is away: every node serves on, and says since when events wait",
    () =>
      Effect.gen(function* () {
        const server = yield* startPostgres
        yield* server.kill
        const nodes = yield* startCluster(
          ["node", "bun", "deno"],
          () => Effect.succeed({ SQL_PORT: String(server.port) }),
          script
        )
        for (const node of nodes) {
          const body = { id: crypto.randomUUID(), customer: "ann", cents: 1 }
          assert.strictEqual((yield* node.request("POST", "/api/orders", { body })).status, 201)
        }
        const leader = yield* leaderOf(nodes)
        const shown = Effect.map(leader.request("GET", "/_admin/api/projections"), ({ body }) => body.items[0])
        yield* eventually(
          "the leader says that the database does not answer",
          Effect.flatMap(shown, ({ failure = "" }) => expectThat(failure.includes("does not answer"), "it does"))
        )
        assert.include(leader.output(), "its database does not answer")
        // The leader looks which events wait with each try.
        yield* eventually(
          "the metrics tell it",
          Effect.flatMap(metricsOf(leader), (metrics) => {
            const values = ["failing", "lag_entries", "oldest_event_age_seconds"].map(
              (name) => metrics.get(`lithair_sql_projection_${name}`)?.series[0]?.value ?? 0
            )
            return expectThat(values[0] === 1 && values.every((value) => value > 0), `they are ${values}`)
          })
        )
        yield* server.start
        const { memory, rows } = yield* Effect.provide(atEqualIndex(leader), layerClient(server.port))
        assert.deepStrictEqual(rows.spent, memory.spent)
        assert.deepStrictEqual(rows.spent, { ann: { orders: 3, cents: 3 } })
        const { failure, index, lag, running } = yield* shown
        assert.deepStrictEqual([failure, lag, running], [undefined, 0, true])
        assert.strictEqual(index, rows.index)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "is the one of the example: an order and its items",
    () =>
      Effect.gen(function* () {
        const server = yield* startPostgres
        const url = `postgres://${username}@127.0.0.1:${server.port}/postgres`
        const nodes = yield* startCluster(["node", "bun", "deno"], () => Effect.succeed({ DATABASE_URL: url }), example)
        const id = crypto.randomUUID()
        const items = [
          { name: "Anvil", cents: 1_990 },
          { name: "Rope", cents: 500 }
        ]
        const ask = (method: string, path: string, body?: unknown) => nodes[1]!.request(method, path, { body })
        assert.strictEqual((yield* ask("POST", "/api/orders", { id, customer: "ann", items })).status, 201)
        const total = Effect.gen(function* () {
          const sql = yield* SqlClient
          const [row] = yield* sql<{ readonly customer: string; readonly cents: unknown }>`
            SELECT customer, sum(cents) AS cents FROM orders JOIN items ON order_id = orders.id GROUP BY customer`
          return row === undefined ? undefined : [row.customer, Number(row.cents)]
        })
        const totalIs = (wanted: unknown) =>
          eventually(
            `the rows have ${wanted}`,
            Effect.flatMap(total, (found) => expectThat(String(found) === String(wanted), `they have ${found}`)),
            30_000
          )
        yield* Effect.gen(function* () {
          yield* totalIs(["ann", 2_490])
          yield* ask("PUT", `/api/orders/${id}`, { customer: "ann", items: items.slice(1) })
          yield* totalIs(["ann", 500])
          yield* ask("DELETE", `/api/orders/${id}`)
          yield* totalIs(undefined)
        }).pipe(Effect.provide(layerClient(server.port)))
      }).pipe(Effect.scoped),
    120_000
  )
})
