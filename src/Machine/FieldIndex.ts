/**
 * Which records hold which value of a field, in the order in which lists compare values. Pure; kept by `evolve`, which
 * accepts what the log says: whether a value must be unique, or name a record, is for `decide` alone (DESIGN D2).
 * An index is no part of the state: it is built anew with the rows, and the hash does not know it.
 */
import type { Schema } from "effect"
import type { EncodedRecord } from "../Model.ts"
import { compareValues, type TextComparator } from "./Order.ts"
import * as OrderedMap from "./OrderedMap.ts"
import type { Table } from "./Tables.ts"

type Json = Schema.Json

/**
 * A value, absent ones being null, and the record that holds it. It is compared by the very function that filters and
 * orders compare with, so that a range of keys is a range of values. A key without an id is no record's: it stands
 * behind every record of its value, as the end of a range.
 */
export interface IndexKey {
  readonly value: Json
  readonly id: string | undefined
}

/** All records of a table, those without a value included, by one field. */
export type FieldIndex = OrderedMap.OrderedMap<IndexKey, undefined>

/** The keys from `from` on, before `to`. */
export interface IndexRange {
  readonly from: IndexKey | undefined
  readonly to: IndexKey | undefined
}

/** An empty index of a field, whose texts are compared by `comparator` if it has an order of its own. */
export const make = (comparator: TextComparator | undefined): FieldIndex =>
  OrderedMap.makeBy((left, right) => compareKeys(left, right, comparator))

/** Where a range begins, or ends, that has no record of this value. */
export const before = (value: Json): IndexKey => ({ value, id: "" })

/** Where a range ends, or begins, that has every record of this value. */
export const behind = (value: Json): IndexKey => ({ value, id: undefined })

/** Every record of one value. */
export const rangeOfValue = (value: Json): IndexRange => ({ from: before(value), to: behind(value) })

/** By value, then by id; no id is above every id. */
export const compareKeys = (left: IndexKey, right: IndexKey, comparator: TextComparator | undefined): number => {
  const byValue = compareValues(left.value, right.value, comparator)
  if (byValue !== 0) return byValue
  if (left.id === undefined || right.id === undefined) return left.id === right.id ? 0 : left.id === undefined ? 1 : -1
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0
}

/** The value of a field as its index holds it. Own members alone: a field may be called `constructor`. */
export const valueOf = (data: EncodedRecord, field: string): Json =>
  Object.hasOwn(data, field) ? (data[field] ?? null) : null

/** The id of the first record, other than `exceptId`, that holds a value. Null is held by nobody. */
export const holder = (table: Table, field: string, value: Json, exceptId?: string): string | undefined => {
  const index = table.indexes.get(field)
  if (index === undefined || value === null) return undefined
  for (const { id } of walk(index, rangeOfValue(value), table.comparators.get(field))) {
    if (id !== exceptId) return id
  }
  return undefined
}

/** The keys of a range in order. It looks at one key more than it gives. */
export function* walk(
  index: FieldIndex,
  { from, to }: IndexRange,
  comparator: TextComparator | undefined
): Generator<IndexKey & { readonly id: string }> {
  for (const [key] of index.entries(from)) {
    if (to !== undefined && compareKeys(key, to, comparator) >= 0) return
    // Only the ends of ranges have no id, and no such key is ever put into an index.
    yield key as IndexKey & { readonly id: string }
  }
}

/** Notes what a record holds, in place of what it held; one that begins held nothing, one that ends holds nothing. */
export const move = (
  { comparators, indexes }: Table,
  id: string,
  { from, to }: { readonly from?: EncodedRecord | undefined; readonly to?: EncodedRecord | undefined }
): void => {
  for (const [field, index] of indexes) {
    const old = from === undefined ? undefined : { value: valueOf(from, field), id }
    const next = to === undefined ? undefined : { value: valueOf(to, field), id }
    if (old !== undefined && next !== undefined && compareKeys(old, next, comparators.get(field)) === 0) continue
    if (old !== undefined) index.delete(old)
    if (next !== undefined) index.set(next, undefined)
  }
}
