/**
 * The records that a command looks at where it lists some by values of their fields: in the order of their ids, from an
 * index if one of the fields has one. Pure, and pulled one by one, so that whoever pulls bounds how many are looked at.
 */
import type { EncodedRecord } from "../Model/Descriptor.ts"
import type { KnownModel } from "./decideOperation.ts"
import * as FieldIndex from "./FieldIndex.ts"
import * as IdRange from "./IdRange.ts"
import { compareKeys, type OrderValue } from "./Order.ts"
import type { Row } from "./Tables.ts"

/** Fields that equal these values, and only ids after this one. */
export interface Wanted {
  readonly where: EncodedRecord
  readonly afterId?: string
}

/** Every record that may be wanted. */
export function* candidates({ descriptor, table }: KnownModel, { afterId, where }: Wanted): Generator<Row> {
  const id = where[descriptor.idField]
  const fields = Object.keys(where)
  // At most one record has a unique value.
  const indexed =
    fields.find((field) => descriptor.uniqueFields.includes(field)) ?? fields.find((field) => table.indexes.has(field))
  const index = indexed === undefined ? undefined : table.indexes.get(indexed)
  if (typeof id === "string") {
    const row = afterId === undefined || id > afterId ? table.rows.get(id) : undefined
    if (row !== undefined) yield row
  } else if (indexed !== undefined && index !== undefined) {
    const value = FieldIndex.valueOf(table, where, indexed)
    const range = { from: { value, id: afterId ?? "" }, to: FieldIndex.behind(value) }
    for (const key of FieldIndex.walk(index, range)) {
      const row = table.rows.get(key.id)
      if (row !== undefined && key.id !== afterId) yield row
    }
  } else {
    const all: IdRange.IdRange = { low: undefined, high: undefined }
    const range = afterId === undefined ? all : IdRange.after(all, "asc", afterId)
    for (const [, row] of IdRange.walk(table.rows, range, "asc")) yield row
  }
}

/** By field, what a wanted record's value is compared with. */
export const keysOf = ({ table }: KnownModel, { where }: Wanted): ReadonlyMap<string, OrderValue> =>
  new Map(Object.keys(where).map((field) => [field, FieldIndex.valueOf(table, where, field)]))

/** Whether a record is wanted: its values are compared as lists and indexes compare them. */
export const isWanted = ({ table }: KnownModel, keys: ReadonlyMap<string, OrderValue>, { data }: Row): boolean => {
  for (const [field, key] of keys) {
    if (compareKeys(FieldIndex.valueOf(table, data, field), key) !== 0) return false
  }
  return true
}
