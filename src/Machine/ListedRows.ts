/** The rows of a table as a list shows them: with their local parts, filtered, with their order keys. Pure. */
import { Result } from "effect"
import type { Folded } from "../Access/fold.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { FieldError } from "../Model/FieldError.ts"
import { isMet, type KeyedFilter } from "./Filter.ts"
import type { LocalPart } from "./LocalPart.ts"
import type { OrderBy, OrderValue } from "./Order.ts"
import type { OrderedMap } from "./OrderedMap.ts"
import * as OrderKey from "./OrderKey.ts"
import { showRow } from "./ReadRow.ts"
import type { Row, Table } from "./Table.ts"

/** The source of a list. */
export interface ListSource {
  readonly table: Table
  readonly idField: string
  /** This node's local parts, if given: each record is then filtered, ordered and shown with its own. */
  readonly localParts?: OrderedMap<string, LocalPart>
  /** The records that the reader may read; undefined for all. Others are not there, nor are those that cannot be read. */
  readonly reach?: Folded | undefined
  /** The fields that the reader does not see; none if absent. No list may name them (Seen.ts). */
  readonly unseen?: ReadonlyArray<string> | undefined
}

/** One record of a page. `part` is its local part, and `record` both together. */
export interface ListedRow {
  readonly id: string
  readonly row: Row
  readonly part: LocalPart | undefined
  readonly record: EncodedRecord
}

/** A row that this release cannot read, and why. */
export interface UnreadableRow {
  readonly id: string
  readonly errors: ReadonlyArray<FieldError>
}

/** The first row that a list met and this release cannot read. */
export interface Unreadable {
  first: UnreadableRow | undefined
}

/** The row as it is listed, if it meets all filters. */
export const listed = (
  source: ListSource & { readonly unreadable: Unreadable },
  filters: ReadonlyArray<KeyedFilter>,
  [id, row]: readonly [string, Row]
): ListedRow | undefined => {
  const shown = shownRow(source, id, row)
  if (Result.isFailure(shown)) {
    // No rule can be asked about a record that cannot be read, so a restricted reader does not learn of it.
    if (source.reach === undefined) source.unreadable.first ??= shown.failure
    return undefined
  }
  return meetsAll(source, filters, shown.success) ? shown.success : undefined
}

/** The row with this node's part of it, whether or not a list has it. */
export const shownRow = (source: ListSource, id: string, row: Row): Result.Result<ListedRow, UnreadableRow> => {
  const held = source.localParts?.get(id)
  const part = held?.createdIndex === row.createdIndex ? held : undefined
  const read = showRow(source.table, row, part)
  return Result.isFailure(read)
    ? Result.fail({ id, errors: read.failure })
    : Result.succeed({ id, row, part, record: read.success })
}

/** Whether a row meets one of the branches. Without branches there is no restriction. */
export const meetsOne = (
  source: ListSource,
  branches: ReadonlyArray<ReadonlyArray<KeyedFilter>> | undefined,
  row: ListedRow
): boolean => branches === undefined || branches.some((branch) => meetsAll(source, branch, row))

/** Whether a row meets all filters. */
export const meetsAll = (source: ListSource, filters: ReadonlyArray<KeyedFilter>, row: ListedRow): boolean =>
  filters.every((filter) => {
    const value = valueOf(source, row, filter.field)
    return isMet(filter, value, () => OrderKey.keyOf(source.table.orders.get(filter.field), value))
  })

/** The fields of a record that an answer shows; undefined for all. */
export const selected = (record: EncodedRecord, select: ReadonlyArray<string> | undefined): EncodedRecord =>
  select === undefined ? record : Object.fromEntries(Object.entries(record).filter(([field]) => select.includes(field)))

/** The order key of a row: a value for each step of the order. */
export const keyOf = (source: ListSource, orderBy: ReadonlyArray<OrderBy>, row: ListedRow): ReadonlyArray<OrderValue> =>
  orderBy.map(({ field }) => OrderKey.keyOf(source.table.orders.get(field), valueOf(source, row, field)))

/** It reads own members only, since a field may be called `constructor`. */
const valueOf = (source: ListSource, { id, record }: ListedRow, field: string) =>
  field === source.idField ? id : Object.hasOwn(record, field) ? record[field] : undefined
