/** Rows as this release reads them, or why it cannot. Pure. Model/StoredRecord.ts reads. */
import { Result } from "effect"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { FieldError } from "../Model/FieldError.ts"
import { type LocalPart, storedPart } from "./LocalPart.ts"
import type { Row } from "./Table.ts"

/** A record that this release cannot read, and why. A rejection carries it. */
export interface RecordUnreadable {
  readonly _tag: "RecordUnreadable"
  readonly model: string
  readonly id: string
  readonly errors: ReadonlyArray<FieldError>
}

/** Names the record that could not be read. */
export const unreadable =
  ({ id, model }: { readonly model: string; readonly id: string }) =>
  (errors: ReadonlyArray<FieldError>): RecordUnreadable => ({ _tag: "RecordUnreadable", model, id, errors })

/** Reads a row as it is shown, with this node's part of it. */
export const showRow = (
  { read }: Pick<Descriptor, "read">,
  row: Row,
  part?: LocalPart
): Result.Result<EncodedRecord, ReadonlyArray<FieldError>> => {
  const record = read.record(row)
  if (Result.isFailure(record)) return Result.fail(record.failure)
  const { shown } = record.success
  if (part?.createdIndex !== row.createdIndex) return Result.succeed(shown)
  return Result.map(read.localPart(storedPart(part)), (own) => ({ ...shown, ...own.shown }))
}
