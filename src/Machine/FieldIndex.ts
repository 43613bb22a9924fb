/**
 * Which records hold which value of a field, in the order in which lists compare values. Pure; kept by `evolve`, which
 * accepts what the log says: whether a value must be unique, or name a record, is for `decide` alone (D2).
 * An index is no part of the state: it is built anew with the rows, and the hash does not know it.
 */
import type { Schema } from "effect"
import type { EncodedRecord } from "../Model/Descriptor.ts"
import { compareKeys } from "./Order.ts"
import * as OrderedMap from "./OrderedMap.ts"
import { keyOf, type OrderValue } from "./OrderKey.ts"
import type { Table } from "./Tables.ts"

/**
 * The key of a value, absent ones being null, and the record that holds it. It is compared by the very function that
 * filters and orders compare with, so that a range of keys is a range of values. A key without an id is no record's: it
 * stands behind every record of its value, as the end of a range.
 */
export interface IndexKey {
  readonly value: OrderValue
  readonly id: string | undefined
}

/** All records of a table, those without a value included, by one field. */
export type FieldIndex = OrderedMap.OrderedMap<IndexKey, undefined>

/** The keys from `from` on, before `to`. */
export interface IndexRange {
  readonly from: IndexKey | undefined
  readonly to: IndexKey | undefined
}

/** An empty index. */
export const make = (): FieldIndex => OrderedMap.makeBy(compareIndexKeys)

/** Where a range begins, or ends, that has no record of this value. */
export const before = (value: OrderValue): IndexKey => ({ value, id: "" })

/** Where a range ends, or begins, that has every record of this value. */
export const behind = (value: OrderValue): IndexKey => ({ value, id: undefined })

/** Every record of one value. */
export const rangeOfValue = (value: OrderValue): IndexRange => ({ from: before(value), to: behind(value) })

/** By value, then by id; no id is above every id. */
export const compareIndexKeys = (left: IndexKey, right: IndexKey): number => {
  const byValue = compareKeys(left.value, right.value)
  if (byValue !== 0) return byValue
  if (left.id === undefined || right.id === undefined) return left.id === right.id ? 0 : left.id === undefined ? 1 : -1
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0
}

/** A record's value of a field. Own members alone: a field may be called `constructor`. */
export const heldBy = (data: EncodedRecord, field: string): Schema.Json =>
  Object.hasOwn(data, field) ? (data[field] ?? null) : null

/** What a record's field is indexed by. */
export const valueOf = ({ orders }: Pick<Table, "orders">, data: EncodedRecord, field: string): OrderValue =>
  keyOf(orders.get(field), heldBy(data, field))

/** The id of the first record, other than `exceptId`, that holds a value. Null is held by nobody. */
export const holder = (table: Table, field: string, value: OrderValue, exceptId?: string): string | undefined => {
  const index = table.indexes.get(field)
  if (index === undefined || value === null) return undefined
  for (const { id } of walk(index, rangeOfValue(value))) {
    if (id !== exceptId) return id
  }
  return undefined
}

/** The keys of a range in order. It looks at one key more than it gives. */
export function* walk(index: FieldIndex, { from, to }: IndexRange): Generator<IndexKey & { readonly id: string }> {
  for (const [key] of index.entries(from)) {
    if (to !== undefined && compareIndexKeys(key, to) >= 0) return
    // Only the ends of ranges have no id, and no such key is ever put into an index.
    yield key as IndexKey & { readonly id: string }
  }
}

/** Notes what a record holds, in place of what it held; one that begins held nothing, one that ends holds nothing. */
export const move = (
  table: Table,
  id: string,
  { from, to }: { readonly from?: EncodedRecord | undefined; readonly to?: EncodedRecord | undefined }
): void => {
  for (const [field, index] of table.indexes) {
    const old = from === undefined ? undefined : { value: valueOf(table, from, field), id }
    const next = to === undefined ? undefined : { value: valueOf(table, to, field), id }
    if (old !== undefined && next !== undefined && compareIndexKeys(old, next) === 0) continue
    if (old !== undefined) index.delete(old)
    if (next !== undefined) index.set(next, undefined)
  }
}
