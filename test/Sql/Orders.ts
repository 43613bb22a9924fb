/** A projection into SQL that the tests follow: a row for each order, and one for each event that was applied. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Projection from "../../src/Projection.ts"
import { Order } from "../Projection/Sales.ts"

const create = (text: (sql: SqlClient) => Effect.Effect<unknown, unknown>) =>
  Effect.flatMap(Effect.service(SqlClient), text)

/** Makes it. The database refuses an order of a negative amount, and one of `refused` as long as that says so. */
export const makeSqlOrders = (
  options: {
    readonly version?: number
    readonly name?: string
    readonly refuses?: (customer: string) => boolean
    readonly takesMs?: number
  } = {}
) =>
  Projection.sql(options.name ?? "sql-orders", {
    from: [Order],
    version: options.version ?? 1,
    tables: ["sql_orders", "sql_changes"],
    migrations: {
      "1_orders": create(
        (sql) => sql`CREATE TABLE sql_orders (id VARCHAR(64) PRIMARY KEY, customer TEXT NOT NULL,
          cents BIGINT NOT NULL CHECK (cents >= 0))`
      ),
      "2_changes": create(
        (sql) => sql`CREATE TABLE sql_changes (entry BIGINT NOT NULL, ordinal INTEGER NOT NULL, customer TEXT NOT NULL)`
      )
    },
    apply: Effect.fnUntraced(function* ({ id, index, ordinal, record: { cents, customer }, type }, sql) {
      // No key keeps an event from being applied twice: the transaction alone does.
      yield* sql`INSERT INTO sql_changes VALUES (${index}, ${ordinal}, ${customer})`
      if (options.takesMs !== undefined) yield* Effect.sleep(options.takesMs)
      if (options.refuses?.(customer) === true) return yield* Effect.fail(new Error(`no orders of ${customer}`))
      if (type === "deleted") return yield* sql`DELETE FROM sql_orders WHERE id = ${id}`
      yield* sql`DELETE FROM sql_orders WHERE id = ${id}`
      yield* sql`INSERT INTO sql_orders VALUES (${id}, ${customer}, ${cents})`
    })
  })
