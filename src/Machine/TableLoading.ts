/**
 * Builds a table of rows that come in the order of their ids, as a snapshot has them. Pure. Pages become blocks of the
 * table as they are, its tree is built at once, from the end, and the values are collected that IndexBuilding.ts builds
 * the indexes of.
 */
import { Result } from "effect"
import * as FieldIndex from "./FieldIndex.ts"
import * as IndexBuilding from "./IndexBuilding.ts"
import { keyOf, type OrderValue } from "./OrderKey.ts"
import * as RowBlock from "./RowBlock.ts"
import * as RowMap from "./RowMap.ts"
import type { ReadPage } from "./RowPage.ts"
import * as Rows from "./Rows.ts"
import type { Row, Table } from "./Table.ts"

/** The rows so far, and by indexed field the value of each. */
export interface TableLoading {
  readonly ids: Array<string>
  readonly blocks: Array<RowBlock.RowBlock>
  /** The rows that came one by one since the last block. */
  alone: Array<Row>
  readonly values: ReadonlyMap<string, Array<OrderValue>>
}

/** Begins without a row. */
export const make = ({ indexes }: Pick<Table, "indexes">): TableLoading => ({
  ids: [],
  blocks: [],
  alone: [],
  values: new Map(Array.from(indexes.keys(), (field) => [field, []]))
})

const outOfOrder = Result.fail("its rows are not in the order of their ids")

/** Takes the next row. It fails if the row does not come after the one before. */
export const take = (loading: TableLoading, table: Table, id: string, row: Row): Result.Result<void, string> => {
  if (!follows(loading, [id])) return outOfOrder
  loading.ids.push(id)
  loading.alone.push(row)
  Rows.count(table, row, 1)
  if (row.index > table.changedIndex) table.changedIndex = row.index
  indexRow(loading, table, row)
  return Result.void
}

/** Takes the rows of a page. It fails if they do not come after each other, and after the one before. */
export const takePage = (loading: TableLoading, table: Table, page: ReadPage): Result.Result<void, string> => {
  const { block, columns } = page
  if (!follows(loading, block.ids)) return outOfOrder
  endAlone(loading)
  for (const id of block.ids) loading.ids.push(id)
  countRows(table, block)
  if (isShownAsStored(table, page)) {
    loading.blocks.push(block)
    for (const [field, taken] of loading.values) {
      const order = table.orders.get(field)
      const column = columns.get(field) ?? new Array<undefined>(block.ids.length)
      for (const value of column) taken.push(keyOf(order, value))
    }
    return Result.void
  }
  // Two readings of such a record must be equal (Model/StoredRecord.ts), so the record stays the same object.
  const listed = RowBlock.partOf(block, 0, block.ids.length)
  for (const part of RowMap.cut(listed)) loading.blocks.push(part)
  for (let at = 0; at < listed.ids.length; at++) indexRow(loading, table, RowBlock.rowAt(listed, at))
  return Result.void
}

/** Whether ids come after each other, and after the last one. */
const follows = ({ ids }: TableLoading, next: ReadonlyArray<string>): boolean => {
  let last = ids[ids.length - 1]
  for (const id of next) {
    if (last !== undefined && id <= last) return false
    last = id
  }
  return true
}

const countRows = (table: Table, block: RowBlock.RowBlock): void => {
  const { ids, modelVersions } = block
  if (typeof modelVersions === "number") Rows.count(table, { modelVersion: modelVersions }, ids.length)
  else for (const modelVersion of modelVersions) Rows.count(table, { modelVersion }, 1)
  let last = 0
  for (let at = 0; at < ids.length; at++) last = Math.max(last, RowBlock.indexAt(block, at))
  table.changedIndex = Math.max(table.changedIndex, last)
}

const indexRow = ({ values }: TableLoading, table: Table, row: Row): void => {
  if (values.size === 0) return
  const indexed = FieldIndex.indexedOf(table, row)
  for (const [field, taken] of values) taken.push(FieldIndex.valueOf(table, indexed, field))
}

/**
 * Whether this release shows all records of a page as they are stored. Of each shape it looks at the first: records with
 * the same fields, of one version, are read alike (Model/Structure.ts), unless a value is an object or an array.
 */
const isShownAsStored = (table: Table, { block, columns }: ReadPage): boolean => {
  const { modelVersions, records } = block
  if (typeof modelVersions !== "number" || !("shapes" in records)) return false
  const isShown = (at: number) => {
    const row = RowBlock.rowAt(block, at)
    return FieldIndex.indexedOf(table, row) === row.data
  }
  const isNested = Array.from(columns.values()).some((column) => column.some(isObject))
  if (isNested) return block.ids.every((_, at) => isShown(at))
  const { shapeOf, shapes } = records
  return shapes.every((_, shape) => isShown(shapeOf?.indexOf(shape) ?? 0))
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null

/** Makes blocks of the rows that came one by one. */
const endAlone = (loading: TableLoading): void => {
  const { alone, blocks, ids } = loading
  if (alone.length === 0) return
  for (const part of RowMap.cut(RowBlock.ofRows(ids.slice(-alone.length), alone))) blocks.push(part)
  loading.alone = []
}

/** The table with all rows that were taken. Its indexes are due (IndexBuilding.ts). */
export const end = (loading: TableLoading, table: Table): Table => {
  endAlone(loading)
  const { blocks, ids, values } = loading
  return {
    ...table,
    rows: RowMap.ofBlocks(blocks),
    due: IndexBuilding.dueOf(ids, values, table.changedIndex)
  }
}
