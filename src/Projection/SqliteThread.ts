/** A thread for one SQLite file, which the main thread asks. It ends with its scope. */
import { Worker } from "node:worker_threads"
import { Deferred, Effect, Exit, type Scope } from "effect"
import { SqliteFailed, SqliteUnavailable, thrown } from "./Failure.ts"
import type { Opening, Reply, Request } from "./SqliteProtocol.ts"
import { workerText } from "./SqliteWorkerText.ts"

/** Asks and waits for the answer. If the caller gives up, the thread still does the work. */
export type Ask = <Tag extends Reply["_tag"]>(
  request: Request,
  ...expected: ReadonlyArray<Tag>
) => Effect.Effect<Extract<Reply, { readonly _tag: Tag }>, SqliteFailed>

/** How long a thread may take to close its file. Then it is terminated, which does not harm the file. */
const closeTimeoutMs = 1_000
/** How long a thread may take to start on a busy machine. */
const checkTimeoutMs = 30_000

/** A running thread. `ended` waits until it has ended. */
export interface SqliteThread {
  readonly ask: Ask
  readonly ended: Effect.Effect<void>
}

/** Checks that SQLite runs on a thread here. A node with projections into SQLite checks once. */
export const check = (text: string = workerText): Effect.Effect<void, SqliteUnavailable> =>
  start({ mode: "write", path: ":memory:", name: "", version: 0, ddl: "" }, text).pipe(
    Effect.flatMap(({ ask }) => ask({ _tag: "Open" }, "Opened")),
    Effect.raceFirst(tooLate),
    Effect.mapError(
      ({ message }) => new SqliteUnavailable({ message: `Cannot run SQLite on a thread here: ${message}` })
    ),
    Effect.scoped
  )

/** The thread runs in real time, even if the program's clock is virtual. */
const tooLate = Effect.callback<never, SqliteFailed>((resume) => {
  const late = () => resume(Effect.fail(new SqliteFailed({ reason: "ended", message: "it does not answer" })))
  const timer = setTimeout(late, checkTimeoutMs)
  return Effect.sync(() => clearTimeout(timer))
})

/** Starts a thread for a file. */
export const start = (
  opening: Opening,
  text: string = workerText
): Effect.Effect<SqliteThread, SqliteFailed, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => launch(opening, text),
      // The runtime does not allow threads.
      catch: (error) => new SqliteFailed({ reason: "ended", message: thrown(error) })
    }),
    ({ ask, worker }) =>
      Effect.andThen(
        Effect.ignore(Effect.timeout(ask({ _tag: "Close" }, "Closed"), closeTimeoutMs)),
        // Do not wait: a thread that is inside SQLite ends only when SQLite returns.
        Effect.ignore(
          Effect.timeout(
            Effect.promise(() => worker.terminate()),
            closeTimeoutMs
          )
        )
      )
  )

const launch = (opening: Opening, text: string) => {
  const waiting = new Map<number, (reply: Reply | SqliteFailed) => void>()
  const ended = Deferred.makeUnsafe<void>()
  let failure: SqliteFailed | undefined
  let nextId = 1
  const end = (message: string) => {
    failure ??= new SqliteFailed({ message, reason: "ended" })
    for (const settle of waiting.values()) settle(failure)
    waiting.clear()
  }
  // The code is text in a module, so it survives bundlers and compilers that would not copy a worker's file.
  const worker = new Worker(text, { eval: true, workerData: opening })
  worker.on("message", ({ id, reply }: { readonly id: number; readonly reply: Reply }) => {
    waiting.get(id)?.(reply)
    waiting.delete(id)
  })
  worker.on("error", (error) => end(error instanceof Error ? error.message : String(error)))
  worker.on("exit", () => {
    end("The thread of the SQLite file has ended")
    Deferred.doneUnsafe(ended, Exit.void)
  })

  const ask: Ask = (request, ...expected) =>
    Effect.callback((resume) => {
      if (failure !== undefined) return resume(Effect.fail(failure))
      const id = nextId++
      waiting.set(id, (reply) => {
        if (reply._tag === "SqliteFailed") return resume(Effect.fail(reply))
        const found = expected.find((tag) => tag === reply._tag)
        if (found !== undefined) return resume(Effect.succeed(reply as Extract<Reply, { readonly _tag: typeof found }>))
        const { message, reason } =
          reply._tag === "Failed" ? reply : ({ message: `It answered ${reply._tag}`, reason: "refused" } as const)
        resume(Effect.fail(new SqliteFailed({ message, reason })))
      })
      worker.postMessage({ id, request })
      return Effect.sync(() => waiting.delete(id))
    })
  return { ask, worker, ended: Deferred.await(ended) }
}
