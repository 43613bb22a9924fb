/** A row of a table: a record as it is stored. Pure data. */
import type { EncodedRecord } from "../Model/EncodedRecord.ts"

/** A record: `createdIndex` and `index` are those of the entries that created and last changed it. */
export interface Row {
  readonly version: number
  readonly createdIndex: number
  readonly index: number
  readonly modelVersion: number
  readonly data: EncodedRecord
}
