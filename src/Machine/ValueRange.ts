/** The values of a field that a list's filters allow, as ranges of its index. Pure. */
import type { KeyedFilter } from "./Filter.ts"
import { compareKeys, type OrderValue } from "./Order.ts"

/** One end of a range. */
export interface Bound {
  readonly value: OrderValue
  readonly isIncluded: boolean
}

/** Values in the order of lists. Without a bound the range is open on that side. */
export interface ValueRange {
  readonly low: Bound | undefined
  readonly high: Bound | undefined
}

/** Every value, null included. */
export const everything: ValueRange = { low: undefined, high: undefined }

/** The ranges that the filters of one field allow: one for each named value, or one between two ends. */
export const rangesOf = (filters: ReadonlyArray<KeyedFilter>): ReadonlyArray<ValueRange> | undefined => {
  for (const filter of filters) {
    const named = operandsOf(filter)
    if (named !== undefined) return distinct(named).map(only)
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

/** Whether a value is not below the range. */
export const isAboveLow = ({ low }: ValueRange, value: OrderValue): boolean => {
  const compared = low === undefined ? 1 : compareKeys(value, low.value)
  return compared > 0 || (compared === 0 && low?.isIncluded === true)
}

/** Whether a value is not above the range. */
export const isBelowHigh = ({ high }: ValueRange, value: OrderValue): boolean => {
  const compared = high === undefined ? -1 : compareKeys(value, high.value)
  return compared < 0 || (compared === 0 && high?.isIncluded === true)
}

const only = (value: OrderValue): ValueRange => ({
  low: { value, isIncluded: true },
  high: { value, isIncluded: true }
})

const belowNull: Bound = { value: null, isIncluded: false }

/** Null comes after all values, and is neither more nor less than any. */
const narrowed = (range: ValueRange, filter: KeyedFilter): ValueRange => {
  if (filter._tag === "Is") {
    return filter.isNull ? above(range, { value: null, isIncluded: true }) : below(range, belowNull)
  }
  if (filter._tag !== "Compare") return range
  const { op, operand: value } = filter
  switch (op) {
    case "gt":
    case "gte":
      return below(above(range, { value, isIncluded: op === "gte" }), belowNull)
    case "lt":
    case "lte":
      return below(range, { value, isIncluded: op === "lte" })
    case "eq":
    case "neq":
      return range
  }
}

const above = (range: ValueRange, low: Bound): ValueRange => (isAboveLow(range, low.value) ? { ...range, low } : range)

const below = (range: ValueRange, high: Bound): ValueRange =>
  isBelowHigh(range, high.value) ? { ...range, high } : range

const distinct = (values: ReadonlyArray<OrderValue>): ReadonlyArray<OrderValue> =>
  values.toSorted(compareKeys).filter((value, at, sorted) => at === 0 || compareKeys(sorted[at - 1]!, value) !== 0)
