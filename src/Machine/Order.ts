/**
 * The total order of records by some of their fields, each by the key of its value (OrderKey.ts). Pure. Equal on every
 * node and runtime. Null and absent are one and come last (first when descending), as in PostgreSQL; before them, in
 * ascending order: booleans, numbers, and texts by UTF-16 code unit, which is how tables order ids.
 */
import type { OrderValue } from "./OrderKey.ts"

export type { OrderValue } from "./OrderKey.ts"

/** One step of an order. */
export interface OrderBy {
  readonly field: string
  readonly direction: "asc" | "desc"
}

const kinds = ["boolean", "number", "string"]

/** Values of different kinds are not comparable for a filter, but have an order all the same. */
const kindOf = (key: OrderValue): number => (key === null ? kinds.length : kinds.indexOf(typeof key))

/** Whether two values are of one kind, so that one can be more or less than the other. Null is like nothing. */
export const isComparable = (left: OrderValue, right: OrderValue): boolean =>
  left !== null && right !== null && kindOf(left) === kindOf(right)

/** Negative where `left` comes first in ascending order, zero where the two are keys of one value. */
export const compareKeys = (left: OrderValue, right: OrderValue): number => {
  const byKind = kindOf(left) - kindOf(right)
  if (byKind !== 0 || left === null || right === null) return byKind
  return left < right ? -1 : left > right ? 1 : 0
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
