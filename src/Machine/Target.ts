/** What one operation is decided on. Pure data. */
import type { Descriptor } from "../Model/Descriptor.ts"
import type { ReadRecord } from "../Model/StoredRecord.ts"
import type { Author } from "./Author.ts"
import type { Circumstances } from "./Circumstances.ts"
import type { Guard } from "./Guard.ts"
import type { Row, Table } from "./Table.ts"
import type { Tables } from "./Tables.ts"

/** A model that this node's code knows, in the version of its records. */
export interface KnownModel {
  readonly descriptor: Descriptor
  readonly table: Table
}

/** The model of an operation, and what its decision depends on. */
export interface Target extends KnownModel {
  readonly tables: Tables
  readonly at: Circumstances
  readonly author: Author
  /** What the caller may do; undefined if no rule holds. */
  readonly guard: Guard | undefined
}

/** The record under an id before the operation, and its data if this release can read them. */
export interface Present {
  readonly row: Row | undefined
  readonly former: ReadRecord | undefined
}

/** No record. */
export const nothing: Present = { row: undefined, former: undefined }
