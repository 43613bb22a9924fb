/** Serves how far the projections into SQL are, as the leader knows it, and what operators do about one. */
import { Schema } from "effect"
import type { SqlProjections, SqlStatus } from "../Sql/SqlProjections.ts"
import { eventsOfStatus, shownEvents, steeringRoutes } from "./Steering.ts"

/** The path of the projections into SQL, and of one. */
export const sqlProjectionsPath = "/_admin/api/projections"
export const sqlProjectionPath = "/_admin/api/projections/:projection"

/** A projection into SQL as a node shows it. Only the leader knows how far it is. */
export const ShownSqlProjection = Schema.Struct({
  name: Schema.String,
  version: Schema.Int,
  running: Schema.Boolean,
  index: Schema.optionalKey(Schema.Int),
  lag: Schema.optionalKey(Schema.Int),
  failure: Schema.optionalKey(Schema.String),
  ...shownEvents
}).annotate({ identifier: "lithair.SqlProjection" })

const shown = (status: SqlStatus): typeof ShownSqlProjection.Type => {
  const { failure, index, isRunning, lagCount, name, version } = status
  return {
    name,
    version,
    running: isRunning,
    ...(isRunning ? { index, lag: lagCount } : {}),
    ...(failure === undefined ? {} : { failure }),
    ...eventsOfStatus(status)
  }
}

/** Makes the routes of projections into SQL. */
export const sqlProjectionRoutes = (projections: SqlProjections["Service"]) =>
  steeringRoutes(projections, { all: sqlProjectionsPath, one: sqlProjectionPath, param: "projection", shown })
