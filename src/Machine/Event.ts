/**
 * A change of a record, and a record that is only stored anew. Pure. An event is complete: `evolve` needs neither the
 * model's code nor the former state. D2.
 */

import type { EncodedRecord } from "../Model/EncodedRecord.ts"

/** One change of one record, with encoded values. */
export interface Event {
  readonly type: "created" | "updated" | "deleted"
  readonly model: string
  /** The version of the model's shape in which `data` is written. */
  readonly modelVersion: number
  readonly id: string
  /** Grows by one with every change of the id, deletion and re-creation included. */
  readonly version: number
  /** The index of the entry that last changed this id, 0 if none did. History is read backwards along it. */
  readonly previousIndex: number
  /** The record after the change; for a deletion, the last record. */
  readonly data: EncodedRecord
  /**
   * Present if this deletion follows from another one: a later event of the same entry deletes a record that this one
   * refers to.
   */
  readonly cascaded?: true
  /** Present if the data was erased (Erasure.ts): then `data` is empty. */
  readonly erased?: true
}

/**
 * A record stored in a later version of its model's shape, as the deciding node read it. It is no change of the record:
 * its version, its index and its history stay, and nothing that follows events sees it.
 */
export interface Lifted {
  readonly model: string
  readonly modelVersion: number
  readonly id: string
  readonly data: EncodedRecord
  /** Present if the data was erased: then `data` is empty. */
  readonly erased?: true
}
