/**
 * An open SQLite file of a projection: it follows the log and answers queries, until its scope closes or it can no longer
 * be used. SqliteRun.ts then decides how the projection goes on.
 */
import { Deferred, Effect, Result, Schedule, type Scope } from "effect"
import type { AppliedEntry, Feed } from "../Cluster/Feed.ts"
import { ProjectionFailed, type SqliteFailed } from "./Failure.ts"
import { type Following, follow } from "./Following.ts"
import * as Position from "./Position.ts"
import type { Sqlite } from "./Sqlite.ts"
import type { Row, Statement } from "./SqliteProtocol.ts"
import * as SqliteReader from "./SqliteReader.ts"
import * as SqliteThread from "./SqliteThread.ts"

/** The most entries without statements before the file records their position. */
const unnotedMaxCount = 10_000
/** The pause before it tries again to open or write a file. */
export const retryMs = 1_000

/** Why a file can no longer be used, and the entries that it was applying: from `index` through `throughIndex`. */
export interface Ended {
  readonly failed: SqliteFailed
  readonly index: number
  readonly throughIndex: number
}

export interface SqliteFile extends Following {
  /** Queries rows. They reflect at least the returned index. */
  readonly query: (
    statement: Statement
  ) => Effect.Effect<{ readonly rows: ReadonlyArray<Row>; readonly index: number }, SqliteFailed>
  /** Fails once the file can no longer be used. */
  readonly ended: Effect.Effect<never, Ended>
}

/** Opens a file, and creates it if it does not exist. */
export const open = Effect.fnUntraced(function* (
  projection: Sqlite,
  options: { readonly path: string; readonly feed: Feed; readonly queryTimeoutMs: number }
): Effect.fn.Return<SqliteFile, SqliteFailed, Scope.Scope> {
  const { ddl, name, version } = projection
  const opening = { mode: "write", path: options.path, name, version, ddl } as const
  const { ask: write } = yield* SqliteThread.start(opening)
  const opened = yield* write({ _tag: "Open" }, "Opened")
  const read = yield* SqliteReader.make(opening, options)
  const ended = yield* Deferred.make<never, Ended>()
  let notedIndex = opened.index
  /** The index that the rows reflect. The file does not record every entry without statements. */
  let reflectedIndex = opened.index

  const failedAt = (index: number, what: string) =>
    new ProjectionFailed({ projection: name, index, message: `Cannot apply entry ${index}: ${what}` })

  const end = (failed: SqliteFailed, throughIndex: number) =>
    Deferred.fail(ended, { failed, index: notedIndex + 1, throughIndex })

  /** Retries until the machine allows it. Queries go on meanwhile. */
  const retried = <A>(asked: Effect.Effect<A, SqliteFailed>) =>
    asked.pipe(
      Effect.tapError(({ message }) => Effect.logWarning(`${name} cannot write its file: ${message}`)),
      Effect.retry({ schedule: Schedule.spaced(retryMs), while: ({ reason }) => reason === "passing" })
    )

  const take = Effect.fnUntraced(function* (given: ReadonlyArray<AppliedEntry>) {
    const entries: Array<{ readonly index: number; readonly statements: ReadonlyArray<Statement> }> = []
    let failed: ProjectionFailed | undefined
    let throughIndex = notedIndex
    for (const entry of given) {
      const statements = projection.statementsOf(entry)
      if (Result.isFailure(statements)) {
        failed = failedAt(entry.index, statements.failure)
        break
      }
      throughIndex = entry.index
      if (statements.success.length > 0) entries.push({ index: entry.index, statements: statements.success })
    }
    if (entries.length > 0 || throughIndex - notedIndex >= unnotedMaxCount) {
      const applied = yield* Effect.result(retried(write({ _tag: "Apply", entries, throughIndex }, "Applied")))
      if (Result.isFailure(applied)) {
        if (applied.failure.reason === "refused") return yield* failedAt(notedIndex + 1, applied.failure.message)
        // The fiber that waits for this closes the file, and so interrupts this fiber.
        return yield* Effect.andThen(end(applied.failure, throughIndex), Effect.never)
      }
      const { failure, index } = applied.success
      notedIndex = index
      if (failure !== undefined) return yield* failedAt(index + 1, failure)
    }
    reflectedIndex = throughIndex
    return failed === undefined ? throughIndex : yield* failed
  })

  const following = yield* follow({ position: Position.make(name, opened.index), feed: options.feed, take })

  const query = (statement: Statement) =>
    Effect.suspend(() => {
      const beforeIndex = reflectedIndex
      return read(statement).pipe(
        Effect.tapError((failed) => (failed.reason === "unusable" ? end(failed, notedIndex) : Effect.void)),
        Effect.map(({ index, rows }) => ({ rows, index: Math.max(index, beforeIndex) }))
      )
    })

  return { ...following, query, ended: Deferred.await(ended) }
})
