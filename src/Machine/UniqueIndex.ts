/** Who holds a value of a unique field. Pure. It accepts what the log says; `decide` alone refuses (DESIGN D2). */
import type { Schema } from "effect"
import type { EncodedRecord } from "../Model.ts"
import { canonical } from "./Json.ts"
import type { Table } from "./Tables.ts"

/** The value's text, or undefined where there is none: absent and null values are not unique. */
const prefixOf = (data: EncodedRecord, field: string): string | undefined =>
  prefixOfValue(Object.hasOwn(data, field) ? data[field] : undefined)

const prefixOfValue = (value: Schema.Json | undefined): string | undefined =>
  // JSON escapes control characters, so that a NUL ends the value and nothing within it does.
  value === undefined || value === null ? undefined : `${canonical(value)}\u0000`

/** The id of the first record, other than `exceptId`, that holds the value of `field` in `data`. */
export const holder = (table: Table, field: string, data: EncodedRecord, exceptId: string): string | undefined => {
  const prefix = prefixOf(data, field)
  const index = table.uniques.get(field)
  if (prefix === undefined || index === undefined) return undefined
  for (const [key, id] of index.entries(prefix)) {
    if (!key.startsWith(prefix)) return undefined
    if (id !== exceptId) return id
  }
  return undefined
}

/** The ids of all records that hold a value: at most one, unless the log says otherwise. */
export const holders = (table: Table, field: string, value: Schema.Json): ReadonlyArray<string> => {
  const prefix = prefixOfValue(value)
  const index = table.uniques.get(field)
  const ids: Array<string> = []
  if (prefix === undefined || index === undefined) return ids
  for (const [key, id] of index.entries(prefix)) {
    if (!key.startsWith(prefix)) break
    ids.push(id)
  }
  return ids
}

/** Notes the values of a record that begins. */
export const insert = (table: Table, id: string, data: EncodedRecord): void => {
  for (const [field, index] of table.uniques) {
    const prefix = prefixOf(data, field)
    if (prefix !== undefined) index.set(prefix + id, id)
  }
}

/** Forgets the values of a record that ends. */
export const remove = (table: Table, id: string, data: EncodedRecord): void => {
  for (const [field, index] of table.uniques) {
    const prefix = prefixOf(data, field)
    if (prefix !== undefined) index.delete(prefix + id)
  }
}
