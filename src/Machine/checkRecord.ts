/**
 * Checks the record that an operation asks for: its id and fields, its schema, who may leave such a record, and the rules
 * that all records keep. Pure.
 */
import { Result } from "effect"
import { anonymous } from "../Access/Caller.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { type FieldError, fieldErrorLengthMax, fieldErrorsMax } from "../Model/FieldError.ts"
import { depthMax } from "../Model/PlainJson.ts"
import * as FieldIndex from "./FieldIndex.ts"
import { fillFields } from "./fillFields.ts"
import { refusedRecord, seesRecord } from "./GuardedOperation.ts"
import { isRecord, isTooDeep } from "./Json.ts"
import * as References from "./References.ts"
import type { Rejection } from "./Rejection.ts"
import type { Present, Target } from "./Target.ts"

/** The data with its id. An id beside the data must equal the one within it. */
export const withId = (
  { descriptor }: Target,
  data: unknown,
  givenId: string | undefined,
  newId: () => string
): Result.Result<{ readonly id: string; readonly data: EncodedRecord }, Rejection> => {
  const { idField } = descriptor
  if (!isRecord(data)) return invalid("", "Expected an object")
  const unknown = unknownFields(descriptor, data)
  if (unknown.length > 0) return Result.fail({ _tag: "InvalidRequest", errors: unknown })
  if (isTooDeep(data)) return invalid("", `Expected at most ${depthMax} levels of nesting`)
  const within = Object.hasOwn(data, idField) ? data[idField] : undefined
  if (within !== undefined && typeof within !== "string") return invalid(idField, "Expected a string")
  if (within !== undefined && givenId !== undefined && within !== givenId) {
    return invalid(idField, "Expected no id, or the id that is addressed")
  }
  const given = givenId ?? within
  if (given === undefined && !descriptor.ids.areMade)
    return invalid(idField, "Expected an id: none can be made for this model")
  const id = given ?? newId()
  return Result.succeed({ id, data: { ...data, [idField]: id } })
}

/**
 * Unknown fields, also of a patch that would remove them. It looks for them first: a body full of such fields would
 * hold up the leader.
 */
const unknownFields = (descriptor: Descriptor, data: EncodedRecord): ReadonlyArray<FieldError> => {
  const { idField, localFields, mode, replicatedFields } = descriptor
  const known = mode === "local" ? localFields : replicatedFields
  const errors: Array<FieldError> = []
  for (const field in data) {
    if (!Object.hasOwn(data, field) || field === idField || known.includes(field)) continue
    errors.push({ path: field.slice(0, fieldErrorLengthMax), message: "Expected no excess property" })
    if (errors.length === fieldErrorsMax) break
  }
  return errors
}

/** The record as it is asked for: it must be valid, and one that the caller may leave. */
export const newRecord = (
  { at, author, descriptor, guard, table, tables }: Target,
  id: string,
  asked: EncodedRecord,
  { former, row }: Present,
  written: EncodedRecord
): Result.Result<EncodedRecord, Rejection> => {
  const filled = fillFields(descriptor, asked, {
    author,
    caller: at.caller ?? anonymous,
    isGuarded: guard !== undefined,
    former: former?.shown,
    isNew: row === undefined,
    written
  })
  if (Result.isFailure(filled)) return filled
  const checked = descriptor.codecs.record(filled.success)
  if (Result.isFailure(checked)) return Result.fail({ _tag: "InvalidRequest", errors: checked.failure })
  const data = checked.success
  if (data[descriptor.idField] !== id) return invalid(descriptor.idField, "The id is not in its normal form")
  const action = row === undefined ? "create" : "update"
  const refused =
    guard === undefined ? undefined : refusedRecord({ descriptor, table, tables, guard }, action, { id, data })
  return refused === undefined ? Result.succeed(data) : Result.fail(refused)
}

/** The first rule that a valid record breaks: its own rule, a unique value that another has, or a missing reference. */
export const brokenBy = (
  { descriptor, guard, table, tables }: Target,
  id: string,
  data: EncodedRecord,
  former: EncodedRecord | undefined
): Rejection | undefined => {
  const model = descriptor.name
  const broken = descriptor.brokenRule(data)
  if (broken !== undefined) return { _tag: "RuleBroken", model, ...broken }
  const isTaken = (field: string) =>
    FieldIndex.holder(table, field, FieldIndex.valueOf(table, data, field), id) !== undefined
  const taken = descriptor.uniqueFields.find(isTaken)
  if (taken !== undefined) return { _tag: "UniqueViolation", model, field: taken }
  if (guard === undefined) return References.missing(tables, descriptor, data)
  // A new reference must name a record that the caller may read. Others were there before.
  return References.missing(tables, descriptor, data, (field, named) =>
    former !== undefined && FieldIndex.heldBy(former, field) === named.id ? true : seesRecord(guard, tables, named)
  )
}

/** A refusal names no record that the caller may not read. */
export const withoutUnseen =
  ({ guard, tables }: Target) =>
  (rejection: Rejection): Rejection => {
    if (guard === undefined || rejection._tag !== "Referenced") return rejection
    const { by, ...others } = rejection
    return by === undefined || seesRecord(guard, tables, by) ? rejection : others
  }

/** A rejection of data that does not fit. */
export const invalid = (path: string, message: string): Result.Result<never, Rejection> =>
  Result.fail({ _tag: "InvalidRequest", errors: [{ path, message }] })
