/**
 * A SQLite database in memory as Effect's `SqlClient`, on every runtime. The test may take it away: statements fail then,
 * and what was not committed is lost, as when the server of a database dies.
 */
import { DatabaseSync } from "node:sqlite"
import { Effect, Stream } from "effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { ConnectionError, classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"

export type Harm = "before" | "after"

/** So many statements, whatever they are. */
export const any = (count: number): Array<RegExp> => Array.from({ length: count }, () => /./)

/** Opens an empty database. `connect` makes clients of it, each with its own transactions, one of them at a time. */
export const openDatabase = () => {
  const database = new DatabaseSync(":memory:")
  const oneAtATime = Semaphore.makeUnsafe(1)
  const state = {
    isAway: false,
    /** Statements wait as long as it hangs. */
    isHung: false,
    /** With the last of these statements the database goes away, before or after it has done it. */
    harm: undefined as { readonly statements: Array<RegExp>; readonly when: Harm } | undefined
  }

  const lost = () => new SqlError({ reason: new ConnectionError({ cause: new Error("gone"), message: "gone" }) })
  const goAway = () => {
    state.isAway = true
    if (database.isTransaction) database.exec("ROLLBACK")
  }
  const hangs: Effect.Effect<void> = Effect.suspend(() =>
    state.isHung ? Effect.andThen(Effect.sleep("50 millis"), hangs) : Effect.void
  )
  const run = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.suspend(() => {
      const { harm } = state
      if (harm?.statements[0]?.test(sql) === true) harm.statements.shift()
      const isNow = harm?.statements.length === 0
      if (isNow && harm?.when === "before") goAway()
      if (state.isAway) return Effect.fail(lost())
      try {
        const bound = params.map((each) => (typeof each === "number" ? BigInt(each) : (each as string)))
        const rows = database.prepare(sql).all(...bound)
        if (!isNow) return Effect.succeed(rows)
        goAway()
        return Effect.fail(lost())
      } catch (cause) {
        const { errcode, message } = cause as { errcode?: number; message?: string }
        const reason = classifySqliteError(errcode === undefined ? cause : { errno: errcode, message }, { message })
        return Effect.fail(new SqlError({ reason }))
      }
    })
  const connection: Connection = {
    execute: (sql, params) => Effect.andThen(hangs, run(sql, params)),
    executeRaw: (sql, params) => Effect.andThen(hangs, run(sql, params)),
    executeStream: () => Stream.die("not used"),
    executeValues: () => Effect.die("not used"),
    executeValuesUnprepared: () => Effect.die("not used"),
    executeUnprepared: (sql, params) => Effect.andThen(hangs, run(sql, params))
  }

  const connect = Effect.gen(function* () {
    const { acquirer, borrower, transactionAcquirer } = SqlClient.makeSqliteAcquirers({
      connection: Effect.succeed(connection),
      semaphore: oneAtATime
    })
    return yield* SqlClient.make({
      acquirer,
      borrower,
      transactionAcquirer,
      isTransaction: () => database.isTransaction,
      compiler: Statement.makeCompilerSqlite(),
      driver: "test",
      spanAttributes: []
    })
  }).pipe(Effect.provide(Reactivity.layer))

  return {
    state,
    connect,
    /** Whether a transaction is open. */
    isInside: () => database.isTransaction,
    /** The database is there again, and harmless. */
    comeBack: () => {
      state.isAway = false
      state.harm = undefined
    },
    /** What is in it, also while no client reaches it. */
    all: (sql: string): ReadonlyArray<Record<string, unknown>> =>
      database
        .prepare(sql)
        .all()
        .map((row) => ({ ...row }))
  }
}
