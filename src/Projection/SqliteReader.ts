/** Runs queries on a projection's file, one after another, on a read-only thread that starts with the first query. */
import { Effect, Exit, Fiber, Scope, Semaphore } from "effect"
import { SqliteFailed } from "./Failure.ts"
import type { Opening, Reply, Statement } from "./SqliteProtocol.ts"
import { type SqliteThread, start } from "./SqliteThread.ts"
import { queryOf, wrongWithQuery } from "./SqlText.ts"

/** The most rows of a query. More are an error: an answer is never cut off. */
const rowsMax = 10_000
/** The most texts and bytes of a query's rows together: the main thread takes them in one go. */
const bytesMax = 8 * 1024 * 1024
/** The most queries that may wait. The reader refuses more. */
const askedMaxCount = 64
/** The most threads whose queries took too long and still run. With so many the reader refuses all queries. */
const droppedMaxCount = 2

/** Runs a query. Its time limit includes the queries that it waits for. */
export type Query = (statement: Statement) => Effect.Effect<Extract<Reply, { readonly _tag: "Rows" }>, SqliteFailed>

const refused = (message: string) => Effect.fail(new SqliteFailed({ reason: "refused", message }))

/** Reads the file of a writer until the scope closes. */
export const make = Effect.fnUntraced(function* (
  opening: Opening,
  { queryTimeoutMs }: { readonly queryTimeoutMs: number }
): Effect.fn.Return<Query, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const oneAtATime = yield* Semaphore.make(1)
  let reader: { readonly thread: SqliteThread; readonly scope: Scope.Closeable } | undefined
  let droppedCount = 0

  const startReader = Effect.gen(function* () {
    if (droppedCount >= droppedMaxCount) return yield* refused("Earlier queries still run")
    const own = yield* Scope.fork(scope)
    const thread = yield* Scope.provide(start({ ...opening, mode: "read" }), own)
    yield* Effect.onError(thread.ask({ _tag: "Open" }, "Opened"), () => Scope.close(own, Exit.void))
    reader = { thread, scope: own }
    return reader
  })
  /** Drops the thread. It ends once SQLite returns from the query: nothing can interrupt SQLite there. */
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

  /** If the thread has ended, the next query gets a new one. */
  const forgetEnded = ({ reason }: SqliteFailed) => (reason === "ended" ? Effect.asVoid(dropReader) : Effect.void)

  /** Runs a query up to its limit, and does not wait for SQLite after that. */
  const answer = Effect.fnUntraced(function* (sql: string, statement: Statement) {
    const { thread } = reader ?? (yield* startReader)
    const request = { _tag: "Query", statement: { ...statement, sql }, rowsMax, bytesMax } as const
    const found = yield* thread
      .ask(request, "Rows", "TooMuch")
      .pipe(
        Effect.tapError(forgetEnded),
        Effect.timeoutOrElse({ duration: queryTimeoutMs, orElse: () => Effect.andThen(dropReader, tooLong) })
      )
    if (found._tag === "Rows") return found
    const most = found.of === "rows" ? `${rowsMax} rows: add a LIMIT` : `${bytesMax} bytes: select less`
    return yield* refused(`The query gives more than ${most}`)
  })
  const tooLong = refused(`The query took more than ${queryTimeoutMs} ms, including queries before it`)
  const closed = Effect.fail(new SqliteFailed({ reason: "ended", message: "The file of the projection is closed" }))

  let askedCount = 0
  /** Runs in a fiber of its own: a caller that gives up must not end the thread that others use. */
  const asked = (statement: Statement) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        let isBegun = false
        const answering = oneAtATime.withPermits(1)(
          Effect.suspend(() => {
            isBegun = true
            return answer(queryOf(statement.sql), statement)
          })
        )
        const fiber = yield* Effect.forkIn(answering, scope)
        const giveUp = Effect.suspend(() => (isBegun ? Effect.void : Fiber.interrupt(fiber)))
        const late = { duration: queryTimeoutMs, orElse: () => Effect.andThen(giveUp, tooLong) }
        const waiting = Effect.timeoutOrElse(Fiber.await(fiber), late)
        const exit = yield* Effect.onInterrupt(restore(waiting), () => giveUp)
        return yield* Exit.hasInterrupts(exit) ? closed : exit
      })
    )

  return (statement) =>
    Effect.suspend(() => {
      const wrong = wrongWithQuery(statement.sql)
      if (wrong !== undefined) return refused(`The query is ${wrong}`)
      if (askedCount >= askedMaxCount) return refused(`${askedMaxCount} queries wait already: try again later`)
      askedCount += 1
      const isOver = Effect.sync(() => {
        askedCount -= 1
      })
      return Effect.ensuring(asked(statement), isOver)
    })
})
