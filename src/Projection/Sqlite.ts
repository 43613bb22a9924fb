/** Declares a projection into SQLite, for SQL over events. Data and a pure function. */
import * as Result from "effect/Result"
import type { AppliedEntry } from "../Cluster/Feed.ts"
import { invariant } from "../Invariant.ts"
import { checkFollowed, checkNamed, versionsOf } from "./Definition.ts"
import { type EventOf, eventsOf, type Followed } from "./Event.ts"
import { thrown } from "./Failure.ts"
import type { SqlValue, Statement } from "./SqliteProtocol.ts"
import { wrongWithDdl, wrongWithStatement } from "./SqlText.ts"

/** A projection that every node keeps in its own SQLite file. */
export interface Sqlite {
  readonly _tag: "Sqlite"
  readonly name: string
  readonly version: number
  /** The models that it follows, and their versions. */
  readonly models: Readonly<Record<string, number>>
  readonly ddl: string
  /** The statements for an entry, in order. Fails with the reason if it has none. */
  readonly statementsOf: (entry: AppliedEntry) => Result.Result<ReadonlyArray<Statement>, string>
}

/** Options of a projection into SQLite. */
export interface SqliteOptions<Models extends ReadonlyArray<Followed>> {
  /** The models whose events it follows. A local model is not allowed. */
  readonly from: Models
  /** At least 1. If it, `ddl` or the version of a model changes, the node rebuilds the file from the first entry. */
  readonly version: number
  /** The statements that create the empty tables and indexes, separated by semicolons. */
  readonly ddl: string
  /** Returns the statements for an event. The node runs those of one entry in order, all or none. Pure. */
  readonly evolve: (event: EventOf<Models>) => ReadonlyArray<Statement>
}

/**
 * Names the versions of the models in the text of the tables, so that another version makes the file anew. Version 1 is
 * not named: a release that named none wrote such files.
 */
const noteOf = (models: ReadonlyArray<Followed>): string => {
  const later = Object.entries(versionsOf(models)).filter(([, version]) => version > 1)
  return later.length === 0 ? "" : `\n-- ${JSON.stringify(Object.fromEntries(later))}\n`
}

/**
 * Declares a projection into SQLite. `evolve` returns statements as data. The node runs them off the main thread, in
 * transactions that also write the position. If SQLite refuses a statement, the projection stops before that entry.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model, Projection } from "lithair"
 *
 * class Order extends Model.Class<Order>("Order")({
 *   id: Model.id(Schema.String),
 *   customer: Schema.String.pipe(Model.replicate),
 *   cents: Schema.Int
 * }) {}
 *
 * const orders = Projection.sqlite("orders", {
 *   from: [Order],
 *   version: 1,
 *   ddl: "CREATE TABLE orders (id TEXT PRIMARY KEY, customer TEXT, cents INTEGER)",
 *   evolve: ({ id, record, type }) =>
 *     type === "deleted"
 *       ? [{ sql: "DELETE FROM orders WHERE id = ?", params: [id] }]
 *       : [{ sql: "INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", params: [id, record.customer, record.cents] }]
 * })
 * ```
 */
export const sqlite = <const Models extends ReadonlyArray<Followed>>(
  name: string,
  { ddl, evolve, from, version }: SqliteOptions<Models>
): Sqlite => {
  checkNamed("projection", { name, version })
  checkFollowed(`The projection "${name}"`, from)
  const wrong = wrongWithDdl(ddl)
  invariant(wrong === undefined, `The tables of projection "${name}" are not allowed: ${wrong}`)
  const read = eventsOf(from)
  return {
    _tag: "Sqlite",
    name,
    version,
    models: versionsOf(from),
    ddl: `${ddl}${noteOf(from)}`,
    statementsOf: (entry) =>
      Result.flatMap(read(entry), (events) => {
        const statements: Array<Statement> = []
        for (const event of events) {
          const evolved = Result.try({ try: () => evolve(event), catch: thrown })
          if (Result.isFailure(evolved)) return Result.fail(evolved.failure)
          for (const statement of evolved.success) {
            const wrong = wrongWith(statement)
            if (wrong !== undefined) return Result.fail(`${wrong}: ${statement.sql}`)
            statements.push(statement)
          }
        }
        return Result.succeed(statements)
      })
  }
}

const wrongWith = ({ params = [], sql }: Statement): string | undefined =>
  wrongWithStatement(sql) ??
  (params.every(isSqlValue) ? undefined : "a parameter must be a text, number, bigint, bytes or null")

/** The runtimes differ in the other values that they take. */
const isSqlValue = (value: unknown): value is SqlValue =>
  value === null || ["string", "number", "bigint"].includes(typeof value) || value instanceof Uint8Array
