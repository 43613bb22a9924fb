/** The declaration of a projection into SQLite, for those who need SQL over their events. Data, and a pure function. */
import * as Result from "effect/Result"
import type { AppliedEntry } from "../Cluster/Feed.ts"
import { invariant } from "../Invariant.ts"
import { checkFollowed, checkNamed } from "./Definition.ts"
import { type EventOf, eventsOf, type Followed } from "./Event.ts"
import { thrown } from "./Failure.ts"
import type { SqlValue, Statement } from "./SqliteProtocol.ts"
import { wrongWithDdl, wrongWithStatement } from "./SqlText.ts"

/** A projection into a SQLite file of its own on every node. */
export interface Sqlite {
  readonly _tag: "Sqlite"
  readonly name: string
  readonly version: number
  readonly ddl: string
  /** The statements that an entry comes to, in order, or what is wrong with it. */
  readonly statementsOf: (entry: AppliedEntry) => Result.Result<ReadonlyArray<Statement>, string>
}

export interface SqliteOptions<Models extends ReadonlyArray<Followed>> {
  /** The models whose events it is made of: none that is local. */
  readonly from: Models
  /** At least 1; another one has the file made anew, from the first entry on. So has another `ddl`. */
  readonly version: number
  /** The statements that make the empty tables and indexes, separated by semicolons. */
  readonly ddl: string
  /** What an event does to the rows: statements, run in this order, all with its entry or none. Pure. */
  readonly evolve: (event: EventOf<Models>) => ReadonlyArray<Statement>
}

/**
 * Declares a projection into SQLite. `evolve` gives statements as data; they run off the main thread, in transactions
 * that also hold the position. A statement that SQLite refuses stops the projection at that entry.
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
  invariant(wrong === undefined, `The tables of projection "${name}" cannot be: ${wrong}`)
  const read = eventsOf(from)
  return {
    _tag: "Sqlite",
    name,
    version,
    ddl,
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
  (params.every(isSqlValue) ? undefined : "a parameter is no text, number, bigint, bytes or null")

/** The runtimes do not agree on what else they take. */
const isSqlValue = (value: unknown): value is SqlValue =>
  value === null || ["string", "number", "bigint"].includes(typeof value) || value instanceof Uint8Array
