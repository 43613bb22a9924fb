/**
 * The records of a state as entries of a history. A restore makes them: no leader has decided them. Pure.
 * FormerHistory.ts and ArchivedHistory.ts say what they stand for.
 */
import { Effect } from "effect"
import type { Established } from "../EventStore/Establish.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import type { Event } from "../Machine/Event.ts"
import type { Row } from "../Machine/Table.ts"
import type { Tables } from "../Machine/Tables.ts"
import { encode } from "../Machine/Transaction.ts"

/** Entries to keep, none if `toIndex` comes before `fromIndex`. */
export type Kept = NonNullable<Established["history"]>[number]

/** The size of such an entry, unless a single record is larger, and how many records it holds. */
const entryMaxChars = 256 * 1024
const entryMaxCount = 1_000

/** A record of a state. */
export interface Found {
  readonly model: string
  readonly id: string
  readonly row: Row
}

/** The records of all models that have not ended, in no order. */
export const recordsOf = ({ byModel }: Tables): Array<Found> => {
  const found: Array<Found> = []
  for (const [model, { isEnded, rows }] of byModel) {
    if (isEnded) continue
    for (const [id, row] of rows.entries()) found.push({ model, id, row })
  }
  return found
}

/** Compares names by their code units. */
export const inNameOrder = (
  one: { readonly model: string; readonly id: string },
  other: { readonly model: string; readonly id: string }
): number => {
  if (one.model !== other.model) return one.model < other.model ? -1 : 1
  return one.id < other.id ? -1 : one.id > other.id ? 1 : 0
}

const grouped = (found: ReadonlyArray<Found>): ReadonlyArray<ReadonlyArray<Found>> => {
  const groups: Array<Array<Found>> = []
  let chars = 0
  for (const each of found) {
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

/** Records, in this order, as entries that end at `lastIndex`. Their time is that of the state. */
export const recordEntries = (
  found: ReadonlyArray<Found>,
  options: {
    readonly state: Pick<Tables, "lastTimeMs" | "logAgeMs">
    readonly command: string
    readonly lastIndex: number
    readonly term: number
    readonly eventOf: (found: Found) => Event
  }
): Kept => {
  const { command, eventOf, lastIndex, term } = options
  const groups = grouped(found)
  const fromIndex = lastIndex - groups.length + 1
  const { lastTimeMs: timeMs, logAgeMs } = options.state
  const entryAt = (index: number): LogEntry => {
    const events = (groups[index - fromIndex] ?? []).map(eventOf)
    const payload = encode({ timeMs, logAgeMs, command, events, outcome: { _tag: "Accepted" } })
    return { index, term, type: "transaction", payload }
  }
  return { fromIndex, toIndex: lastIndex, read: ({ fromIndex }) => Effect.sync(() => [entryAt(fromIndex)]) }
}
