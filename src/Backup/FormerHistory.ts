/**
 * What a restored log knows of the time before its base, for projections, changes and the history of records. If all
 * entries of the former log are there, they are kept as they were. Otherwise its first state takes their place: each
 * record as created, in entries that end at the base. docs/decisions/0026-what-a-restored-log-knows.md.
 */
import { Context, Effect, Layer, Pull, type Scope, Stream } from "effect"
import type { ReadOnce } from "../EventStore/Establish.ts"
import { History, type HistoryRange, isIn } from "../EventStore/History.ts"
import * as HistoryFiles from "../EventStore/HistoryFiles.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { LogFailed } from "../EventStore/LogStore.ts"
import type { Event } from "../Machine/Event.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Archive } from "./ReadArchive.ts"
import type { OpenDirectory } from "./ReadDirectory.ts"
import { type Found, inNameOrder, type Kept, recordEntries, recordsOf } from "./RecordEntries.ts"

/** The same entries as `blank` leaves them. */
export const blanked = (kept: Kept, blank: (entry: LogEntry) => LogEntry): Kept => ({
  ...kept,
  read: (range) => Effect.map(kept.read(range), (entries) => entries.map(blank))
})

/** In the order in which the records were created: each refers to those before it. */
const inOrder = (one: Found, other: Found): number =>
  one.row.createdIndex - other.row.createdIndex || inNameOrder(one, other)

const createdOf = ({ id, model, row }: Found): Event => {
  const { data, modelVersion, version } = row
  return { type: "created", model, modelVersion, id, version, previousIndex: 0, data }
}

/**
 * The records of a state as entries that end at `base`, which is of `term`. Their time is that of the state. A node that
 * fetches them compares the term of the last one with that of the snapshot at the base.
 */
export const firstState = (state: Tables, { base, term }: { readonly base: number; readonly term: number }): Kept =>
  recordEntries(recordsOf(state).sort(inOrder), {
    state,
    command: "FirstState",
    lastIndex: base,
    term,
    eventOf: createdOf
  })

/**
 * The entries of a range, all of which archives hold that were proven and go on from each other. The scope ends their
 * reading.
 */
export const ofArchives = Effect.fnUntraced(function* (
  archives: ReadonlyArray<Archive>,
  range: HistoryRange
): Effect.fn.Return<Kept, never, Scope.Scope> {
  const pull = yield* Stream.toPull(Stream.flatMap(Stream.fromIterable(archives), ({ pieces }) => pieces))
  const failed = (message: string) => new LogFailed({ message })
  const read: ReadOnce = Effect.fnUntraced(function* ({ fromIndex }) {
    for (;;) {
      const next = yield* pull.pipe(
        Pull.catchDone(() =>
          Effect.fail(failed(`"${archives.at(-1)?.name}" has changed: entry ${fromIndex} is not in it any more`))
        ),
        Effect.mapError(({ message }) => failed(message))
      )
      const entries = next.flatMap((piece) => (piece._tag === "Entries" ? piece.entries : []))
      // An archive may begin with entries that the one before it ends with.
      const found = entries.filter(({ index }) => index >= fromIndex && index <= range.toIndex)
      if (found.length > 0) return found
    }
  })
  return { ...range, read }
})

/** All entries of a directory's log and history through its last; undefined if some are missing. */
export const ofDirectory = Effect.fnUntraced(function* ({
  directory,
  lastIndex,
  log
}: OpenDirectory): Effect.fn.Return<Kept | undefined, LogFailed, Scope.Scope> {
  const { firstIndex } = log.held
  const isLogWhole = log.held.lastIndex === lastIndex
  if (firstIndex === 1 && isLogWhole) return { fromIndex: 1, toIndex: lastIndex, read: log.read }
  const history = Context.get(
    yield* Layer.build(HistoryFiles.layerFile({ directory: `${directory}/history` })),
    History
  )
  const [held] = history.ranges()
  if (!isLogWhole || held?.fromIndex !== 1 || held.toIndex < firstIndex - 1) return undefined
  const read: ReadOnce = (range) =>
    range.fromIndex < firstIndex && isIn(history.ranges(), range.fromIndex)
      ? history.read({ ...range, toIndex: firstIndex - 1 })
      : log.read(range)
  return { fromIndex: 1, toIndex: lastIndex, read }
})
