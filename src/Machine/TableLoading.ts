/**
 * Builds a table of rows that come in the order of their ids, as a snapshot has them. Pure. It builds the tree at once,
 * from the end, which takes a tenth of the time that putting each row into it would, and collects the values that
 * IndexBuilding.ts builds the indexes of.
 */
import { Result } from "effect"
import * as FieldIndex from "./FieldIndex.ts"
import * as OrderedMap from "./OrderedMap.ts"
import { keyOf, type OrderValue } from "./OrderKey.ts"
import type { ReadPage } from "./RowPage.ts"
import * as Rows from "./Rows.ts"
import type { Row, Table } from "./Table.ts"

/** The rows so far, and by indexed field the value of each. */
export interface TableLoading {
  readonly ids: Array<string>
  readonly rows: Array<Row>
  readonly values: ReadonlyMap<string, Array<OrderValue>>
}

/** Begins without a row. */
export const make = ({ indexes }: Pick<Table, "indexes">): TableLoading => ({
  ids: [],
  rows: [],
  values: new Map(Array.from(indexes.keys(), (field) => [field, []]))
})

const outOfOrder = Result.fail("its rows are not in the order of their ids")

/** Takes the next row. It fails if the row does not come after the one before. */
export const take = (loading: TableLoading, table: Table, id: string, row: Row): Result.Result<void, string> => {
  if (!enter(loading, table, id, row)) return outOfOrder
  indexRow(loading, table, row)
  return Result.void
}

/** Takes the rows of a page. It fails if they do not come after each other, and after the one before. */
export const takePage = (loading: TableLoading, table: Table, page: ReadPage): Result.Result<void, string> => {
  const { ids, rows } = page
  for (let at = 0; at < ids.length; at++) if (!enter(loading, table, ids[at]!, rows[at]!)) return outOfOrder
  if (loading.values.size === 0) return Result.void
  const columns = isShownAsStored(table, page) ? page.columns : undefined
  if (columns === undefined) {
    for (const row of rows) indexRow(loading, table, row)
    return Result.void
  }
  for (const [field, taken] of loading.values) {
    const order = table.orders.get(field)
    const column = columns.get(field)
    for (let at = 0; at < rows.length; at++) taken.push(keyOf(order, column?.[at]))
  }
  return Result.void
}

const enter = ({ ids, rows }: TableLoading, table: Table, id: string, row: Row): boolean => {
  const last = ids[ids.length - 1]
  if (last !== undefined && id <= last) return false
  ids.push(id)
  rows.push(row)
  Rows.count(table, row, 1)
  if (row.index > table.changedIndex) table.changedIndex = row.index
  return true
}

const indexRow = ({ values }: TableLoading, table: Table, row: Row): void => {
  if (values.size === 0) return
  const indexed = FieldIndex.indexedOf(table, row)
  for (const [field, taken] of values) taken.push(FieldIndex.valueOf(table, indexed, field))
}

/**
 * Whether this release shows all records of a page as they are stored. It looks at the first: records with the same
 * fields, of one version, are read alike as long as no value is an object or an array (Model/Structure.ts).
 */
const isShownAsStored = (table: Table, { columns, rows }: ReadPage): boolean => {
  const [first] = rows
  if (columns === undefined || first === undefined) return false
  if (rows.some(({ modelVersion }) => modelVersion !== first.modelVersion)) return false
  if (FieldIndex.indexedOf(table, first) !== first.data) return false
  for (const column of columns.values()) {
    if (column.some((value) => typeof value === "object" && value !== null)) return false
  }
  return true
}

/** The table with all rows that were taken. Its indexes are due (IndexBuilding.ts). */
export const end = ({ ids, rows, values }: TableLoading, table: Table): Table => ({
  ...table,
  rows: OrderedMap.ofSorted(ids, rows),
  due: values.size === 0 ? undefined : { ids, rows, values, isChanged: false }
})
