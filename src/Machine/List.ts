/**
 * One page of a table's records: filtered, in order, from the end of the page before. Pure; the table stays unchanged.
 * docs/http.md, "Lists".
 *
 * A page can be found in several ways: along the order until the page is full, or through each set of rows that the
 * filters allow, keeping at most two pages. The shortest way depends on the data, which is not counted. So all ways
 * take turns, one row each, until one finishes. The rows looked at are at most the fewest possible times the number of
 * ways.
 *
 * A reader who may read some records only gets the list with that as a restriction (Restriction.ts): its candidates are
 * those of all branches together.
 */
import { Result } from "effect"
import { invariant } from "../Invariant.ts"
import { type Candidates, candidateSets, everyRow, isNamed, onField, rowsOf } from "./Candidates.ts"
import * as FieldIndex from "./FieldIndex.ts"
import { type Filter, type KeyedFilter, keyedAll } from "./Filter.ts"
import * as IdRange from "./IdRange.ts"
import * as IndexWalk from "./IndexWalk.ts"
import {
  keyOf,
  type ListedRow,
  type ListSource,
  listed,
  meetsOne,
  type Unreadable,
  type UnreadableRow
} from "./ListedRows.ts"
import type { OrderBy, OrderValue } from "./Order.ts"
import * as Order from "./Order.ts"
import * as Restriction from "./Restriction.ts"
import { errorsOfAsked, without } from "./Seen.ts"
import { operandsOf, rangesOf } from "./ValueRange.ts"

export type { ListedRow, ListSource, UnreadableRow } from "./ListedRows.ts"

/** The requested list. */
export interface ListRequest {
  /** Joined by AND. Without filters every record matches. */
  readonly filters: ReadonlyArray<Filter>
  /** It must end ties by the id: without it the order is not total, and no cursor is exact. */
  readonly orderBy: readonly [OrderBy, ...Array<OrderBy>]
  readonly limit: number
  /** The order key of the last record of the page before. That record may be gone. */
  readonly after: ReadonlyArray<OrderValue> | undefined
  readonly countsTotal: boolean
}

/** A page. */
export interface ListPage {
  readonly rows: ReadonlyArray<ListedRow>
  /** For each row, its order key: the page that follows a page ending there starts after it. */
  readonly keys: ReadonlyArray<ReadonlyArray<OrderValue>>
  /** The key after which the next page starts; undefined if no record follows. */
  readonly lastKey: ReadonlyArray<OrderValue> | undefined
  /** The number of records that meet the filters, on all pages; undefined if it was not requested. */
  readonly total: number | undefined
}

interface Found {
  readonly row: ListedRow
  readonly key: ReadonlyArray<OrderValue>
}

/** A requested list, with the keys of its filters. */
type Keyed = Omit<ListRequest, "filters"> & {
  readonly filters: ReadonlyArray<KeyedFilter>
  /** Every record meets one of them; undefined without a restriction. */
  readonly branches: Restriction.Branches | undefined
}

/** The source, and what it could not read so far. */
type Source = ListSource & { readonly unreadable: Unreadable }

/** A computation of an answer that pauses at each row. */
type Way<A> = Generator<undefined, A>

/** Returns a page, unless it met a record that this release cannot read. */
export const list = (from: ListSource, asked: ListRequest): Result.Result<ListPage, UnreadableRow> => {
  const { after, countsTotal, limit, orderBy } = asked
  const unreadable: Unreadable = { first: undefined }
  const source: Source = { ...from, unreadable }
  const { orders } = source.table
  const { branches, filters } = Restriction.joined(source, keyedAll(orders, asked.filters))
  const request: Keyed = { ...asked, filters, branches }
  invariant(limit >= 1, "a page holds at least one record")
  invariant(
    orderBy.some(({ field }) => field === source.idField),
    "an order without the id is not total"
  )
  invariant(after === undefined || after.length === orderBy.length, "a cursor of another order")
  invariant(errorsOfAsked(source.unseen, asked).length === 0, "a list that names a field which its reader does not see")
  const sets = setsOf(source, request)
  const ordered = isNamed(source, filters) ? [] : inOrder(source, request)
  // A walk along the order passes every row as well.
  const through = sets.length === 0 && ordered.length === 0 ? [everyRow(source)] : sets
  const found = race([
    ...through.map((rows) => sifted(source, request, rows)),
    ...ordered.map((rows) => untilFull(source, request, rows))
  ])
  const total = countsTotal ? countOf(source, request) : undefined
  if (unreadable.first !== undefined) return Result.fail(unreadable.first)
  const page = found.slice(0, limit)
  return Result.succeed({
    rows: page.map(({ row }) => seen(source, row)),
    keys: page.map(({ key }) => key),
    lastKey: found.length > limit ? page[limit - 1]?.key : undefined,
    total
  })
}

/** The row without the fields that the reader does not see. */
const seen = ({ unseen = [] }: Source, row: ListedRow): ListedRow =>
  unseen.length === 0 ? row : { ...row, record: without(unseen, row.record) }

/** The sets of the filters, and that of all branches together. */
const setsOf = (source: Source, { branches, filters }: Keyed): ReadonlyArray<Candidates> => {
  const sets = candidateSets(source, filters)
  if (branches === undefined || isNamed(source, filters)) return sets
  const union = Restriction.rowsOfAll(source, branches)
  return union === undefined ? sets : [...sets, union]
}

const race = <A>(ways: ReadonlyArray<Way<A>>): A => {
  invariant(ways.length > 0, "a list without a way to it")
  for (;;) {
    for (const way of ways) {
      const step = way.next()
      if (step.done === true) return step.value
    }
  }
}

/** All rows that may be on the page, in its order: by id, by id within one value, or by an indexed field. */
const inOrder = (source: Source, { after, branches, filters, orderBy }: Keyed): ReadonlyArray<Candidates> => {
  const { idField, table } = source
  const [{ direction, field }, second, ...more] = orderBy
  if (field === idField) {
    const afterId = textOf(after?.[0])
    const range = IdRange.rangeOf(filters, idField)
    const rest = afterId === undefined ? range : IdRange.after(range, direction, afterId)
    const ofValues = Array.from(table.indexes).flatMap(([field, index]) => {
      const [value] = onField(filters, field).map(operandsOf).find(isOne) ?? []
      return value === undefined ? [] : [rowsOf(table, FieldIndex.idsOf(index, value, direction, afterId))]
    })
    const ofBranches =
      branches === undefined ? undefined : Restriction.inOrderOfIds(source, branches, direction, afterId)
    return [IdRange.walk(table.rows, rest, direction), ...ofValues, ...(ofBranches === undefined ? [] : [ofBranches])]
  }
  const index = table.indexes.get(field)
  if (index === undefined || second?.field !== idField || more.length > 0) return []
  const [value = null, id] = after ?? []
  const afterId = textOf(id)
  const last = afterId === undefined ? undefined : { value, id: afterId }
  const [range] = rangesOf(onField(filters, field).filter(isRange)) ?? []
  return [rowsOf(table, IndexWalk.idsInOrder(index, { values: direction, ids: second.direction }, last, range))]
}

const isOne = (operands: ReadonlyArray<unknown> | undefined): boolean => operands?.length === 1

/** Whether a filter allows one range of values, and not several. */
const isRange = (filter: KeyedFilter): boolean => operandsOf(filter) === undefined

const textOf = (value: OrderValue | undefined): string | undefined => (typeof value === "string" ? value : undefined)

/** The page, and one record more if there is one, from rows in the page's order. */
function* untilFull(source: Source, request: Keyed, candidates: Candidates): Way<ReadonlyArray<Found>> {
  const { branches, filters, limit, orderBy } = request
  const found: Array<Found> = []
  for (const candidate of candidates) {
    const row = listed(source, filters, candidate)
    if (row !== undefined && meetsOne(source, branches, row)) found.push({ row, key: keyOf(source, orderBy, row) })
    if (found.length > limit) break
    yield
  }
  return found
}

/** The same from rows in any order: it keeps the first records that meet the filters while it looks at all rows. */
function* sifted(source: Source, request: Keyed, candidates: Candidates): Way<ReadonlyArray<Found>> {
  const { after, branches, filters, limit, orderBy } = request
  const compare = (left: ReadonlyArray<OrderValue>, right: ReadonlyArray<OrderValue>) =>
    Order.compareSteps(orderBy, left, right)
  const keptMax = limit + 1
  let kept: Array<Found> = []
  let bound: ReadonlyArray<OrderValue> | undefined
  const sift = () => {
    kept = kept.sort((left, right) => compare(left.key, right.key)).slice(0, keptMax)
    bound = kept.length === keptMax ? kept[limit]?.key : undefined
  }
  for (const candidate of candidates) {
    yield
    const row = listed(source, filters, candidate)
    if (row === undefined || !meetsOne(source, branches, row)) continue
    const key = keyOf(source, orderBy, row)
    if (after !== undefined && compare(key, after) <= 0) continue
    if (bound !== undefined && compare(key, bound) >= 0) continue
    kept.push({ row, key })
    if (kept.length >= 2 * keptMax) sift()
  }
  sift()
  return kept
}

const countOf = (source: Source, request: Keyed): number => {
  if (request.filters.length === 0 && request.branches === undefined) return source.table.rows.size
  const sets = setsOf(source, request)
  return race((sets.length === 0 ? [everyRow(source)] : sets).map((rows) => counted(source, request, rows)))
}

function* counted(source: Source, { branches, filters }: Keyed, candidates: Candidates): Way<number> {
  let count = 0
  for (const candidate of candidates) {
    yield
    const row = listed(source, filters, candidate)
    if (row !== undefined && meetsOne(source, branches, row)) count++
  }
  return count
}
