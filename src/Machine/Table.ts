/** The records of one model: rows, indexes, and tombstones of deleted records. Pure data. D5. */
import type { Descriptor } from "../Model/Descriptor.ts"
import type { FieldOrder } from "../Model/FieldOrder.ts"
import type { FieldIndex, IndexesDue } from "./FieldIndex.ts"
import type { LocalPart } from "./LocalPart.ts"
import type { OrderedMap } from "./OrderedMap.ts"
import type { RowMap } from "./RowMap.ts"

export type { Row } from "./Row.ts"

/** The memory of a deleted record, so that its versions go on. `sequence` orders the table's deletions. */
export interface Tombstone {
  readonly version: number
  readonly index: number
  readonly sequence: number
}

/** The records of one model. */
export interface Table {
  readonly rows: RowMap
  /** By field: unique fields, indexed fields, and references to other models. */
  readonly indexes: Map<string, FieldIndex>
  /** Present while a restore goes on: the indexes are empty until they are built (IndexBuilding.ts). */
  due: IndexesDue | undefined
  /** By field, the order of its values. Values of all other fields are compared as they are. */
  readonly orders: ReadonlyMap<string, FieldOrder>
  /** The field that holds the id of a record; undefined if this node has no code for the model. */
  readonly idField: string | undefined
  /** Reads a row, or a local part, as this release sees it. A table without a model is read as it is stored. */
  readonly read: Descriptor["read"]
  readonly tombstones: OrderedMap<string, Tombstone>
  /** By sequence: the ids of the tombstones, oldest first. */
  readonly tombstoneOrder: OrderedMap<number, string>
  /** By id. Only the tables of a node's own log have any; the state hash leaves them out. */
  readonly localParts: OrderedMap<string, LocalPart>
  /** How many rows, or local parts, are stored in each version (Rows.ts). */
  readonly countByVersion: Map<number, number>
  /** By id, the index of the entry that erased the record last. They are never forgotten: a file may still hold what is older. */
  readonly erasures: OrderedMap<string, number>
  /** The index of the last erasure of a record, 0 if there was none. */
  erasedIndex: number
  nextTombstoneSequence: number
  /** The highest version among evicted tombstones. The versions of an unknown id start above it. */
  versionFloor: number
  /** The active version of the model's shape: that of new records. 0 before the first. */
  modelVersion: number
  /** Whether the model has ended: its records are forgotten one after another. A later version begins it anew. */
  isEnded: boolean
  /** The index of the last event that this node knows of, 0 if there was none. No part of the state. */
  changedIndex: number
}
