/**
 * One page of a table's records: filtered, in order, from where the page before ended. Pure, and the table stays as it is.
 * Equality on the id or a unique field looks up, a range of ids and the order by id walk the tree from the cursor; any
 * other list looks at each row of the table once, keeping no more than two pages. HTTP contract, "Lists".
 */
import { invariant } from "../Invariant.ts"
import type { EncodedRecord } from "../Model.ts"
import * as FieldIndex from "./FieldIndex.ts"
import { type Filter, isMet, type Operand } from "./Filter.ts"
import * as IdRange from "./IdRange.ts"
import { join, type LocalPart } from "./LocalParts.ts"
import type { OrderBy, OrderValue } from "./Order.ts"
import * as Order from "./Order.ts"
import type { OrderedMap } from "./OrderedMap.ts"
import type { Row, Table } from "./Tables.ts"

/** The list asked for. */
export interface ListRequest {
  /** Joined by AND; none lets every record through. */
  readonly filters: ReadonlyArray<Filter>
  /** It must name the id, by which ties break: without it the order is not total, and no cursor is exact. */
  readonly orderBy: readonly [OrderBy, ...Array<OrderBy>]
  readonly limit: number
  /** The order key of the last record of the page before; its record need not be there any more. */
  readonly after: ReadonlyArray<OrderValue> | undefined
  readonly countsTotal: boolean
}

/** What is listed. */
export interface ListSource {
  readonly table: Table
  readonly idField: string
  /** Of this node's own tables: where given, each record is filtered, ordered and shown with its local part. */
  readonly localParts?: OrderedMap<string, LocalPart>
  readonly comparators?: Order.Comparators
}

/** One record of a page. `part` is the local part that belongs to it, `record` both together. */
export interface ListedRow {
  readonly id: string
  readonly row: Row
  readonly part: LocalPart | undefined
  readonly record: EncodedRecord
}

/** A page. */
export interface ListPage {
  readonly rows: ReadonlyArray<ListedRow>
  /** Where the next page starts, exclusively; undefined where no record follows. */
  readonly lastKey: ReadonlyArray<OrderValue> | undefined
  /** The number of records that meet the filters, on whatever page; undefined where it was not asked for. */
  readonly total: number | undefined
}

/** Every row that may meet the filters, in any order. */
type Candidates = Iterable<readonly [string, Row]>

interface Found {
  readonly listed: ListedRow
  readonly key: ReadonlyArray<OrderValue>
}

const noComparators: Order.Comparators = new Map()

/** Answers a list. */
export const list = (source: ListSource, request: ListRequest): ListPage => {
  const { after, limit, orderBy } = request
  invariant(limit >= 1, "a page holds at least one record")
  invariant(
    orderBy.some(({ field }) => field === source.idField),
    "an order without the id is not total"
  )
  invariant(after === undefined || after.length === orderBy.length, "a cursor of another order")
  const { filters } = request
  const named = lookUp(source, filters)
  const candidates = () => named ?? IdRange.walk(source.table.rows, IdRange.rangeOf(filters, source.idField), "asc")
  const walks = named === undefined && orderBy[0].field === source.idField
  const found = walks ? inIdOrder(source, request) : inAnyOrder(source, request, candidates())
  const page = found.slice(0, limit)
  return {
    rows: page.map(({ listed }) => listed),
    lastKey: found.length > limit ? page[limit - 1]?.key : undefined,
    total: request.countsTotal ? countOf(source, filters, candidates()) : undefined
  }
}

/** The page and at least one record more, if there is one: the tree is walked from the cursor until they are found. */
const inIdOrder = (source: ListSource, request: ListRequest): ReadonlyArray<Found> => {
  const { after, filters, limit, orderBy } = request
  const direction = orderBy[0].direction
  const range = IdRange.rangeOf(filters, source.idField)
  const afterId = after?.[0]
  const rest = typeof afterId === "string" ? IdRange.after(range, direction, afterId) : range
  const found: Array<Found> = []
  for (const listed of matching(source, filters, IdRange.walk(source.table.rows, rest, direction))) {
    found.push({ listed, key: keyOf(source, orderBy, listed) })
    if (found.length > limit) break
  }
  return found
}

/** The same by any order: the first of all that meet the filters, kept while every other is looked at. */
const inAnyOrder = (source: ListSource, request: ListRequest, candidates: Candidates): ReadonlyArray<Found> => {
  const { after, filters, limit, orderBy } = request
  const comparators = source.comparators ?? noComparators
  const compare = (left: ReadonlyArray<OrderValue>, right: ReadonlyArray<OrderValue>) =>
    Order.compareKeys(orderBy, comparators, left, right)
  const keptMax = limit + 1
  let kept: Array<Found> = []
  let bound: ReadonlyArray<OrderValue> | undefined
  const sift = () => {
    kept = kept.sort((left, right) => compare(left.key, right.key)).slice(0, keptMax)
    bound = kept.length === keptMax ? kept[limit]?.key : undefined
  }
  for (const listed of matching(source, filters, candidates)) {
    const key = keyOf(source, orderBy, listed)
    if (after !== undefined && compare(key, after) <= 0) continue
    if (bound !== undefined && compare(key, bound) >= 0) continue
    kept.push({ listed, key })
    if (kept.length >= 2 * keptMax) sift()
  }
  sift()
  return kept
}

const countOf = (source: ListSource, filters: ReadonlyArray<Filter>, candidates: Candidates): number => {
  if (filters.length === 0) return source.table.rows.size
  let count = 0
  for (const _ of matching(source, filters, candidates)) count++
  return count
}

/** The rows that a filter on the id or on a unique field names, or undefined where no filter names any. */
const lookUp = (
  { comparators, idField, table }: ListSource,
  filters: ReadonlyArray<Filter>
): ReadonlyArray<readonly [string, Row]> | undefined => {
  for (const filter of filters) {
    const operands = operandsOf(filter)
    if (operands === undefined) continue
    const { field } = filter
    // A field with an order of its own has an equality of its own, which the index does not know.
    const isUnique = table.indexes.has(field) && comparators?.has(field) !== true
    if (field !== idField && !isUnique) continue
    const ids =
      field === idField
        ? operands.filter((operand) => typeof operand === "string")
        : operands.flatMap((operand) => holdersOf(table, field, operand))
    return [...new Set(ids)].flatMap((id) => {
      const row = table.rows.get(id)
      return row === undefined ? [] : [[id, row] as const]
    })
  }
  return undefined
}

const operandsOf = (filter: Filter): ReadonlyArray<Operand> | undefined => {
  if (filter._tag === "In") return filter.operands
  return filter._tag === "Compare" && filter.op === "eq" ? [filter.operand] : undefined
}

/** Those that meet all filters, with their local parts. */
function* matching(source: ListSource, filters: ReadonlyArray<Filter>, candidates: Candidates): Generator<ListedRow> {
  const { comparators, localParts } = source
  for (const [id, row] of candidates) {
    const held = localParts?.get(id)
    const part = held?.createdIndex === row.createdIndex ? held : undefined
    const listed: ListedRow = { id, row, part, record: join(row, part) }
    const meetsAll = filters.every((filter) =>
      isMet(filter, valueOf(source, listed, filter.field), comparators?.get(filter.field))
    )
    if (meetsAll) yield listed
  }
}

const keyOf = (source: ListSource, orderBy: ReadonlyArray<OrderBy>, listed: ListedRow): ReadonlyArray<OrderValue> =>
  orderBy.map(({ field }) => Order.orderValue(valueOf(source, listed, field)))

/** Own members alone: a field may be called `constructor`. */
const valueOf = (source: ListSource, { id, record }: ListedRow, field: string) =>
  field === source.idField ? id : Object.hasOwn(record, field) ? record[field] : undefined

const holdersOf = ({ comparators, indexes }: Table, field: string, value: Operand): ReadonlyArray<string> => {
  const index = indexes.get(field)
  if (index === undefined) return []
  return Array.from(FieldIndex.walk(index, FieldIndex.rangeOfValue(value), comparators.get(field)), ({ id }) => id)
}
