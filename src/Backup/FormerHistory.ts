/**
 * What a restored log knows of the time before its base, for projections, changes and the history of records. If all
 * entries of the former log are there, they are kept as they were. Otherwise its first state takes their place: each
 * record as created, in entries that end at the base. docs/decisions/0026-what-a-restored-log-knows.md.
 */
import { Context, Effect, Layer, Pull, type Scope, Stream } from "effect"
import type { Established, ReadOnce } from "../EventStore/Establish.ts"
import { History, isIn } from "../EventStore/History.ts"
import * as HistoryFiles from "../EventStore/HistoryFiles.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { LogFailed } from "../EventStore/LogStore.ts"
import type { Event } from "../Machine/Event.ts"
import type { Row } from "../Machine/Table.ts"
import type { Tables } from "../Machine/Tables.ts"
import { encode } from "../Machine/Transaction.ts"
import type { Archive } from "./ReadArchive.ts"
import type { OpenDirectory } from "./ReadDirectory.ts"

/** The entries to keep, none if `toIndex` comes before `fromIndex`. */
export type Kept = NonNullable<Established["history"]>

/** The size of an entry of a first state, unless a single record is larger, and how many records it holds. */
const entryMaxChars = 256 * 1024
const entryMaxCount = 1_000

/** The same entries as `blank` leaves them. */
export const blanked = (kept: Kept, blank: (entry: LogEntry) => LogEntry): Kept => ({
  ...kept,
  read: (range) => Effect.map(kept.read(range), (entries) => entries.map(blank))
})

interface Found {
  readonly model: string
  readonly id: string
  readonly row: Row
}

const inOrder = (one: Found, other: Found): number => {
  if (one.row.createdIndex !== other.row.createdIndex) return one.row.createdIndex - other.row.createdIndex
  if (one.model !== other.model) return one.model < other.model ? -1 : 1
  return one.id < other.id ? -1 : 1
}

/** The records in the order in which they were created, by the entry that is to hold them. */
const grouped = ({ byModel }: Tables): ReadonlyArray<ReadonlyArray<Found>> => {
  const found: Array<Found> = []
  for (const [model, { isEnded, rows }] of byModel) {
    if (isEnded) continue
    for (const [id, row] of rows.entries()) found.push({ model, id, row })
  }
  const groups: Array<Array<Found>> = []
  let chars = 0
  for (const each of found.sort(inOrder)) {
    const own = JSON.stringify(each.row.data).length
    const last = groups.at(-1)
    if (last === undefined || last.length >= entryMaxCount || chars + own > entryMaxChars) {
      groups.push([each])
      chars = own
    } else {
      last.push(each)
      chars += own
    }
  }
  return groups
}

const createdOf = ({ id, model, row }: Found): Event => {
  const { data, modelVersion, version } = row
  return { type: "created", model, modelVersion, id, version, previousIndex: 0, data }
}

/**
 * The records of a state as entries that end at `base`, which is of `term`. Their time is that of the state. A node that
 * fetches them compares the term of the last one with that of the snapshot at the base.
 */
export const firstState = (tables: Tables, { base, term }: { readonly base: number; readonly term: number }): Kept => {
  const groups = grouped(tables)
  const fromIndex = base - groups.length + 1
  const { lastTimeMs: timeMs, logAgeMs } = tables
  const entryAt = (index: number): LogEntry => {
    const events = (groups[index - fromIndex] ?? []).map(createdOf)
    const payload = encode({ timeMs, logAgeMs, command: "FirstState", events, outcome: { _tag: "Accepted" } })
    return { index, term, type: "transaction", payload }
  }
  return { fromIndex, toIndex: base, read: ({ fromIndex }) => Effect.sync(() => [entryAt(fromIndex)]) }
}

/** All entries through `toIndex` of an archive that was proven, and holds the whole history. The scope ends its reading. */
export const ofArchive = Effect.fnUntraced(function* (
  { name, pieces }: Archive,
  toIndex: number
): Effect.fn.Return<Kept, never, Scope.Scope> {
  const pull = yield* Stream.toPull(pieces)
  const failed = (message: string) => new LogFailed({ message })
  const read: ReadOnce = Effect.fnUntraced(function* ({ fromIndex }) {
    for (;;) {
      const next = yield* pull.pipe(
        Pull.catchDone(() => Effect.fail(failed(`"${name}" has changed: entry ${fromIndex} is not in it any more`))),
        Effect.mapError(({ message }) => failed(message))
      )
      const entries = next.flatMap((piece) => (piece._tag === "Entries" ? piece.entries : []))
      const found = entries.filter(({ index }) => index <= toIndex)
      if (found.length > 0) return found
    }
  })
  return { fromIndex: 1, toIndex, read }
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
