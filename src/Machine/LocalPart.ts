/** The local fields of one record, in the log of a node and in its tables. Pure data. D4. */

/** A local part in the node's own log: all local fields of the record that was created at `createdIndex`. */
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
export interface LocalPartSet {
  readonly model: string
  readonly id: string
  readonly createdIndex: number
  /** The version of the replicated record that this part accompanies. */
  readonly version: number
  readonly data: EncodedRecord
}

/** A part as this node holds it. `revision` grows by one with each change on this node. */
export interface LocalPart {
  readonly createdIndex: number
  readonly version: number
  readonly revision: number
  readonly data: EncodedRecord
}
