/** Ways through an index: the ranges that a list's filters leave of it, and its records in order. Pure. Lazy, all of it. */

import type { FieldIndex as Index, IndexKey, IndexRange } from "./FieldIndex.ts"
import * as FieldIndex from "./FieldIndex.ts"
import type { Filter, Operand } from "./Filter.ts"
import { compareValues, type OrderBy, type OrderValue, type TextComparator } from "./Order.ts"

type Direction = OrderBy["direction"]

/** An index and how it compares, which tables know by field. */
export interface Indexed {
  readonly index: Index
  readonly comparator: TextComparator | undefined
}

const everything: IndexRange = { from: undefined, to: undefined }

/** Where all filters of one field let its values be: a range for each value that is named, or the one between two ends. */
export const rangesOf = (
  filters: ReadonlyArray<Filter>,
  comparator: TextComparator | undefined
): ReadonlyArray<IndexRange> | undefined => {
  for (const filter of filters) {
    const named = operandsOf(filter)
    if (named !== undefined) return distinct(named, comparator).map(FieldIndex.rangeOfValue)
  }
  let range = everything
  for (const filter of filters) range = narrowed(range, filter, comparator)
  return range === everything ? undefined : [range]
}

/** The values that a filter names, if it names any. */
export const operandsOf = (filter: Filter): ReadonlyArray<Operand> | undefined => {
  if (filter._tag === "In") return filter.operands
  return filter._tag === "Compare" && filter.op === "eq" ? [filter.operand] : undefined
}

/** Null is behind all values, and neither more nor less than any. */
const narrowed = (range: IndexRange, filter: Filter, comparator: TextComparator | undefined): IndexRange => {
  const between = (from: IndexKey | undefined, to: IndexKey): IndexRange => ({
    from:
      range.from === undefined || (from !== undefined && isBefore(range.from, from, comparator)) ? from : range.from,
    to: range.to === undefined || isBefore(to, range.to, comparator) ? to : range.to
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

const isBefore = (left: IndexKey, right: IndexKey, comparator: TextComparator | undefined): boolean =>
  FieldIndex.compareKeys(left, right, comparator) < 0

const distinct = (values: ReadonlyArray<Operand>, comparator: TextComparator | undefined): ReadonlyArray<Operand> =>
  values
    .toSorted((left, right) => compareValues(left, right, comparator))
    .filter((value, at, sorted) => at === 0 || compareValues(sorted[at - 1]!, value, comparator) !== 0)

/** The ids of all records in some ranges. */
export function* idsWithin({ comparator, index }: Indexed, ranges: ReadonlyArray<IndexRange>): Generator<string> {
  for (const range of ranges) {
    for (const { id } of FieldIndex.walk(index, range, comparator)) yield id
  }
}

/** The ids of the records of one value, in order, behind an id or from the first. */
export function* idsOfValue(
  { comparator, index }: Indexed,
  value: Operand,
  direction: Direction,
  afterId: string | undefined
): Generator<string> {
  const isAscending = direction === "asc"
  const end = isAscending ? FieldIndex.before(value) : FieldIndex.behind(value)
  const start = afterId === undefined ? end : { value, id: afterId }
  for (const [key] of isAscending ? index.entries(start) : index.entriesReversed(start)) {
    if (compareValues(key.value, value, comparator) !== 0) return
    if (key.id !== undefined && key.id !== afterId) yield key.id
  }
}

/**
 * The ids of all records by value and, among those of one value, by id: each in its own direction, behind a record or
 * from the first. Undefined where some value is an array or an object, which lists order like null and an index does not.
 */
export const idsInOrder = (
  indexed: Indexed,
  directions: { readonly values: Direction; readonly ids: Direction },
  after: { readonly value: OrderValue; readonly id: string } | undefined,
  range: IndexRange = everything
): Generator<string> | undefined => {
  const highest = indexed.index.nextLowerKey(FieldIndex.before(null))
  return typeof highest?.value === "object" ? undefined : walkInOrder(indexed, directions, after, range)
}

function* walkInOrder(
  indexed: Indexed,
  { ids, values }: { readonly values: Direction; readonly ids: Direction },
  after: { readonly value: OrderValue; readonly id: string } | undefined,
  { from, to }: IndexRange
): Generator<string> {
  const { comparator, index } = indexed
  const isAscending = values === "asc"
  const behindValue = (value: Operand) =>
    isAscending ? index.nextHigherKey(FieldIndex.behind(value)) : index.nextLowerKey(FieldIndex.before(value))
  const isWithin = (key: IndexKey) =>
    isAscending
      ? to === undefined || isBefore(key, to, comparator)
      : from === undefined || !isBefore(key, from, comparator)
  if (after !== undefined) yield* idsOfValue(indexed, after.value, ids, after.id)
  const first = () =>
    isAscending ? (from === undefined ? index.minKey() : index.getPairOrNextHigher(from)?.[0]) : index.nextLowerKey(to)
  let key = after === undefined ? first() : behindValue(after.value)
  while (key !== undefined && isWithin(key)) {
    yield* idsOfValue(indexed, key.value, ids, undefined)
    key = behindValue(key.value)
  }
}
