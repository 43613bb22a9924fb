/** A record as JSON. Pure data. */
import type * as Schema from "effect/Schema"

/** A record, or a part of one, as JSON. The log, the tables and the wire carry it. */
export interface EncodedRecord {
  readonly [field: string]: Schema.Json
}
