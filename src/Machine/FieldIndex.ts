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
import * as IdSet from "./IdSet.ts"
import { compareKeys } from "./Order.ts"
import * as OrderedMap from "./OrderedMap.ts"
import { keyOf, type OrderValue } from "./OrderKey.ts"

/** By value, null for an absent one, the records that hold it. All records of a table are in it, each once. */
export type FieldIndex = OrderedMap.OrderedMap<OrderValue, IdSet.IdSet>

/** Indexes that are not built yet: the ids of a snapshot's rows in their order, with their values. */
export interface IndexesDue {
  readonly ids: ReadonlyArray<string>
  /** By field, the value of each row. */
  readonly values: ReadonlyMap<string, ReadonlyArray<OrderValue>>
  /** No row of the snapshot changed after this entry, and every row that changes since has a later one. */
  readonly changedIndex: number
  /** The ids of rows that were stored anew since, without a change. */
  readonly lifted: Set<string>
  /** Whether the table has other rows since. */
  isChanged: boolean
}

/** The part of a table that its indexes need. */
export interface Indexed {
  readonly indexes: ReadonlyMap<string, FieldIndex>
  readonly due: IndexesDue | undefined
  readonly orders: ReadonlyMap<string, FieldOrder>
  readonly read: Descriptor["read"]
}

/** An empty index. */
export const make = (): FieldIndex => OrderedMap.makeBy(compareKeys)

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
  for (const id of idsOf(index, value, "asc")) {
    if (id !== exceptId) return id
  }
  return undefined
}

/** The ids of one value's records, in order, after an id or from the first. */
export const idsOf = (
  index: FieldIndex,
  value: OrderValue,
  direction: "asc" | "desc",
  afterId?: string
): Iterable<string> => {
  const ids = index.get(value)
  return ids === undefined ? [] : IdSet.walk(ids, direction, afterId)
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
  if (table.due !== undefined) {
    table.due.isChanged = true
    return
  }
  const before = from === undefined ? undefined : indexedOf(table, from)
  const after = to === undefined ? undefined : indexedOf(table, to)
  for (const [field, index] of table.indexes) {
    const old = before === undefined ? undefined : valueOf(table, before, field)
    const next = after === undefined ? undefined : valueOf(table, after, field)
    if (old !== undefined && next !== undefined && compareKeys(old, next) === 0) continue
    if (old !== undefined) {
      const left = IdSet.remove(index.get(old), id)
      if (left === undefined) index.delete(old)
      else index.set(old, left)
    }
    if (next !== undefined) index.set(next, IdSet.add(index.get(next), id))
  }
}

/** The values by which a row is indexed: none if this release cannot read it. */
export const indexedOf = ({ read }: Indexed, row: StoredRecord): EncodedRecord =>
  Result.match(read.record(row), { onSuccess: ({ shown }) => shown, onFailure: () => ({}) })
