/**
 * Walks through an index: the ranges that a list's filters allow, and its records in order. Pure, and lazy throughout.
 */

import type { FieldIndex as Index, IndexKey, IndexRange } from "./FieldIndex.ts"
import * as FieldIndex from "./FieldIndex.ts"
import type { KeyedFilter } from "./Filter.ts"
import { compareKeys, type OrderBy, type OrderValue } from "./Order.ts"

type Direction = OrderBy["direction"]

const everything: IndexRange = { from: undefined, to: undefined }

/** The ranges that the filters of one field allow: one for each named value, or one between two ends. */
export const rangesOf = (filters: ReadonlyArray<KeyedFilter>): ReadonlyArray<IndexRange> | undefined => {
  for (const filter of filters) {
    const named = operandsOf(filter)
    if (named !== undefined) return distinct(named).map(FieldIndex.rangeOfValue)
  }
  let range = everything
  for (const filter of filters) range = narrowed(range, filter)
  return range === everything ? undefined : [range]
}

/** The values that a filter names, if it names any. */
export const operandsOf = (filter: KeyedFilter): ReadonlyArray<OrderValue> | undefined => {
  if (filter._tag === "In") return filter.operands
  return filter._tag === "Compare" && filter.op === "eq" ? [filter.operand] : undefined
}

/** Null comes after all values, and is neither more nor less than any. */
const narrowed = (range: IndexRange, filter: KeyedFilter): IndexRange => {
  const between = (from: IndexKey | undefined, to: IndexKey): IndexRange => ({
    from: range.from === undefined || (from !== undefined && isBefore(range.from, from)) ? from : range.from,
    to: range.to === undefined || isBefore(to, range.to) ? to : range.to
  })
  if (filter._tag === "Is") {
    return filter.isNull
      ? between(FieldIndex.before(null), FieldIndex.behind(null))
      : between(undefined, FieldIndex.before(null))
  }
  if (filter._tag !== "Compare") return range
  const { op, operand } = filter
  switch (op) {
    case "gt":
      return between(FieldIndex.behind(operand), FieldIndex.before(null))
    case "gte":
      return between(FieldIndex.before(operand), FieldIndex.before(null))
    case "lt":
      return between(undefined, FieldIndex.before(operand))
    case "lte":
      return between(undefined, FieldIndex.behind(operand))
    case "eq":
    case "neq":
      return range
  }
}

const isBefore = (left: IndexKey, right: IndexKey): boolean => FieldIndex.compareIndexKeys(left, right) < 0

const distinct = (values: ReadonlyArray<OrderValue>): ReadonlyArray<OrderValue> =>
  values.toSorted(compareKeys).filter((value, at, sorted) => at === 0 || compareKeys(sorted[at - 1]!, value) !== 0)

/** The ids of all records in some ranges. */
export function* idsWithin(index: Index, ranges: ReadonlyArray<IndexRange>): Generator<string> {
  for (const range of ranges) {
    for (const { id } of FieldIndex.walk(index, range)) yield id
  }
}

/** The ids of one value's records, in order, after an id or from the first. */
export function* idsOfValue(
  index: Index,
  value: OrderValue,
  direction: Direction,
  afterId: string | undefined
): Generator<string> {
  const isAscending = direction === "asc"
  const end = isAscending ? FieldIndex.before(value) : FieldIndex.behind(value)
  const start = afterId === undefined ? end : { value, id: afterId }
  for (const [key] of isAscending ? index.entries(start) : index.entriesReversed(start)) {
    if (compareKeys(key.value, value) !== 0) return
    if (key.id !== undefined && key.id !== afterId) yield key.id
  }
}

/**
 * The ids of all records by value and, within one value, by id. Each has its own direction. Starts after a record or at
 * the first.
 */
export function* idsInOrder(
  index: Index,
  { ids, values }: { readonly values: Direction; readonly ids: Direction },
  after: { readonly value: OrderValue; readonly id: string } | undefined,
  { from, to }: IndexRange = everything
): Generator<string> {
  const isAscending = values === "asc"
  const behindValue = (value: OrderValue) =>
    isAscending ? index.nextHigherKey(FieldIndex.behind(value)) : index.nextLowerKey(FieldIndex.before(value))
  const isWithin = (key: IndexKey) =>
    isAscending ? to === undefined || isBefore(key, to) : from === undefined || !isBefore(key, from)
  if (after !== undefined) yield* idsOfValue(index, after.value, ids, after.id)
  const first = () =>
    isAscending ? (from === undefined ? index.minKey() : index.getPairOrNextHigher(from)?.[0]) : index.nextLowerKey(to)
  let key = after === undefined ? first() : behindValue(after.value)
  while (key !== undefined && isWithin(key)) {
    yield* idsOfValue(index, key.value, ids, undefined)
    key = behindValue(key.value)
  }
}
