/**
 * One life of a projection's SQLite file: it is opened as it is, follows the log from there, and is queried, until its
 * scope closes or it can no longer be used. What becomes of the projection then is SqliteRun.ts.
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

/** Entries that come to no statement and are passed without noting it in the file. */
const unnotedMaxCount = 10_000
/** How long after the machine did not let a file be opened or written it is tried again. */
export const retryMs = 1_000

/** Why a file can no longer be used, and the entries that were to be in it: from `index` on, through `throughIndex`. */
export interface Ended {
  readonly failed: SqliteFailed
  readonly index: number
  readonly throughIndex: number
}

export interface SqliteFile extends Following {
  /** Rows, and the index that they reflect at least. */
  readonly query: (
    statement: Statement
  ) => Effect.Effect<{ readonly rows: ReadonlyArray<Row>; readonly index: number }, SqliteFailed>
  /** Fails when the file can no longer be used. */
  readonly ended: Effect.Effect<never, Ended>
}

/** A file that is not there is made. */
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
  /** What the rows reflect: what came to no statement is not noted in the file. */
  let reflectedIndex = opened.index

  const failedAt = (index: number, what: string) =>
    new ProjectionFailed({ projection: name, index, message: `Cannot apply entry ${index}: ${what}` })

  const end = (failed: SqliteFailed, throughIndex: number) =>
    Deferred.fail(ended, { failed, index: notedIndex + 1, throughIndex })

  /** Done, as soon as the machine lets it be; meanwhile queries are answered. */
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
        // Whoever waits for that closes this file, and with it this fiber.
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
