/** The projections of one node, as they are read. Types, and a service: how they run is NodeProjections.ts. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Freshness from "../Repository/Freshness.ts"
import type { Read } from "../Repository/Records.ts"
import type { Folded, Keyed, Whole } from "./Definition.ts"
import type { ProjectionFailure, SqliteFailed } from "./Failure.ts"
import type { Sqlite } from "./Sqlite.ts"
import type { Row, SqlValue } from "./SqliteProtocol.ts"

/** Any projection, whatever its states are. */
export type Projection = Folded<unknown> | Sqlite

/** Why a projection is not answered. */
export type ProjectionReadFailure = ProjectionFailure | Freshness.ReadFailure

/** How far a projection is on this node. */
export interface ProjectionStatus {
  readonly name: string
  readonly version: number
  /** The last entry that it reflects, and how many entries are applied here that it does not. */
  readonly index: number
  readonly lagCount: number
  readonly failure: ProjectionFailure | undefined
}

/** Some states of a keyed projection, in the order of their keys. */
export interface StatesPage<S> {
  readonly items: ReadonlyArray<{ readonly key: string; readonly state: S }>
  /** Whether there are others after these. */
  readonly hasMore: boolean
}

export class Projections extends Context.Service<
  Projections,
  {
    /** The state; the initial one before the first event. Linearizable unless less is asked for. */
    readonly get: <S>(
      projection: Whole<S>,
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<S>, ProjectionReadFailure>
    /** The state of one key; undefined if there is none. */
    readonly getKey: <S>(
      projection: Keyed<S>,
      key: string,
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<S | undefined>, ProjectionReadFailure>
    /** At most `limit` states, of the keys that come after `after`. */
    readonly page: <S>(
      projection: Keyed<S>,
      range: { readonly after?: string; readonly limit: number },
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<StatesPage<S>>, ProjectionReadFailure>
    /**
     * The rows that a query of the projection's file gives, at most 10,000 and 8 MiB, within 10 s, on a thread of its own that
     * cannot write. `SqliteFailed` says what is wrong with it.
     */
    readonly query: (
      projection: Sqlite,
      statement: { readonly sql: string; readonly params?: ReadonlyArray<SqlValue> },
      consistency?: Freshness.Consistency
    ) => Effect.Effect<Read<ReadonlyArray<Row>>, ProjectionReadFailure | SqliteFailed>
    readonly status: () => ReadonlyArray<ProjectionStatus>
  }
>()("lithair/Projection/Projections") {}
