/** Queries of a projection's file, one after another, on a thread that is started with the first and cannot write. */
import { Effect, Exit, Fiber, Scope, Semaphore } from "effect"
import { SqliteFailed } from "./Failure.ts"
import type { Opening, Reply, Statement } from "./SqliteProtocol.ts"
import { type SqliteThread, start } from "./SqliteThread.ts"
import { queryOf, wrongWithQuery } from "./SqlText.ts"

/** Rows that one query gives; more are an error, and no answer cut off. */
const rowsMax = 10_000
/** What their texts and bytes are together: the main thread takes them in one go. */
const bytesMax = 8 * 1024 * 1024
/** Queries that may wait for each other; one more is refused. */
const askedMaxCount = 64
/** Threads of queries that took too long, and have not ended yet, past which no query is taken. */
const droppedMaxCount = 2

/** Asks, within a limit that those before it count towards. */
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
  const forgetEnded = ({ reason }: SqliteFailed) => (reason === "ended" ? Effect.asVoid(dropReader) : Effect.void)

  /** To its end, or to its limit: past that SQLite is not waited for. */
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
  const tooLong = refused(`The query takes more than ${queryTimeoutMs} ms, those before it included`)
  const closed = Effect.fail(new SqliteFailed({ reason: "ended", message: "The file of the query is closed" }))

  let askedCount = 0
  /** In a fiber of its own: whoever gives up has no thread dropped, which others would be without. */
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
      if (wrong !== undefined) return refused(`It is ${wrong}`)
      if (askedCount >= askedMaxCount) return refused(`${askedMaxCount} queries wait already`)
      askedCount += 1
      const isOver = Effect.sync(() => {
        askedCount -= 1
      })
      return Effect.ensuring(asked(statement), isOver)
    })
})
