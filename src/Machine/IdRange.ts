/** A range of ids, and the walk over its rows, from either end. Pure. It looks at no row outside the range. */
import type { KeyedFilter } from "./Filter.ts"

/** One end of a range. */
interface Bound {
  readonly id: string
  readonly isIncluded: boolean
}

/** Ids in code unit order. Without a bound the range is open on that side. */
export interface IdRange {
  readonly low: Bound | undefined
  readonly high: Bound | undefined
}

/** The range of ids that a list's filters allow. */
export const rangeOf = (filters: ReadonlyArray<KeyedFilter>, idField: string): IdRange => {
  let range: IdRange = { low: undefined, high: undefined }
  for (const filter of filters) {
    if (filter._tag !== "Compare" || filter.field !== idField || typeof filter.operand !== "string") continue
    const { op, operand: id } = filter
    if (op === "gt" || op === "gte") range = above(range, { id, isIncluded: op === "gte" })
    if (op === "lt" || op === "lte") range = below(range, { id, isIncluded: op === "lte" })
  }
  return range
}

/** The part of a range after an id, in the direction of the walk. */
export const after = (range: IdRange, direction: "asc" | "desc", id: string): IdRange => {
  const bound = { id, isIncluded: false }
  return direction === "asc" ? above(range, bound) : below(range, bound)
}

/** Entries by id that can be walked from an id on, in order or in reverse order. */
interface Walked<V> {
  readonly entries: (fromId?: string) => Iterable<readonly [string, V]>
  readonly entriesReversed: (fromId?: string) => Iterable<readonly [string, V]>
}

/** The rows of a range in order, or in reverse order. */
export function* walk<V>(
  rows: Walked<V>,
  { high, low }: IdRange,
  direction: "asc" | "desc"
): Generator<readonly [string, V]> {
  const isAscending = direction === "asc"
  for (const entry of isAscending ? rows.entries(low?.id) : rows.entriesReversed(high?.id)) {
    const [id] = entry
    const isWithinLow = low === undefined || id > low.id || (low.isIncluded && id === low.id)
    const isWithinHigh = high === undefined || id < high.id || (high.isIncluded && id === high.id)
    if (isWithinLow && isWithinHigh) yield entry
    else if (!(isAscending ? isWithinHigh : isWithinLow)) return
  }
}

const above = (range: IdRange, bound: Bound): IdRange => {
  const { low } = range
  const isTighter = low === undefined || bound.id > low.id || (bound.id === low.id && !bound.isIncluded)
  return isTighter ? { ...range, low: bound } : range
}

const below = (range: IdRange, bound: Bound): IdRange => {
  const { high } = range
  const isTighter = high === undefined || bound.id < high.id || (bound.id === high.id && !bound.isIncluded)
  return isTighter ? { ...range, high: bound } : range
}
