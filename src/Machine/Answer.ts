/** The answers to a command that was done, as its client gets them. Pure JSON data. docs/http.md. */
import type { Schema } from "effect"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"

/**
 * The result of one operation. `index` is that of the entry that last changed the record, and `record` its encoded form
 * (for a deletion, the last one).
 */
export interface OperationAnswer {
  readonly change: "created" | "updated" | "deleted" | "unchanged"
  readonly model: string
  readonly id: string
  readonly version: number
  readonly index: number
  readonly createdIndex: number
  /** The version of the model's shape that `record` has; absent in outcomes that older releases remembered. */
  readonly modelVersion?: number
  readonly record: EncodedRecord
  /** Present if the record was erased since: then `record` is empty. Nobody shows such an answer (Recall.ts). */
  readonly erased?: true
}

/** The answer to the client: one part for each operation, or the success of a declared command. */
export interface Answer {
  readonly timeMs: number
  readonly operations: ReadonlyArray<OperationAnswer>
  readonly value?: Schema.Json
}
