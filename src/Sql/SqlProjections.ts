/** The projections into SQL of one node. They run only while this node leads. */
import { Context, Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { Member } from "../Cluster/Member.ts"
import { invariant } from "../Invariant.ts"
import type { Sql } from "../Projection/Sql.ts"
import * as Led from "../Reaction/Led.ts"
import { lead, recordIdOf, type SqlLeader } from "./lead.ts"

/** The progress of a projection into SQL. `index` and `lagCount` count on the leader alone. */
export interface SqlStatus extends Led.LedStatus {
  readonly version: number
}

/** The projections into SQL of this node: how far each is, and what an operator does about an event of one. */
export class SqlProjections extends Context.Service<
  SqlProjections,
  Omit<Led.Led, "status"> & { readonly status: () => ReadonlyArray<SqlStatus> }
>()("lithair/Sql/SqlProjections") {}

/** Runs projections into SQL beside a member until the scope closes. */
export const make = Effect.fnUntraced(function* <R>(projections: ReadonlyArray<Sql<R>>, member: SqlLeader) {
  const tables = projections.flatMap((projection) => projection.tables)
  const twice = tables.find((table, at) => tables.indexOf(table) < at)
  invariant(twice === undefined, `Two projections write into the table "${twice}", which each of them would empty`)
  const followers = projections.map(
    (projection): Led.Follower<R | SqlClient> => ({
      name: projection.name,
      recordId: recordIdOf(projection),
      lead: (watcher) => lead(projection, member, watcher)
    })
  )
  const led = yield* Led.make("projection", followers, member)
  return SqlProjections.of({
    ...led,
    status: () => led.status().map((status, at) => ({ ...status, version: projections[at]!.version }))
  })
})

/** Runs the projections into SQL of a node, with the client that the application provides. */
export const layer = <R>(
  projections: ReadonlyArray<Sql<R>>
): Layer.Layer<SqlProjections, never, Member | R | SqlClient> =>
  Layer.effect(
    SqlProjections,
    Effect.flatMap(Member, (member) => make(projections, member))
  )
