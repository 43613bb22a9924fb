/**
 * Finds records as they were in the state with which the archives of a restore begin (Backup/ArchivedHistory.ts). The
 * entries that hold them are in the order of the entries that made these versions, then of models and ids: so a record is
 * found by a binary search, and the node keeps no index of them.
 */
import { Effect } from "effect"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import type { Event } from "../Machine/Event.ts"
import type { Archived, Restored } from "../Machine/Restored.ts"
import type { Transaction } from "../Machine/Transaction.ts"

/** A record in that state. The time of the transaction is that of the state: the version was made then, or before. */
export interface ArchivedVersion {
  readonly event: Event
  readonly transaction: Transaction
}

/** The version that the entry at `index` of the former log made. */
export interface Sought {
  readonly model: string
  readonly id: string
  readonly index: number
}

/** The first records of so many entries are remembered. */
const rememberedMaxCount = 16_384

const order = (one: Sought, other: Sought): number => {
  if (one.index !== other.index) return one.index - other.index
  if (one.model !== other.model) return one.model < other.model ? -1 : 1
  return one.id < other.id ? -1 : one.id > other.id ? 1 : 0
}

const soughtIn = ({ id, model, previousIndex: index }: Event): Sought => ({ model, id, index })

/** Looks records up, by the entries of a node's history. */
export const make = (options: {
  readonly restored: () => Restored | undefined
  /** The entry at an index; undefined if the node does not hold it. */
  readonly entry: (
    index: number
  ) => Effect.Effect<{ readonly transaction: Transaction | undefined } | undefined, LogFailed | LogCorrupt>
}) => {
  /** By entry, its first record. No entry ever changes which records it holds. */
  const firsts = new Map<number, Sought>()

  const firstOf = Effect.fnUntraced(function* (index: number) {
    const known = firsts.get(index)
    if (known !== undefined) return known
    const event = (yield* options.entry(index))?.transaction?.events[0]
    if (event === undefined) return undefined
    const first = soughtIn(event)
    if (firsts.size >= rememberedMaxCount) firsts.clear()
    firsts.set(index, first)
    return first
  })

  /** The last entry that begins with `sought` or with a record before it; undefined if the node lacks one on the way. */
  const entryOf = Effect.fnUntraced(function* ({ firstIndex, lastIndex }: Archived, sought: Sought) {
    let low = firstIndex
    let high = lastIndex + 1
    while (low < high) {
      const middle = low + Math.floor((high - low) / 2)
      const first = yield* firstOf(middle)
      if (first === undefined) return undefined
      if (order(first, sought) <= 0) low = middle + 1
      else high = middle
    }
    return low - 1
  })

  /** Undefined if the state does not have that version, or if this node does not hold it. */
  return Effect.fnUntraced(function* (
    sought: Sought
  ): Effect.fn.Return<ArchivedVersion | undefined, LogFailed | LogCorrupt> {
    const archived = options.restored()?.history?.archived
    if (archived === undefined || sought.index > archived.stateIndex) return undefined
    const at = yield* entryOf(archived, sought)
    if (at === undefined || at < archived.firstIndex) return undefined
    const transaction = (yield* options.entry(at))?.transaction
    const event = transaction?.events.find((each) => order(soughtIn(each), sought) === 0)
    return event === undefined || transaction === undefined ? undefined : { event, transaction }
  })
}
