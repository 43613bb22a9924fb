/**
 * One projection into SQLite, running on this node: it hands the statements of every entry that is applied to the
 * thread of its file, a transaction at a time, and queries the file on another thread, which cannot write.
 */
import { Effect, Exit, Result, Schedule, Scope, Semaphore } from "effect"
import type { DerivedFiles } from "../EventStore/DerivedFiles.ts"
import { listDirectory, unlinkFile } from "../EventStore/Files.ts"
import type { LogFailed } from "../EventStore/LogStore.ts"
import type { AppliedEntry, Feed } from "../Raft/Feed.ts"
import { ProjectionFailed } from "./Failure.ts"
import { type Following, follow } from "./Following.ts"
import type { Sqlite } from "./Sqlite.ts"
import type { Opening, Row, Statement } from "./SqliteProtocol.ts"
import * as SqliteThread from "./SqliteThread.ts"

/** Rows that one query gives; more are an error, and no answer cut off. */
const rowsMax = 10_000
/** How long a query may take: then its thread is to end, and the next query has another. */
const queryTimeoutMsDefault = 10_000
/** Queries that may wait for each other; one more is refused. */
const askedMaxCount = 64
/** Threads of queries that took too long, and have not ended yet, past which no query is taken. */
const droppedMaxCount = 2
/** Entries that come to no statement and are passed without noting it in the file. */
const unnotedMaxCount = 10_000
/** How long after the file could not be written it is tried again. */
const retryMs = 1_000

/** A projection on this node. */
export interface Running extends Following {
  /** Rows, and the index that they reflect at least. */
  readonly query: (
    statement: Statement
  ) => Effect.Effect<{ readonly rows: ReadonlyArray<Row>; readonly index: number }, SqliteThread.SqliteFailed>
}

/** Files of other versions of this projection: the file before what belongs to it. */
const removeOthers = Effect.fnUntraced(function* ({ name, version }: Sqlite, folder: string) {
  const others = (yield* listDirectory(folder)).filter((file) => {
    const [, named, of] = /^(.+)\.v(\d+)\.sqlite(?:-wal|-shm)?$/.exec(file) ?? []
    return named === name && of !== String(version)
  })
  yield* Effect.forEach(others.toSorted(), (file) => unlinkFile(`${folder}/${file}`), { discard: true })
})

/** Runs until the scope closes. */
export const run = Effect.fnUntraced(function* (
  projection: Sqlite,
  options: { readonly files: DerivedFiles; readonly feed: Feed; readonly queryTimeoutMs?: number }
): Effect.fn.Return<Running, LogFailed | SqliteThread.SqliteFailed, Scope.Scope> {
  const { ddl, name, version } = projection
  const queryTimeoutMs = options.queryTimeoutMs ?? queryTimeoutMsDefault
  const folder = yield* options.files.folder
  yield* removeOthers(projection, folder)
  const opening: Opening = { mode: "write", path: `${folder}/${name}.v${version}.sqlite`, name, version, ddl }
  const { ask: write } = yield* SqliteThread.start(opening)
  const opened = yield* write({ _tag: "Open" }, "Opened")
  if (opened.rebuiltFor !== undefined) {
    yield* Effect.logWarning(`Cannot use "${name}.v${version}.sqlite": ${opened.rebuiltFor}; it is made anew`)
  }
  let notedIndex = opened.index

  const failedAt = (index: number, what: string) =>
    new ProjectionFailed({ projection: name, index, message: `Cannot apply entry ${index}: ${what}` })

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
      const { failure, index } = yield* write({ _tag: "Apply", entries, throughIndex }, "Applied").pipe(
        Effect.tapError(({ message }) => Effect.logWarning(`${name} cannot write its file: ${message}`)),
        Effect.retry({ schedule: Schedule.spaced(retryMs), while: ({ isEnded }) => isEnded !== true }),
        Effect.mapError(({ message }) => failedAt(notedIndex + 1, message))
      )
      notedIndex = index
      if (failure !== undefined) return yield* failedAt(index + 1, failure)
    }
    return failed === undefined ? throughIndex : yield* failed
  })

  const following = yield* follow({ name, feed: options.feed, fromIndex: opened.index + 1, take })

  /** One query after another, on a thread that is started with the first. */
  const scope = yield* Effect.scope
  const oneAtATime = yield* Semaphore.make(1)
  let reader: { readonly thread: SqliteThread.SqliteThread; readonly scope: Scope.Closeable } | undefined
  let droppedCount = 0

  const startReader = Effect.gen(function* () {
    if (droppedCount >= droppedMaxCount)
      return yield* new SqliteThread.SqliteFailed({ message: "Earlier queries still run" })
    const own = yield* Scope.fork(scope)
    const thread = yield* Scope.provide(SqliteThread.start({ ...opening, mode: "read" }), own)
    yield* Effect.onError(thread.ask({ _tag: "Open" }, "Opened"), () => Scope.close(own, Exit.void))
    reader = { thread, scope: own }
    return reader
  })
  /** Its thread ends once SQLite comes back from the query: nothing can call it back from there. */
  const dropReader = Effect.suspend(() => {
    const dropped = reader
    reader = undefined
    if (dropped === undefined) return Effect.void
    droppedCount += 1
    const isGone = Effect.andThen(Scope.close(dropped.scope, Exit.void), dropped.thread.ended)
    return Effect.forkIn(
      Effect.andThen(
        isGone,
        Effect.sync(() => void droppedCount--)
      ),
      scope
    )
  })

  /** A thread that has ended answers nothing more: the next query has another. */
  const forgetEnded = ({ isEnded }: SqliteThread.SqliteFailed) =>
    isEnded === true ? Effect.asVoid(dropReader) : Effect.void

  const queryNow = Effect.fnUntraced(function* (statement: Statement) {
    const { thread } = reader ?? (yield* startReader)
    const index = following.index()
    const found = yield* thread.ask({ _tag: "Query", statement, rowsMax }, "Rows", "TooManyRows").pipe(
      Effect.tapError(forgetEnded),
      Effect.timeoutOrElse({
        duration: queryTimeoutMs,
        orElse: () =>
          Effect.andThen(
            dropReader,
            Effect.fail(new SqliteThread.SqliteFailed({ message: `The query takes more than ${queryTimeoutMs} ms` }))
          )
      })
    )
    if (found._tag === "TooManyRows") {
      return yield* new SqliteThread.SqliteFailed({ message: `The query gives more than ${rowsMax} rows: add a LIMIT` })
    }
    // What came to no statement is not noted in the file, and is reflected all the same.
    return { rows: found.rows, index: Math.max(found.index, index) }
  }, oneAtATime.withPermits(1))

  let askedCount = 0
  const query = (statement: Statement) =>
    Effect.suspend(() => {
      if (askedCount >= askedMaxCount) {
        return Effect.fail(new SqliteThread.SqliteFailed({ message: `${askedMaxCount} queries wait already` }))
      }
      askedCount += 1
      const isOver = Effect.sync(() => {
        askedCount -= 1
      })
      return Effect.ensuring(queryNow(statement), isOver)
    })

  return { ...following, query }
})
