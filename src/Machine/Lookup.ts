/**
 * The records that a command looks at when it lists by values of fields: in the order of their ids, from an index if
 * one of the fields has one. Pure, and pulled one by one, so that the caller can bound the number.
 */
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import * as FieldIndex from "./FieldIndex.ts"
import * as IdRange from "./IdRange.ts"
import { compareKeys, type OrderValue } from "./Order.ts"
import type { Row } from "./Table.ts"
import type { KnownModel } from "./Target.ts"

/** The values that the fields must have. Only ids after `afterId` count. */
export interface Wanted {
  readonly where: EncodedRecord
  readonly afterId?: string
}

/** Every record that may match. */
export function* candidates(
  { descriptor, table }: KnownModel,
  { afterId, where }: Wanted
): Generator<readonly [string, Row]> {
  const id = where[descriptor.idField]
  const fields = Object.keys(where)
  // At most one record has a unique value.
  const indexed =
    fields.find((field) => descriptor.uniqueFields.includes(field)) ?? fields.find((field) => table.indexes.has(field))
  const index = indexed === undefined ? undefined : table.indexes.get(indexed)
  if (typeof id === "string") {
    const row = afterId === undefined || id > afterId ? table.rows.get(id) : undefined
    if (row !== undefined) yield [id, row]
  } else if (indexed !== undefined && index !== undefined) {
    const value = FieldIndex.valueOf(table, where, indexed)
    for (const found of FieldIndex.idsOf(index, value, "asc", afterId)) {
      const row = table.rows.get(found)
      if (row !== undefined) yield [found, row]
    }
  } else {
    const all: IdRange.IdRange = { low: undefined, high: undefined }
    const range = afterId === undefined ? all : IdRange.after(all, "asc", afterId)
    yield* IdRange.walk(table.rows, range, "asc")
  }
}

/** By field, the key that a matching record's value has. */
export const keysOf = ({ table }: KnownModel, { where }: Wanted): ReadonlyMap<string, OrderValue> =>
  new Map(Object.keys(where).map((field) => [field, FieldIndex.valueOf(table, where, field)]))

/** Whether a record matches. Its values are compared as in lists and indexes. */
export const isWanted = (
  { table }: KnownModel,
  keys: ReadonlyMap<string, OrderValue>,
  record: EncodedRecord
): boolean => {
  for (const [field, key] of keys) {
    if (compareKeys(FieldIndex.valueOf(table, record, field), key) !== 0) return false
  }
  return true
}
