/** A record with its version, as a program gets it. */
import type { RowClass } from "../Model/RowCodecs.ts"

/** A record and its version. Give the version as `ifVersion` to change only this state. */
export interface Versioned<M extends RowClass> {
  readonly row: M["Type"]
  readonly version: number
  /** Only of a change: the replicated part is done, but the node could not write the local fields. */
  readonly isLocalPartLost?: true
}
