/**
 * The rows of a table, with what follows from them: its indexes, and the number of rows of each version. The local parts
 * of a node's own log are in tables without rows, and are counted in the same way. Pure.
 */
import * as FieldIndex from "./FieldIndex.ts"
import { type LocalPart, storedPart } from "./LocalPart.ts"
import type { Row, Table } from "./Table.ts"

/** Sets the row of a record in place of the former one, which the caller has looked up. */
export const put = (table: Table, id: string, row: Row, before: Row | undefined): void => {
  const held = heldId(table, id, row)
  if (before?.index === row.index) table.due?.lifted.add(id)
  table.rows.set(held, row)
  FieldIndex.move(table, held, { from: before, to: row })
  if (before?.modelVersion === row.modelVersion) return
  if (before !== undefined) count(table, before, -1)
  count(table, row, 1)
}

/** The id as its record holds it: an event has a text of its own, which nothing else keeps in memory. */
const heldId = ({ idField }: Table, id: string, { data }: Row): string => {
  const held = idField === undefined ? undefined : data[idField]
  return held === id ? held : id
}

/** Removes the row of a record. */
export const remove = (table: Table, id: string, row: Row): void => {
  table.rows.delete(id)
  FieldIndex.move(table, id, { from: row })
  count(table, row, -1)
}

/** Sets the local part of a record in place of its former one. */
export const putPart = (table: Table, id: string, part: LocalPart): void => {
  const before = table.localParts.get(id)
  table.localParts.set(id, part)
  if (before !== undefined) count(table, storedPart(before), -1)
  count(table, storedPart(part), 1)
}

/** Removes the local part of a record. */
export const removePart = (table: Table, id: string): void => {
  const part = table.localParts.get(id)
  if (part === undefined) return
  table.localParts.delete(id)
  count(table, storedPart(part), -1)
}

/** Counts rows of a version in or out. */
export const count = ({ countByVersion }: Table, { modelVersion }: Pick<Row, "modelVersion">, change: number): void => {
  const next = (countByVersion.get(modelVersion) ?? 0) + change
  if (next === 0) countByVersion.delete(modelVersion)
  else countByVersion.set(modelVersion, next)
}

/** By ascending version, how many records, or local parts, are stored in it. */
export const storedVersions = (table: Table | undefined): ReadonlyMap<number, number> =>
  new Map([...(table?.countByVersion ?? [])].sort(([left], [right]) => left - right))
