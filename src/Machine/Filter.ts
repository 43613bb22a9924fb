/** The filters of a list, and whether an encoded value meets one. Pure. Http reads them from a URL. */
import type { Schema } from "effect"
import type { FieldOrder } from "../Model/FieldOrder.ts"
import { compareKeys, isComparable } from "./Order.ts"
import { keyOf, type OrderValue } from "./OrderKey.ts"

/** The operand of a filter: a value of the field in its encoded form, as tables hold it. */
export type Operand = Schema.Json

/** The comparisons that take one operand. */
export type Comparison = "eq" | "neq" | "gt" | "gte" | "lt" | "lte"

/** One filter. Several filters of a list are joined by AND. */
export type Filter = FilterOf<Operand>

/** The same filter with the keys of its operands, to which records are compared. */
export type KeyedFilter = FilterOf<OrderValue>

export type FilterOf<Operand> =
  | { readonly _tag: "Compare"; readonly field: string; readonly op: Comparison; readonly operand: Operand }
  | { readonly _tag: "In"; readonly field: string; readonly operands: ReadonlyArray<Operand> }
  /** The value starts with the first segment, ends with the last, and holds the others in order between them. */
  | { readonly _tag: "Like"; readonly field: string; readonly segments: ReadonlyArray<string> }
  | { readonly _tag: "Is"; readonly field: string; readonly isNull: boolean }

/** Computes the keys of the operands of all filters once, and not with each record. */
export const keyedAll = (orders: ReadonlyMap<string, FieldOrder>, filters: ReadonlyArray<Filter>) =>
  filters.map((filter) => keyed(filter, (operand) => keyOf(orders.get(filter.field), operand)))

const keyed = (filter: Filter, keyOf: (operand: Operand) => OrderValue): KeyedFilter => {
  switch (filter._tag) {
    case "Compare":
      return { ...filter, operand: keyOf(filter.operand) }
    case "In":
      return { ...filter, operands: filter.operands.map(keyOf) }
    default:
      return filter
  }
}

/**
 * Whether a field's value, and its key, meet a filter. An absent value is null: it differs from every operand, and is
 * neither more nor less.
 */
export const isMet = (filter: KeyedFilter, held: Schema.Json | undefined, keyOf: () => OrderValue): boolean => {
  const value = held ?? null
  switch (filter._tag) {
    case "Compare":
      return compares(filter.op, keyOf(), filter.operand)
    case "In": {
      const key = keyOf()
      return filter.operands.some((operand) => compares("eq", key, operand))
    }
    case "Like":
      return typeof value === "string" && isLike(value, filter.segments)
    case "Is":
      return (value === null) === filter.isNull
  }
}

const compares = (op: Comparison, value: OrderValue, operand: OrderValue): boolean => {
  // `neq` matches exactly the records that `eq` does not, so the two lists together are all records.
  if (!isComparable(value, operand)) return op === "neq"
  const compared = compareKeys(value, operand)
  switch (op) {
    case "eq":
      return compared === 0
    case "neq":
      return compared !== 0
    case "gt":
      return compared > 0
    case "gte":
      return compared >= 0
    case "lt":
      return compared < 0
    case "lte":
      return compared <= 0
  }
}

/** The leftmost match of each segment leaves the most text for the next ones, so no other match need be tried. */
const isLike = (text: string, segments: ReadonlyArray<string>): boolean => {
  const first = segments[0] ?? ""
  if (segments.length <= 1) return text === first
  if (!text.startsWith(first)) return false
  let from = first.length
  for (const segment of segments.slice(1, -1)) {
    const at = text.indexOf(segment, from)
    if (at === -1) return false
    from = at + segment.length
  }
  const last = segments[segments.length - 1] ?? ""
  return text.length - last.length >= from && text.endsWith(last)
}
