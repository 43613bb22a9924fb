/**
 * What the database notes of a projection, in tables of its own beside the rows: which build of the projection filled
 * them, and through which entry. Each write names its writer, and is done on condition that the last writer is the one
 * that was read: so two leaders cannot both write.
 */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { EventAt } from "../Reaction/Position.ts"
import { Overtaken } from "./Refusal.ts"

/** What the database notes of one projection. */
export interface Note {
  readonly version: number
  /** The models that it follows and their versions, as JSON. */
  readonly models: string
  /** The cluster whose log the rows reflect. */
  readonly origin: string
  /** The rows reflect all entries through this one, and the first `done` events of the next. */
  readonly entry: number
  readonly done: number
  /** The rows were filled without data that erasures through this entry removed. */
  readonly erased: number
  /** Names the last write. */
  readonly token: string
}

/** The tables of the notes. `lithair_parked` has the events that operators put aside, until they are applied. */
export const migrations: Readonly<Record<string, (sql: SqlClient) => Effect.Effect<unknown, SqlError>>> = {
  "1_notes": (sql) => sql`CREATE TABLE lithair_projections (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    models TEXT NOT NULL,
    origin VARCHAR(256) NOT NULL,
    entry BIGINT NOT NULL,
    done INTEGER NOT NULL,
    erased BIGINT NOT NULL,
    token VARCHAR(128) NOT NULL
  )`,
  "2_parked": (sql) => sql`CREATE TABLE lithair_parked (
    name VARCHAR(64) NOT NULL,
    entry BIGINT NOT NULL,
    ordinal INTEGER NOT NULL,
    PRIMARY KEY (name, entry, ordinal)
  )`
}

/** The notes of the projection `name`. */
export const make = (sql: SqlClient, name: string) => ({
  /** Undefined before the first. */
  read: Effect.map(
    // A driver may give large integers as texts.
    sql<Record<keyof Note, unknown>>`SELECT version, models, origin, entry, done, erased, token
      FROM lithair_projections WHERE name = ${name}`,
    ([row]): Note | undefined =>
      row === undefined
        ? undefined
        : {
            version: Number(row.version),
            models: String(row.models),
            origin: String(row.origin),
            entry: Number(row.entry),
            done: Number(row.done),
            erased: Number(row.erased),
            token: String(row.token)
          }
  ),
  /** Fails if there is one. */
  insert: ({ done, entry, erased, models, origin, token, version }: Note) =>
    sql`INSERT INTO lithair_projections (name, version, models, origin, entry, done, erased, token)
      VALUES (${name}, ${version}, ${models}, ${origin}, ${entry}, ${done}, ${erased}, ${token})`,
  /**
   * Writes `next` on condition that `token` wrote the last note. The transaction around it holds the note from now on:
   * another leader waits for its end, and is then `Overtaken`.
   */
  swap: Effect.fnUntraced(function* (token: string, next: Note) {
    const { done, entry, erased, models, origin, version } = next
    yield* sql`UPDATE lithair_projections SET version = ${version}, models = ${models}, origin = ${origin},
        entry = ${entry}, done = ${done}, erased = ${erased}, token = ${next.token}
      WHERE name = ${name} AND token = ${token}`
    // Not every driver tells how many rows an update met.
    const [row] = yield* sql<{ readonly token: unknown }>`SELECT token FROM lithair_projections WHERE name = ${name}`
    if (row?.token !== next.token) return yield* Effect.fail(new Overtaken())
  }),
  park: ({ index, ordinal }: EventAt) => sql`INSERT INTO lithair_parked VALUES (${name}, ${index}, ${ordinal})`,
  /** Whether the event was put aside and is not applied yet. */
  isParked: ({ index, ordinal }: EventAt) =>
    Effect.map(
      sql`SELECT ordinal FROM lithair_parked WHERE name = ${name} AND entry = ${index} AND ordinal = ${ordinal}`,
      (rows) => rows.length > 0
    ),
  unpark: ({ index, ordinal }: EventAt) =>
    sql`DELETE FROM lithair_parked WHERE name = ${name} AND entry = ${index} AND ordinal = ${ordinal}`,
  /** Empties the tables of the projection, those that refer to others first. */
  empty: (tables: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      for (const table of tables.toReversed()) yield* sql`DELETE FROM ${sql(table)}`
      yield* sql`DELETE FROM lithair_parked WHERE name = ${name}`
    })
})
