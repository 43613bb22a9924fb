/** Who holds a value of a unique field. Pure. It accepts what the log says; `decide` alone refuses (DESIGN D2). */
import type { EncodedRecord } from "../Model.ts"
import { canonical } from "./Json.ts"
import type { Table } from "./Tables.ts"

/** The value's text, or undefined where there is none: absent and null values are not unique. */
const prefixOf = (data: EncodedRecord, field: string): string | undefined => {
  const value = Object.hasOwn(data, field) ? data[field] : undefined
  // JSON escapes control characters, so that a NUL ends the value and nothing within it does.
  return value === undefined || value === null ? undefined : `${canonical(value)}\u0000`
}

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
