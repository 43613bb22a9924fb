/**
 * Notices while a node runs that files it relies on are gone: an open file can be written and synced long after its name
 * was removed, and nothing of it is there at the next start. Each room says what it relies on; this looks, and fails.
 */
import { Effect } from "effect"
import { codeOf } from "./Files.ts"
import { LogFailed } from "./LogStore.ts"

/** What is lost is noticed within this time, and that of one look. */
export const watchIntervalMs = 500

/** The process is short of descriptors or memory: that passes, and says nothing of the files. */
const passingCodes = ["EMFILE", "ENFILE", "ENOMEM", "EAGAIN"]

/** Looks again and again, and fails as a failed disk does with the first loss that a look tells of. */
export const watch = (look: Effect.Effect<string | undefined, LogFailed>): Effect.Effect<never, LogFailed> =>
  look.pipe(
    Effect.catchTag("LogFailed", (failure) => {
      if (passingCodes.includes(codeOf(failure) ?? "")) return Effect.succeed(undefined)
      return Effect.succeed(failure.message)
    }),
    Effect.flatMap((lost) =>
      lost === undefined
        ? Effect.void
        : Effect.fail(new LogFailed({ message: `Files were removed or replaced while this node ran: ${lost}` }))
    ),
    Effect.delay(watchIntervalMs),
    Effect.forever
  )

/** Of the names that `needed` gives, one that `list` does not hold; those that are needless by then do not count. */
export const missingName = (
  needed: () => ReadonlyArray<string>,
  list: Effect.Effect<ReadonlyArray<string>, LogFailed>
): Effect.Effect<string | undefined, LogFailed> =>
  Effect.gen(function* () {
    const before = needed()
    const names = new Set(yield* list)
    const missing = before.filter((name) => !names.has(name))
    return missing.length === 0 ? undefined : missing.find((name) => needed().includes(name))
  })
