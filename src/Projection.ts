/** Read models, which every node folds from committed events. */
export {
  type Folded,
  type Keyed,
  type KeyedOptions,
  make,
  type Whole,
  type WholeOptions
} from "./Projection/Definition.ts"
export { type Event, type EventOf, eventId, type Followed, isOf } from "./Projection/Event.ts"
export {
  ProjectionFailed,
  type ProjectionFailure,
  ProjectionUnavailable,
  SqliteFailed,
  SqliteUnavailable
} from "./Projection/Failure.ts"
export { type Projection, type Projections, type QueryOptions, query } from "./Projection/Projections.ts"
export { type Migrations, type Sql, type SqlNeeds, type SqlOptions, sql } from "./Projection/Sql.ts"
export { type Sqlite, type SqliteOptions, sqlite } from "./Projection/Sqlite.ts"
export type { Row, SqlValue, Statement } from "./Projection/SqliteProtocol.ts"
