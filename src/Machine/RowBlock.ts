/**
 * Some rows of a table, side by side in the order of their ids. Pure, and never changed: a change makes another block.
 * A row that stands alone takes an object for itself and one for its record. Here the numbers of all rows lie together, as
 * one number where all are equal, and so does what a snapshot's page holds by columns: a row is made when it is read.
 */
import type { Schema } from "effect"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { Row } from "./Row.ts"

type Json = Schema.Json

/** A number for each row, or the one that all rows have. */
export type Numbers = number | ReadonlyArray<number>

/** The numbers of rows. */
export interface RowNumbers {
  readonly versions: Numbers
  readonly modelVersions: Numbers
  readonly createdIndexes: Numbers
  /** How far the index of each row's last change is above that of its creation. */
  readonly changedAfter: Numbers
}

/** Rows in ascending order of their ids. */
export interface RowBlock extends RowNumbers {
  readonly ids: ReadonlyArray<string>
  readonly records: ReadonlyArray<EncodedRecord> | RecordColumns
}

/** A block whose records are there as they are. Only such a block has changed forms. */
export interface ListedBlock extends RowBlock {
  readonly records: ReadonlyArray<EncodedRecord>
}

/** Records by columns: each reading makes another object, which is equal to the one before. */
export interface RecordColumns {
  readonly shapes: ReadonlyArray<Shape>
  /** If there are several shapes: that of each record. */
  readonly shapeOf: ReadonlyArray<number> | undefined
}

/** Records with the same fields, in the same order: a value for each record of the block, by field. */
export interface Shape {
  readonly make: (columns: ReadonlyArray<ReadonlyArray<Json>>, at: number) => EncodedRecord
  readonly columns: ReadonlyArray<ReadonlyArray<Json>>
}

/** A block without a row. */
export const empty: ListedBlock = {
  ids: [],
  versions: 0,
  modelVersions: 0,
  createdIndexes: 0,
  changedAfter: 0,
  records: []
}

/** Whether the records are there as they are. */
export const isListed = (block: RowBlock): block is ListedBlock => Array.isArray(block.records)

/** The number of a row. */
export const numberAt = (numbers: Numbers, at: number): number => (typeof numbers === "number" ? numbers : numbers[at]!)

/** Numbers of rows: one if all are equal. */
export const folded = (numbers: ReadonlyArray<number>): Numbers => {
  const first = numbers[0] ?? 0
  return numbers.every((number) => number === first) ? first : numbers
}

/** The index of the last change of the row at a position. */
export const indexAt = ({ changedAfter, createdIndexes }: RowNumbers, at: number): number =>
  numberAt(createdIndexes, at) + numberAt(changedAfter, at)

/** The row at a position. */
export const rowAt = (block: RowBlock, at: number): Row => {
  const createdIndex = numberAt(block.createdIndexes, at)
  return {
    version: numberAt(block.versions, at),
    createdIndex,
    index: indexAt(block, at),
    modelVersion: numberAt(block.modelVersions, at),
    data: recordAt(block, at)
  }
}

const recordAt = ({ records }: RowBlock, at: number): EncodedRecord => {
  if (!("shapes" in records)) return records[at]!
  const { columns, make } = records.shapes[records.shapeOf?.[at] ?? 0]!
  return make(columns, at)
}

/** Rows as a block. They are in the order of their ids. */
export const ofRows = (ids: ReadonlyArray<string>, rows: ReadonlyArray<Row>): ListedBlock => ({
  ids,
  versions: folded(rows.map(({ version }) => version)),
  modelVersions: folded(rows.map(({ modelVersion }) => modelVersion)),
  createdIndexes: folded(rows.map(({ createdIndex }) => createdIndex)),
  changedAfter: folded(rows.map(({ createdIndex, index }) => index - createdIndex)),
  records: rows.map(({ data }) => data)
})

/** The rows from one position to before another, with their records as they are. */
export const partOf = (block: RowBlock, begin: number, end: number): ListedBlock => {
  const part = (numbers: Numbers) => (typeof numbers === "number" ? numbers : folded(numbers.slice(begin, end)))
  const ids = block.ids.slice(begin, end)
  return {
    ids,
    ...eachOf(block, part),
    records: isListed(block) ? block.records.slice(begin, end) : ids.map((_, at) => recordAt(block, begin + at))
  }
}

/** The rows of two blocks. All ids of the second come after those of the first. */
export const joined = (first: ListedBlock, second: ListedBlock): ListedBlock => {
  const both = (name: keyof RowNumbers): Numbers => {
    if (typeof first[name] === "number" && first[name] === second[name]) return first[name]
    return folded([...listOf(first[name], first.ids.length), ...listOf(second[name], second.ids.length)])
  }
  return {
    ids: [...first.ids, ...second.ids],
    versions: both("versions"),
    modelVersions: both("modelVersions"),
    createdIndexes: both("createdIndexes"),
    changedAfter: both("changedAfter"),
    records: [...first.records, ...second.records]
  }
}

/** The block with another row in place of the one at a position. */
export const withReplaced = (block: ListedBlock, at: number, row: Row): ListedBlock =>
  withRow(block, at, 1, { ids: block.ids, row })

/** The block with a row more, at the position of its id. */
export const withInserted = (block: ListedBlock, at: number, id: string, row: Row): ListedBlock => {
  const ids = block.ids.slice()
  ids.splice(at, 0, id)
  return withRow(block, at, 0, { ids, row })
}

const withRow = (
  block: ListedBlock,
  at: number,
  replacedCount: 0 | 1,
  { ids, row }: { readonly ids: ReadonlyArray<string>; readonly row: Row }
): ListedBlock => {
  const { length } = block.ids
  const put = (numbers: Numbers, number: number): Numbers => {
    if (numbers === number || length === 0) return number
    const list = listOf(numbers, length)
    list.splice(at, replacedCount, number)
    return list
  }
  const records = block.records.slice()
  records.splice(at, replacedCount, row.data)
  return {
    ids,
    versions: put(block.versions, row.version),
    modelVersions: put(block.modelVersions, row.modelVersion),
    createdIndexes: put(block.createdIndexes, row.createdIndex),
    changedAfter: put(block.changedAfter, row.index - row.createdIndex),
    records
  }
}

/** The block without the row at a position. */
export const without = (block: ListedBlock, at: number): ListedBlock => {
  const cut = <A>(list: ReadonlyArray<A>): Array<A> => {
    const rest = list.slice()
    rest.splice(at, 1)
    return rest
  }
  return {
    ids: cut(block.ids),
    ...eachOf(block, (numbers) => (typeof numbers === "number" ? numbers : cut(numbers))),
    records: cut(block.records)
  }
}

/** A list of its own with a number for each of so many rows. */
const listOf = (numbers: Numbers, count: number): Array<number> =>
  typeof numbers === "number" ? new Array<number>(count).fill(numbers) : numbers.slice()

const eachOf = (block: RowNumbers, change: (numbers: Numbers) => Numbers): RowNumbers => ({
  versions: change(block.versions),
  modelVersions: change(block.modelVersions),
  createdIndexes: change(block.createdIndexes),
  changedAfter: change(block.changedAfter)
})
