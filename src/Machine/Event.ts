/** What happened to a record. Pure. Full enough that `evolve` needs neither the model's code nor the state before. D2. */
import type { EncodedRecord } from "../Model/Descriptor.ts"

/** One change of one record, on encoded values. */
export interface Event {
  readonly type: "created" | "updated" | "deleted"
  readonly model: string
  /** The version of the model's shape in which `data` is written. */
  readonly modelVersion: number
  readonly id: string
  /** Grows by one with every change of the id, deletion and re-creation included. */
  readonly version: number
  /** The index of the entry that last changed this id, 0 if none did: history walks back along it. */
  readonly previousIndex: number
  /** The record after the change; for a deletion, the last one. */
  readonly data: EncodedRecord
  /** It was not asked for: a record that this one refers to was deleted, by a later event of the same entry. */
  readonly cascaded?: true
}
