/**
 * The total order of records by some of their fields, each by the key of its value (OrderKey.ts). Pure, and equal on
 * every node and runtime. Ascending: booleans, numbers, then texts by UTF-16 code unit, as tables order ids. Null and
 * absent are one value, and come last, first when descending, as in PostgreSQL.
 */
import type { OrderValue } from "./OrderKey.ts"

export type { OrderValue } from "./OrderKey.ts"

/** One step of an order. */
export interface OrderBy {
  readonly field: string
  readonly direction: "asc" | "desc"
}

const kinds = ["boolean", "number", "string"]

/** The rank of a key's kind. Filters do not compare values of different kinds, but lists order them. */
const kindOf = (key: OrderValue): number => (key === null ? kinds.length : kinds.indexOf(typeof key))

/** Whether a filter may compare two values: both are of one kind, and neither is null. */
export const isComparable = (left: OrderValue, right: OrderValue): boolean =>
  left !== null && right !== null && kindOf(left) === kindOf(right)

/** Negative if `left` comes first in ascending order, zero if both are keys of one value. */
export const compareKeys = (left: OrderValue, right: OrderValue): number => {
  // Nearly all comparisons are of one kind, and every step through an index makes one.
  if (typeof left === typeof right && left !== null && right !== null) return left < right ? -1 : left > right ? 1 : 0
  return kindOf(left) - kindOf(right)
}

/** Compares two records by a key for each step of the order. */
export const compareSteps = (
  orderBy: ReadonlyArray<OrderBy>,
  left: ReadonlyArray<OrderValue>,
  right: ReadonlyArray<OrderValue>
): number => {
  for (const [at, { direction }] of orderBy.entries()) {
    const compared = compareKeys(left[at] ?? null, right[at] ?? null)
    if (compared !== 0) return direction === "asc" ? compared : -compared
  }
  return 0
}
