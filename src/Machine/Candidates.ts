/**
 * The rows that a list has to look at, in sets: each set holds all rows that meet the filters. Pure. Equality on the id
 * names its rows. A filter on an indexed field, or a range of ids, leaves out the rows outside it.
 */
import type { KeyedFilter } from "./Filter.ts"
import * as IdRange from "./IdRange.ts"
import * as IndexWalk from "./IndexWalk.ts"
import type { ListSource } from "./ListedRows.ts"
import type { Row, Table } from "./Table.ts"
import { operandsOf, rangesOf } from "./ValueRange.ts"

/** Rows with their ids, each once, for a single walk. */
export type Candidates = Iterable<readonly [string, Row]>

/** All sets that the filters give, and none if they leave out nothing. If the filters name rows, only that set. */
export const candidateSets = (source: ListSource, filters: ReadonlyArray<KeyedFilter>): ReadonlyArray<Candidates> => {
  const { idField, table } = source
  const named = rowsNamed(source, filters)
  if (named !== undefined) return [named]
  const sets: Array<Candidates> = []
  for (const [field, index] of table.indexes) {
    const ranges = rangesOf(onField(filters, field))
    if (ranges !== undefined) sets.push(rowsOf(table, IndexWalk.idsWithin(index, ranges)))
  }
  const range = IdRange.rangeOf(filters, idField)
  if (range.low !== undefined || range.high !== undefined) sets.push(IdRange.walk(table.rows, range, "asc"))
  return sets
}

/** Whether the filters name the ids of the rows, so that no others need a look. */
export const isNamed = ({ idField }: ListSource, filters: ReadonlyArray<KeyedFilter>): boolean =>
  onField(filters, idField).some((filter) => operandsOf(filter) !== undefined)

/** Every row. */
export const everyRow = ({ table }: ListSource): Candidates => table.rows.entries()

/** The filters of one field. */
export const onField = (filters: ReadonlyArray<KeyedFilter>, field: string): ReadonlyArray<KeyedFilter> =>
  filters.filter((filter) => filter.field === field)

/** The rows of these ids, one after another. */
export function* rowsOf(table: Table, ids: Iterable<string>): Generator<readonly [string, Row]> {
  for (const id of ids) {
    const row = table.rows.get(id)
    if (row !== undefined) yield [id, row]
  }
}

const rowsNamed = ({ idField, table }: ListSource, filters: ReadonlyArray<KeyedFilter>): Candidates | undefined => {
  for (const filter of onField(filters, idField)) {
    const operands = operandsOf(filter)
    if (operands === undefined) continue
    return rowsOf(table, new Set(operands.filter((operand) => typeof operand === "string")))
  }
  return undefined
}
