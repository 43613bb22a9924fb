/**
 * Orders, and their rows in a PostgreSQL: three nodes, of which the leader writes. Start it with the URL of a database:
 * `DATABASE_URL=postgres://me@localhost/shop npm run sql`.
 */
import { PgClient } from "@effect/sql-pg"
import { Config, Effect, Layer, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { Lithair, Model, Projection } from "lithair"
import { run } from "lithair/node"

class Order extends Model.Class<Order>("Order")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  customer: Schema.NonEmptyString.pipe(Model.replicate),
  items: Schema.Array(Schema.Struct({ name: Schema.NonEmptyString, cents: Schema.Int }))
}) {}

/** Two tables: an order, and a row for each of its items. Both change together. */
const orders = Projection.sql("orders", {
  from: [Order],
  version: 1,
  tables: ["orders", "items"],
  migrations: {
    "1_orders": Effect.flatMap(
      SqlClient.SqlClient,
      (sql) => sql`CREATE TABLE orders (id UUID PRIMARY KEY, customer TEXT NOT NULL, changed TIMESTAMPTZ NOT NULL)`
    ),
    "2_items": Effect.flatMap(
      SqlClient.SqlClient,
      (sql) =>
        sql`CREATE TABLE items (order_id UUID NOT NULL REFERENCES orders, name TEXT NOT NULL, cents BIGINT NOT NULL)`
    )
  },
  apply: Effect.fnUntraced(function* ({ id, record: { customer, items }, timeMs, type }, sql) {
    yield* sql`DELETE FROM items WHERE order_id = ${id}`
    if (type === "deleted") return yield* sql`DELETE FROM orders WHERE id = ${id}`
    yield* sql`INSERT INTO orders VALUES (${id}, ${customer}, ${new Date(timeMs)})
      ON CONFLICT (id) DO UPDATE SET customer = excluded.customer, changed = excluded.changed`
    for (const { cents, name } of items) yield* sql`INSERT INTO items VALUES (${id}, ${name}, ${cents})`
  })
})

const database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

const order = JSON.stringify({ customer: "ann", items: [{ name: "Anvil", cents: 1990 }] })

run(Lithair.layerHttp({ models: [Order], projections: [orders] }).pipe(Layer.provide(database)), {
  directory: ".lithair/sql",
  path: "/api/orders",
  curls: [
    `curl -X POST http://127.0.0.1:8081/api/orders -H 'content-type: application/json' -d '${order}'`,
    "curl http://127.0.0.1:8082/_admin/api/projections"
  ]
})
