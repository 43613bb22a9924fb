/** The local fields of one record, in the log of a node and in its tables. Pure data. D4. */
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { StoredRecord } from "../Model/StoredRecord.ts"

/** A local part in the node's own log: all local fields of the record that was created at `createdIndex`. */
export interface LocalPartSet {
  readonly model: string
  readonly id: string
  readonly createdIndex: number
  /** The version of the replicated record that this part accompanies. */
  readonly version: number
  /** The version of the model's shape that `data` has; absent for 1, and in logs of releases that wrote none. */
  readonly modelVersion?: number
  readonly data: EncodedRecord
  /** The part is stored in another version, and nothing else of it changes. */
  readonly isLifted?: true
  /** Present if the data was erased (Erasure.ts): then `data` is empty. */
  readonly erased?: true
}

/** A part as this node holds it. `revision` grows by one with each change on this node. */
export interface LocalPart {
  readonly createdIndex: number
  readonly version: number
  readonly revision: number
  readonly modelVersion?: number
  readonly data: EncodedRecord
}

/** A part as it is stored, for its reader. */
export const storedPart = ({ data, modelVersion = 1 }: Pick<LocalPart, "data" | "modelVersion">): StoredRecord => ({
  modelVersion,
  data
})
