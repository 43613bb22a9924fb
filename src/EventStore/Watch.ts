/**
 * Notices while a node runs that its files are gone. A process can write and sync an open file long after somebody
 * removed its name, and the next start finds nothing. Each room names the files that it needs; this checks them.
 */
import { Effect } from "effect"
import { codeOf } from "./Files.ts"
import { LogFailed } from "./LogStore.ts"

/** A loss is noticed within this time, plus that of one check. */
export const watchIntervalMs = 500

/** The process is short of descriptors or memory. That passes, and says nothing about the files. */
const passingCodes = ["EMFILE", "ENFILE", "ENOMEM", "EAGAIN"]

/** Checks again and again, and fails at the first loss, as with a failed disk. */
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

/** One of the `needed` names that `list` lacks, if it is still needed after the list was read. */
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

/** One look lists up to this many files. A list of many more holds up the whole process. */
export const listedMaxCount = 4_096
/** If there are more files, each look checks the next ones, this many. */
export const lookedAtCount = 64

/** {@link missingName} for files whose number has no limit, at a bounded cost of each look. */
export const missingOfMany = <A>(options: {
  readonly needed: () => ReadonlyArray<A>
  readonly nameOf: (file: A) => string
  readonly list: Effect.Effect<ReadonlyArray<string>, LogFailed>
  readonly isThere: (name: string) => Effect.Effect<boolean, LogFailed>
}): Effect.Effect<string | undefined, LogFailed> => {
  const { isThere, list, nameOf, needed } = options
  let from = 0
  return Effect.gen(function* () {
    const files = needed()
    if (files.length <= listedMaxCount) return yield* missingName(() => needed().map(nameOf), list)
    const next = files.slice(from, from + lookedAtCount)
    from = from + lookedAtCount < files.length ? from + lookedAtCount : 0
    for (const file of next) {
      if (!(yield* isThere(nameOf(file))) && needed().includes(file)) return nameOf(file)
    }
    return undefined
  })
}
