/** A thread for one SQLite file, asked from the main thread. It ends with its scope. */
import { Worker } from "node:worker_threads"
import { Deferred, Effect, Exit, type Scope } from "effect"
import { SqliteFailed } from "./Failure.ts"
import type { Opening, Reply, Request } from "./SqliteProtocol.ts"

/** Asks, and waits for the answer. Whoever gives up is not heard of again: the thread does it all the same. */
export type Ask = <Tag extends Reply["_tag"]>(
  request: Request,
  ...expected: ReadonlyArray<Tag>
) => Effect.Effect<Extract<Reply, { readonly _tag: Tag }>, SqliteFailed>

/** The same file with the extension of this one: what is published has another than the sources. */
const script = new URL(`./SqliteWorker${/\.[cm]?[jt]s$/.exec(import.meta.url)?.[0] ?? ".js"}`, import.meta.url)
/** How long a thread may take to close its file. One that does not is ended: the file is none the worse. */
const closeTimeoutMs = 1_000

/** A thread that can be asked; `ended` waits until it is gone. */
export interface SqliteThread {
  readonly ask: Ask
  readonly ended: Effect.Effect<void>
}

export const start = (opening: Opening): Effect.Effect<SqliteThread, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => launch(opening)),
    ({ ask, worker }) =>
      Effect.andThen(
        Effect.ignore(Effect.timeout(ask({ _tag: "Close" }, "Closed"), closeTimeoutMs)),
        // A thread within SQLite ends when SQLite comes back from there: it is not waited for.
        Effect.ignore(
          Effect.timeout(
            Effect.promise(() => worker.terminate()),
            closeTimeoutMs
          )
        )
      )
  )

const launch = (opening: Opening) => {
  const waiting = new Map<number, (reply: Reply | SqliteFailed) => void>()
  const ended = Deferred.makeUnsafe<void>()
  let failure: SqliteFailed | undefined
  let nextId = 1
  const end = (message: string) => {
    failure ??= new SqliteFailed({ message, reason: "ended" })
    for (const settle of waiting.values()) settle(failure)
    waiting.clear()
  }
  const worker = new Worker(script, { workerData: opening })
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
