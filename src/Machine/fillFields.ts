/**
 * Fills the fields of a record that its author does not set: the owner, fields that only commands set, hidden and masked
 * ones. A PUT keeps them. Pure. docs/access.md, "Fields".
 */
import { Result, type Schema } from "effect"
import { type Caller, idOf } from "../Access/Caller.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { FieldError } from "../Model/FieldError.ts"
import type { Author } from "./Author.ts"
import { isEqual } from "./Json.ts"
import type { Rejection } from "./Rejection.ts"
import { maskedFor } from "./Seen.ts"

/** A record that is asked for, and what is there. */
interface Asked {
  readonly author: Author
  readonly caller: Caller
  /** Whether rules hold for the caller. */
  readonly isGuarded: boolean
  /** The record so far; undefined for a new one, and for one that this release cannot read. */
  readonly former: EncodedRecord | undefined
  readonly isNew: boolean
  /** The fields that the client wrote: those of a patch, or of the whole record. */
  readonly written: EncodedRecord
}

/** The record with these fields, or the errors of those that the author must not set. */
export const fillFields = (
  { guarded }: Pick<Descriptor, "guarded">,
  data: EncodedRecord,
  asked: Asked
): Result.Result<EncodedRecord, Rejection> => {
  if (guarded === undefined) return Result.succeed(data)
  const { author, caller, former, isGuarded, isNew, written } = asked
  const filled: Record<string, Schema.Json> = { ...data }
  const errors: Array<FieldError> = []
  const isWritten = (field: string): boolean => Object.hasOwn(written, field)
  const kept = (field: string): Schema.Json | undefined =>
    former !== undefined && Object.hasOwn(former, field) ? former[field] : undefined
  const set = (field: string, value: Schema.Json | undefined): void => {
    if (value === undefined) delete filled[field]
    else filled[field] = value
  }
  const keep = (field: string): void => set(field, isNew ? guarded.initial[field] : kept(field))
  const refuse = (path: string, message: string): void => void errors.push({ path, message })

  const { commandOnly, hidden, masked, owner } = guarded
  if (owner !== undefined) {
    const id = idOf(caller) ?? null
    // The application's own code may name another owner, and a command may change it, unless it acts for a caller.
    const isFree = !isGuarded && (author === "command" || (isNew && id === null))
    if (!isWritten(owner)) set(owner, isNew ? id : (kept(owner) ?? null))
    else if (!isFree && !isEqual(filled[owner] ?? null, isNew ? id : (kept(owner) ?? null))) {
      refuse(owner, isNew ? "is set to the id of the caller: leave it out" : "cannot be changed")
    }
  }
  for (const field of commandOnly) {
    if (author === "command") {
      if (!isWritten(field)) keep(field)
      continue
    }
    if (isWritten(field) && asked.written !== data) refuse(field, "can only be changed by commands")
    else if (isNew && isWritten(field) && !isEqual(filled[field] ?? null, guarded.initial[field] ?? null)) {
      refuse(field, "can only be changed by commands: leave it out")
    }
    keep(field)
  }
  for (const field of [...hidden, ...Object.keys(masked)]) if (!isWritten(field)) keep(field)
  // Refused as unknown fields are. A handler that acts for its caller still sets hidden ones.
  const unseen = isGuarded ? [...(author === "command" ? [] : hidden), ...maskedFor(caller, masked)] : []
  for (const field of unseen) if (isWritten(field)) refuse(field, "Expected no excess property")
  return errors.length === 0 ? Result.succeed(filled) : Result.fail({ _tag: "InvalidRequest", errors })
}
