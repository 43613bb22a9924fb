/** Walks through an index: the records of some ranges, and records in order. Pure, and lazy throughout. */
import { type FieldIndex, idsOf } from "./FieldIndex.ts"
import * as IdSet from "./IdSet.ts"
import type { OrderBy, OrderValue } from "./Order.ts"
import { everything, isAboveLow, isBelowHigh, type ValueRange } from "./ValueRange.ts"

type Direction = OrderBy["direction"]

/** The ids of all records in some ranges. */
export function* idsWithin(index: FieldIndex, ranges: ReadonlyArray<ValueRange>): Generator<string> {
  for (const range of ranges) yield* idsInOrder(index, { values: "asc", ids: "asc" }, undefined, range)
}

/**
 * The ids of all records by value and, within one value, by id. Each has its own direction. Starts after a record or at
 * the first.
 */
export function* idsInOrder(
  index: FieldIndex,
  { ids, values }: { readonly values: Direction; readonly ids: Direction },
  after: { readonly value: OrderValue; readonly id: string } | undefined,
  range: ValueRange = everything
): Generator<string> {
  const isAscending = values === "asc"
  if (after !== undefined) yield* idsOf(index, after.value, ids, after.id)
  // From the value of `after` on, without that value, or from the range's end on.
  const rest: ValueRange =
    after === undefined
      ? range
      : { ...range, [isAscending ? "low" : "high"]: { value: after.value, isIncluded: false } }
  for (const [value, found] of entriesFrom(index, values, rest)) {
    const isWithinLow = isAboveLow(rest, value)
    const isWithinHigh = isBelowHigh(rest, value)
    if (isWithinLow && isWithinHigh) yield* IdSet.walk(found, ids)
    else if (!(isAscending ? isWithinHigh : isWithinLow)) return
  }
}

const entriesFrom = (index: FieldIndex, direction: Direction, { high, low }: ValueRange) =>
  direction === "asc"
    ? low === undefined
      ? index.entries()
      : index.entries(low.value)
    : high === undefined
      ? index.entriesReversed()
      : index.entriesReversed(high.value)
