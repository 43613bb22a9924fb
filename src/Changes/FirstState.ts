/** Walks the records of one state that a view shows, model by model and by id. Pure but for the models' lifts. */
import { Result } from "effect"
import type { Folded } from "../Access/fold.ts"
import { invariant } from "../Invariant.ts"
import { list } from "../Machine/List.ts"
import type { ListedRow } from "../Machine/ListedRows.ts"
import { type RecordUnreadable, showRow, unreadable } from "../Machine/ReadRow.ts"
import type { Row } from "../Machine/Table.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { Position, Shown } from "./Position.ts"
import { seen, type View } from "./View.ts"

/** One record of a first state, or one that came within the reader's sight. */
export interface FirstRecord {
  readonly _tag: "Record"
  readonly position: Position
  /** The index of the entry that last changed it. */
  readonly changedIndex: number
  readonly model: string
  readonly id: string
  readonly version: number
  readonly record: EncodedRecord
}

/** The records after a key, and whether the state has no more of them. */
export interface FirstRecords {
  readonly records: ReadonlyArray<FirstRecord>
  readonly isWhole: boolean
}

/**
 * Reads records of the state at `index`, those after `after` and at most so many. It stops before a record that it
 * cannot read, and fails if that is the first one.
 */
export const recordsAfter = (
  view: View,
  state: { readonly tables: Tables; readonly index: number },
  { after, maxCount }: { readonly after: Shown; readonly maxCount: number }
): Result.Result<FirstRecords, RecordUnreadable> => {
  const records: Array<FirstRecord> = []
  const named = view.name === undefined ? {} : { view: view.name }
  const take = (model: string, id: string, row: Row, record: EncodedRecord): void => {
    const position = { index: state.index, ...named, shown: { group: after.group, model, id } }
    const { index: changedIndex, version } = row
    records.push({ _tag: "Record", position, changedIndex, model, id, version, record: seen(view, model, record) })
  }
  for (const model of [...view.models.keys()].sort()) {
    if (model < after.model) continue
    const { descriptor, reach } = view.models.get(model)!
    const first = after.model === model ? after.id : undefined
    if (reach !== undefined) {
      const page = pageOf(state.tables, descriptor, { reach, afterId: first, limit: maxCount - records.length + 1 })
      for (const { id, record, row } of page) {
        if (records.length === maxCount) return Result.succeed({ records, isWhole: false })
        take(model, id, row, record)
      }
      continue
    }
    for (const [id, row] of state.tables.byModel.get(model)?.rows.entries(first) ?? []) {
      if (id === first) continue
      if (records.length === maxCount) return Result.succeed({ records, isWhole: false })
      const record = showRow(descriptor, row)
      if (Result.isFailure(record)) {
        if (records.length > 0) return Result.succeed({ records, isWhole: false })
        return Result.fail(unreadable({ model, id })(record.failure))
      }
      take(model, id, row, record.success)
    }
  }
  return Result.succeed({ records, isWhole: true })
}

/** The records of one model that a reader may read, by their ids. Those that this release cannot read are not among them. */
export const pageOf = (
  tables: Tables,
  { idField, name }: Descriptor,
  { afterId, limit, reach }: { readonly reach: Folded; readonly afterId: string | undefined; readonly limit: number }
): ReadonlyArray<ListedRow> => {
  const table = tables.byModel.get(name)
  if (table === undefined) return []
  const after = afterId === undefined ? undefined : [afterId]
  const byId = [{ field: idField, direction: "asc" }] as const
  const found = list({ table, idField, reach }, { filters: [], orderBy: byId, limit, after, countsTotal: false })
  invariant(Result.isSuccess(found), "a restricted list met a record that it should not look at")
  return found.success.rows
}
