/** Queries of a projection's file, one after another, on a thread that is started with the first and cannot write. */
import { Effect, Exit, Scope, Semaphore } from "effect"
import { SqliteFailed } from "./Failure.ts"
import type { Opening, Reply, Statement } from "./SqliteProtocol.ts"
import { type SqliteThread, start } from "./SqliteThread.ts"
import { wrongWithQuery } from "./SqlText.ts"

/** Rows that one query gives; more are an error, and no answer cut off. */
const rowsMax = 10_000
/** Queries that may wait for each other; one more is refused. */
const askedMaxCount = 64
/** Threads of queries that took too long, and have not ended yet, past which no query is taken. */
const droppedMaxCount = 2

export interface SqliteReader {
  readonly query: (statement: Statement) => Effect.Effect<Extract<Reply, { readonly _tag: "Rows" }>, SqliteFailed>
  /** Does this while no thread reads the file, but for those that SQLite has not come back to. */
  readonly withoutThread: <A, E>(work: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

/** Reads the file of a writer until the scope closes. */
export const make = Effect.fnUntraced(function* (
  opening: Opening,
  { queryTimeoutMs }: { readonly queryTimeoutMs: number }
): Effect.fn.Return<SqliteReader, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const oneAtATime = yield* Semaphore.make(1)
  let reader: { readonly thread: SqliteThread; readonly scope: Scope.Closeable } | undefined
  let droppedCount = 0

  const startReader = Effect.gen(function* () {
    if (droppedCount >= droppedMaxCount) return yield* new SqliteFailed({ message: "Earlier queries still run" })
    const own = yield* Scope.fork(scope)
    const thread = yield* Scope.provide(start({ ...opening, mode: "read" }), own)
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
  const forgetEnded = ({ isEnded }: SqliteFailed) => (isEnded === true ? Effect.asVoid(dropReader) : Effect.void)

  const queryNow = Effect.fnUntraced(function* (statement: Statement) {
    const { thread } = reader ?? (yield* startReader)
    const found = yield* thread.ask({ _tag: "Query", statement, rowsMax }, "Rows", "TooManyRows").pipe(
      Effect.tapError(forgetEnded),
      Effect.timeoutOrElse({
        duration: queryTimeoutMs,
        orElse: () =>
          Effect.andThen(
            dropReader,
            Effect.fail(new SqliteFailed({ message: `The query takes more than ${queryTimeoutMs} ms` }))
          )
      }),
      // Whoever gives up leaves a thread that is busy, for which the next query shall not wait.
      Effect.onInterrupt(() => dropReader)
    )
    if (found._tag === "Rows") return found
    return yield* new SqliteFailed({ message: `The query gives more than ${rowsMax} rows: add a LIMIT` })
  }, oneAtATime.withPermits(1))

  let askedCount = 0
  const query = (statement: Statement) =>
    Effect.suspend(() => {
      const wrong = wrongWithQuery(statement.sql)
      if (wrong !== undefined) return Effect.fail(new SqliteFailed({ message: `It is ${wrong}` }))
      if (askedCount >= askedMaxCount) {
        return Effect.fail(new SqliteFailed({ message: `${askedMaxCount} queries wait already` }))
      }
      askedCount += 1
      const isOver = Effect.sync(() => {
        askedCount -= 1
      })
      return Effect.ensuring(queryNow(statement), isOver)
    })

  const closeReader = Effect.suspend(() => {
    const closed = reader
    reader = undefined
    return closed === undefined ? Effect.void : Scope.close(closed.scope, Exit.void)
  })

  return { query, withoutThread: (work) => oneAtATime.withPermits(1)(Effect.andThen(closeReader, work)) }
})
