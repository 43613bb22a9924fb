/** Walks the records of one state, model by model and by id. Pure but for the models' lifts. */
import { Result } from "effect"
import { type RecordUnreadable, showRow, unreadable } from "../Machine/ReadRow.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { Followed } from "./Change.ts"
import type { Position, Shown } from "./Position.ts"

/** One record of a first state. */
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
  followed: Followed,
  state: { readonly tables: Tables; readonly index: number },
  { after, maxCount }: { readonly after: Shown; readonly maxCount: number }
): Result.Result<FirstRecords, RecordUnreadable> => {
  const records: Array<FirstRecord> = []
  for (const model of [...followed.keys()].sort()) {
    if (model < after.model) continue
    const rows = state.tables.byModel.get(model)?.rows
    const first = after.model === model ? after.id : undefined
    for (let pair = rows?.nextHigherPair(first); pair !== undefined; pair = rows?.nextHigherPair(pair[0])) {
      if (records.length === maxCount) return Result.succeed({ records, isWhole: false })
      const [id, row] = pair
      const record = showRow(followed.get(model)!, row)
      if (Result.isFailure(record)) {
        if (records.length > 0) return Result.succeed({ records, isWhole: false })
        return Result.fail(unreadable({ model, id })(record.failure))
      }
      const position = { index: state.index, shown: { group: after.group, model, id } }
      const { index: changedIndex, version } = row
      records.push({ _tag: "Record", position, changedIndex, model, id, version, record: record.success })
    }
  }
  return Result.succeed({ records, isWhole: true })
}
