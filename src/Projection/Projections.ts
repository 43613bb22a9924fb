/** The service by which a node's code reads projections. NodeProjections.ts runs them. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Problem } from "../Problem.ts"
import type * as Freshness from "../Repository/Freshness.ts"
import type { Read } from "../Repository/Records.ts"
import type { Folded, Keyed, Whole } from "./Definition.ts"
import type { ProjectionFailure, SqliteFailed } from "./Failure.ts"
import type { Sqlite } from "./Sqlite.ts"
import type { Row, SqlValue } from "./SqliteProtocol.ts"

/** Any projection. */
export type Projection = Folded<unknown> | Sqlite

/** Why a read of a projection failed. */
export type ProjectionReadFailure = ProjectionFailure | Freshness.ReadFailure

/** The progress of a projection on this node. */
export interface ProjectionStatus {
  readonly name: string
  readonly version: number
  /** The last entry that it reflects, and how many entries it lags behind the node's tables. */
  readonly index: number
  readonly lagCount: number
  readonly failure: ProjectionFailure | undefined
}

/** A page of states of a keyed projection, in the order of their keys. A repository shows it with a cursor. */
export interface StatesPage<S> {
  readonly items: ReadonlyArray<{ readonly key: string; readonly state: S }>
  /** Whether more states follow. */
  readonly hasMore: boolean
}

/** Reads the projections of this node, with the index that each answer reflects. */
export class Projections extends Context.Service<
  Projections,
  {
    /** Reads the state; before the first event it is the initial one. Linearizable by default. */
    readonly get: <S>(
      projection: Whole<S>,
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<S>, ProjectionReadFailure>
    /** Reads the state of one key; undefined if there is none. */
    readonly getKey: <S>(
      projection: Keyed<S>,
      key: string,
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<S | undefined>, ProjectionReadFailure>
    /** Reads at most `limit` states whose keys follow `after`. */
    readonly page: <S>(
      projection: Keyed<S>,
      range: { readonly after?: string; readonly limit: number },
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<StatesPage<S>>, ProjectionReadFailure>
    /**
     * Queries the projection's SQLite file on a read-only thread of its own. A query gives at most 10,000 rows and 8 MiB,
     * within 10 s. Fails with `SqliteFailed` if the query is wrong or too large.
     */
    readonly query: (
      projection: Sqlite,
      statement: { readonly sql: string; readonly params?: ReadonlyArray<SqlValue> },
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<ReadonlyArray<Row>>, ProjectionReadFailure | SqliteFailed>
    readonly status: () => ReadonlyArray<ProjectionStatus>
  }
>()("lithair/Projection/Projections") {}

/** How new the rows of a query must be; linearizable by default. */
export interface QueryOptions {
  readonly consistency?: "linearizable" | "local"
  /** The greatest age of the rows of a local query, in ms. */
  readonly staleMaxMs?: number
}

/**
 * Queries a projection into SQLite on this node, on a read-only thread of its own. A query gives at most 10,000 rows and
 * 8 MiB, within 10 s. Fails with `SqliteFailed` if the query is wrong or too large. SQL has no endpoint: a program
 * elsewhere asks a route of yours.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Model, Projection } from "lithair"
 *
 * class Order extends Model.Class<Order>("Order")({
 *   id: Model.id(Schema.String),
 *   cents: Schema.Int.pipe(Model.replicate)
 * }) {}
 *
 * const rows = Projection.sqlite("rows", {
 *   from: [Order],
 *   version: 1,
 *   ddl: "CREATE TABLE orders (id TEXT PRIMARY KEY, cents INTEGER)",
 *   evolve: ({ id, record }) => [{ sql: "INSERT OR REPLACE INTO orders VALUES (?, ?)", params: [id, record.cents] }]
 * })
 *
 * export const largest = Projection.query(rows, { sql: "SELECT id FROM orders ORDER BY cents DESC LIMIT 1" }).pipe(
 *   Effect.map(([row]) => row?.id)
 * )
 * ```
 */
export const query = (
  projection: Sqlite,
  statement: { readonly sql: string; readonly params?: ReadonlyArray<SqlValue> },
  { consistency = "linearizable", ...local }: QueryOptions = {}
): Effect.Effect<ReadonlyArray<Row>, Problem | SqliteFailed, Projections> =>
  Effect.flatMap(Projections, (projections) =>
    Effect.mapBoth(
      projections.query(projection, statement, consistency === "local" ? { _tag: "Local", ...local } : linearizable),
      {
        onFailure: (failure) => (failure._tag === "SqliteFailed" ? failure : failure.toProblem()),
        onSuccess: ({ value }) => value
      }
    )
  )

const linearizable: Freshness.Consistency = { _tag: "Linearizable" }
