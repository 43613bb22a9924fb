/**
 * Declares a projection into a SQL database beside the cluster, such as PostgreSQL. Data and the application's functions:
 * it loads none of Effect's SQL modules, and neither does a node without such a projection.
 */
import type * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { invariant } from "../Invariant.ts"
import { checkFollowed, checkNamed, versionsOf } from "./Definition.ts"
import { type EventOf, type EventsOf, eventsOf, type Followed } from "./Event.ts"

/** Migrations by `<number>_<name>`, as `Migrator.fromRecord` of Effect takes them. Each runs once, in order. */
export type Migrations = Readonly<Record<string, Effect.Effect<unknown, unknown, SqlClient>>>

/** A projection whose rows the leader writes into a SQL database. `R` are the services that its code needs. */
export interface Sql<R = never> {
  readonly _tag: "Sql"
  readonly name: string
  readonly version: number
  /** The models that it follows, and their versions. */
  readonly models: Readonly<Record<string, number>>
  readonly tables: ReadonlyArray<string>
  readonly migrations: Migrations
  readonly eventsOf: EventsOf<ReadonlyArray<Followed>>
  /** A method, so that projections of different models share one type. */
  apply(event: EventOf<ReadonlyArray<Followed>>, sql: SqlClient): Effect.Effect<unknown, unknown, R>
}

/** Options of a projection into a SQL database. */
export interface SqlOptions<Models extends ReadonlyArray<Followed>, R> {
  /** The models whose events it follows. A local model is not allowed. */
  readonly from: Models
  /** At least 1. If it rises, or the version of a model, the leader empties `tables` and fills them from the first entry. */
  readonly version: number
  /** The tables that hold its rows and nothing else. One that refers to another comes after it. */
  readonly tables: ReadonlyArray<string>
  /** Makes the tables, and changes them later. Each migration runs once in a database, in a transaction. */
  readonly migrations: Migrations
  /**
   * Writes the rows of an event. It runs in the transaction that also writes the position, so it must not begin one on
   * another client, and has no other effects: the leader runs it again if the transaction fails.
   */
  readonly apply: (event: EventOf<Models>, sql: SqlClient) => Effect.Effect<unknown, unknown, R>
}

/** The services that the projections `P` need: a client of their database, and what their code asks for. */
export type SqlNeeds<P> = P extends Sql<infer R> ? R | SqlClient : never

const nameMaxLength = 40
const migrationName = /^[1-9]\d{0,8}_[\w-]+$/

/**
 * Declares a projection into a SQL database of the application, by Effect's `SqlClient`. The leader writes rows and
 * position in one transaction, so that each event shows in them once, whatever dies. The node needs a `SqlClient`.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { SqlClient } from "effect/sql"
 * import { Model, Projection } from "lithair"
 *
 * class Order extends Model.Class<Order>("Order")({
 *   id: Model.id(Schema.String),
 *   customer: Schema.String.pipe(Model.replicate),
 *   cents: Schema.Int
 * }) {}
 *
 * const orders = Projection.sql("orders", {
 *   from: [Order],
 *   version: 1,
 *   tables: ["orders"],
 *   migrations: {
 *     "1_orders": Effect.flatMap(
 *       SqlClient.SqlClient,
 *       (sql) => sql`CREATE TABLE orders (id TEXT PRIMARY KEY, customer TEXT NOT NULL, cents BIGINT NOT NULL)`
 *     )
 *   },
 *   apply: ({ id, record: { cents, customer }, type }, sql) =>
 *     type === "deleted"
 *       ? sql`DELETE FROM orders WHERE id = ${id}`
 *       : sql`INSERT INTO orders VALUES (${id}, ${customer}, ${cents})
 *             ON CONFLICT (id) DO UPDATE SET customer = excluded.customer, cents = excluded.cents`
 * })
 * ```
 */
export const sql = <const Models extends ReadonlyArray<Followed>, R = never>(
  name: string,
  { apply, from, migrations, tables, version }: SqlOptions<Models, R>
): Sql<R> => {
  const what = `The projection "${name}"`
  checkNamed("projection", { name, version })
  // The table of its migrations has its name, and PostgreSQL cuts names off at 63 bytes.
  invariant(name.length <= nameMaxLength, `${what} has a name of more than ${nameMaxLength} characters`)
  checkFollowed(what, from)
  invariant(tables.length > 0, `${what} names no table`)
  for (const table of tables)
    invariant(/^[A-Za-z_]\w{0,62}$/.test(table), `${what} has a table "${table}": use a-z, 0-9, _`)
  for (const each of Object.keys(migrations)) {
    invariant(migrationName.test(each), `${what} has a migration "${each}": name it as "1_orders"`)
  }
  return {
    _tag: "Sql",
    name,
    version,
    models: versionsOf(from),
    tables,
    migrations,
    // Only the declaration knows the models' types. The node decodes events by these models before it applies them.
    eventsOf: eventsOf(from) as EventsOf<ReadonlyArray<Followed>>,
    apply: apply as Sql<R>["apply"]
  }
}
