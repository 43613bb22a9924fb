/**
 * The index of a field: which records hold which value, in the order of lists. Pure. `evolve` maintains it, and accepts
 * every entry of the log: `decide` checks that a value is unique or names a record (D2). An index is not part of the
 * state: it is rebuilt with the rows, and the hash does not cover it.
 */
import { Result, type Schema } from "effect"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { FieldOrder } from "../Model/FieldOrder.ts"
import type { StoredRecord } from "../Model/StoredRecord.ts"
import { compareKeys } from "./Order.ts"
import * as OrderedMap from "./OrderedMap.ts"
import { keyOf, type OrderValue } from "./OrderKey.ts"

/**
 * A record's key: its value, with null for an absent one, and its id. Filters and orders use the same comparison, so a
 * range of keys is a range of values. A key without an id marks the end of a range, after every record of its value.
 */
export interface IndexKey {
  readonly value: OrderValue
  readonly id: string | undefined
}

/** All records of a table by one field, those without a value included. */
export type FieldIndex = OrderedMap.OrderedMap<IndexKey, undefined>

/** The part of a table that its indexes need. */
export interface Indexed {
  readonly indexes: ReadonlyMap<string, FieldIndex>
  readonly orders: ReadonlyMap<string, FieldOrder>
  readonly read: Descriptor["read"]
}

/** The keys from `from` on, before `to`. */
export interface IndexRange {
  readonly from: IndexKey | undefined
  readonly to: IndexKey | undefined
}

/** An empty index. */
export const make = (): FieldIndex => OrderedMap.makeBy(compareIndexKeys)

/** The end of a range before all records of this value. */
export const before = (value: OrderValue): IndexKey => ({ value, id: "" })

/** The end of a range after all records of this value. */
export const behind = (value: OrderValue): IndexKey => ({ value, id: undefined })

/** The range of one value's records. */
export const rangeOfValue = (value: OrderValue): IndexRange => ({ from: before(value), to: behind(value) })

/** Compares by value, then by id. No id is above every id. */
export const compareIndexKeys = (left: IndexKey, right: IndexKey): number => {
  const byValue = compareKeys(left.value, right.value)
  if (byValue !== 0) return byValue
  if (left.id === undefined || right.id === undefined) return left.id === right.id ? 0 : left.id === undefined ? 1 : -1
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0
}

/** A record's value of a field. It reads own members only, since a field may be called `constructor`. */
export const heldBy = (data: EncodedRecord, field: string): Schema.Json =>
  Object.hasOwn(data, field) ? (data[field] ?? null) : null

/** The value by which a record's field is indexed. */
export const valueOf = ({ orders }: Pick<Indexed, "orders">, data: EncodedRecord, field: string): OrderValue =>
  keyOf(orders.get(field), heldBy(data, field))

/** The id of the first record, other than `exceptId`, that holds a value. No record holds null. */
export const holder = (table: Indexed, field: string, value: OrderValue, exceptId?: string): string | undefined => {
  const index = table.indexes.get(field)
  if (index === undefined || value === null) return undefined
  for (const { id } of walk(index, rangeOfValue(value))) {
    if (id !== exceptId) return id
  }
  return undefined
}

/** The keys of a range in order. It looks at one key more than it returns. */
export function* walk(index: FieldIndex, { from, to }: IndexRange): Generator<IndexKey & { readonly id: string }> {
  for (const [key] of index.entries(from)) {
    if (to !== undefined && compareIndexKeys(key, to) >= 0) return
    // Only ends of ranges have no id, and they are never put into an index.
    yield key as IndexKey & { readonly id: string }
  }
}

/**
 * Notes a record's new value in place of its former one. A new record has no former value, and a deleted one no new
 * value.
 */
export const move = (
  table: Indexed,
  id: string,
  { from, to }: { readonly from?: StoredRecord | undefined; readonly to?: StoredRecord | undefined }
): void => {
  if (table.indexes.size === 0) return
  const before = from === undefined ? undefined : indexedOf(table, from)
  const after = to === undefined ? undefined : indexedOf(table, to)
  for (const [field, index] of table.indexes) {
    const old = before === undefined ? undefined : { value: valueOf(table, before, field), id }
    const next = after === undefined ? undefined : { value: valueOf(table, after, field), id }
    if (old !== undefined && next !== undefined && compareIndexKeys(old, next) === 0) continue
    if (old !== undefined) index.delete(old)
    if (next !== undefined) index.set(next, undefined)
  }
}

/** The values by which a row is indexed: none if this release cannot read it. */
export const indexedOf = ({ read }: Indexed, row: StoredRecord): EncodedRecord =>
  Result.match(read.record(row), { onSuccess: ({ shown }) => shown, onFailure: () => ({}) })
