/** The one file that loads Effect's SQL modules. A node imports it once it leads a projection into SQL. */
import { Effect } from "effect"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import type { Sql } from "../Projection/Sql.ts"
import * as Note from "./Note.ts"

/** The client that the application provides. */
export const client = SqlClient

const run = Migrator.make({})

const notes = Object.fromEntries(
  Object.entries(Note.migrations).map(([name, make]) => [
    name,
    Effect.asVoid(Effect.flatMap(Effect.service(SqlClient), make))
  ])
)

/** Makes the tables of the notes, and runs the migrations of a projection that the database has not had yet. */
export const migrate = ({ migrations, name }: Pick<Sql<never>, "migrations" | "name">) =>
  Effect.gen(function* () {
    yield* run({ loader: Migrator.fromRecord(notes), table: "lithair_migrations" })
    const own = Object.fromEntries(Object.entries(migrations).map(([key, effect]) => [key, Effect.asVoid(effect)]))
    yield* run({ loader: Migrator.fromRecord(own), table: `lithair_${name.replaceAll("-", "_")}_migrations` })
  })
