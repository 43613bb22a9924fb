/**
 * The total order of encoded values, and of records by some of their fields. Pure. Equal on every node and runtime.
 * Null and absent are one and come last (first when descending), as in PostgreSQL; then, in ascending order: booleans,
 * numbers, texts by code unit, which is how tables order ids, and arrays and objects by their one text.
 */
import type { Schema } from "effect"
import { canonical } from "./Json.ts"

type Json = Schema.Json

/** One step of an order. */
export interface OrderBy {
  readonly field: string
  readonly direction: "asc" | "desc"
}

/** What an order key is made of; an absent field is null, and sorts as null does. */
export type OrderValue = string | number | boolean | null

/** Compares two texts of one field whose values do not sort as texts do: decimals, say. It must be a total order. */
export type TextComparator = (left: string, right: string) => number

/** By field, where a field needs its own. The id never does: tables are ordered by it. */
export type Comparators = ReadonlyMap<string, TextComparator>

const kinds = ["boolean", "number", "string", "object"]

/** Values of different kinds are not comparable for a filter, but have an order all the same. */
const kindOf = (value: Json): number => (value === null ? kinds.length : kinds.indexOf(typeof value))

/** Whether two values are of one kind, so that one can be more or less than the other. Null is like nothing. */
export const isComparable = (left: Json, right: Json): boolean =>
  left !== null && right !== null && kindOf(left) === kindOf(right)

/** Negative where `left` comes first in ascending order, zero where the two are one value. */
export const compareValues = (left: Json, right: Json, comparator?: TextComparator): number => {
  if (typeof left === "string" && typeof right === "string") {
    return comparator === undefined ? compareScalars(left, right) : comparator(left, right)
  }
  const byKind = kindOf(left) - kindOf(right)
  if (byKind !== 0 || left === null || right === null) return byKind
  if (typeof left === "object") return compareScalars(canonical(left), canonical(right))
  return compareScalars(left, right as string | number | boolean)
}

const compareScalars = (left: string | number | boolean, right: string | number | boolean): number =>
  left < right ? -1 : left > right ? 1 : 0

/** The value of a field as an order key holds it. An array or object, which an older shape may have left, is null. */
export const orderValue = (value: Json | undefined): OrderValue =>
  value === undefined || value === null || typeof value === "object" ? null : (value as OrderValue)

/** Compares two order keys, each of one value for each step of the order. */
export const compareKeys = (
  orderBy: ReadonlyArray<OrderBy>,
  comparators: Comparators,
  left: ReadonlyArray<OrderValue>,
  right: ReadonlyArray<OrderValue>
): number => {
  for (const [at, { direction, field }] of orderBy.entries()) {
    const compared = compareValues(left[at] ?? null, right[at] ?? null, comparators.get(field))
    if (compared !== 0) return direction === "asc" ? compared : -compared
  }
  return 0
}
