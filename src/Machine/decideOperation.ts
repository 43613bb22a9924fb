/** What one operation becomes: an event and an answer, or a rejection. Pure. The rules of HTTP.md, without its statuses. */
import { Result } from "effect"
import type { Descriptor, EncodedRecord } from "../Model.ts"
import type { Create, Delete, Operation, Patch, Put } from "./Command.ts"
import type { Circumstances, OperationAnswer } from "./decide.ts"
import type { Event } from "./Event.ts"
import { canonical, depthMax, isRecord, isTooDeep, mergePatch } from "./Json.ts"
import type { Rejection } from "./Rejection.ts"
import type { Row, Table, Tables } from "./Tables.ts"
import * as UniqueIndex from "./UniqueIndex.ts"

/** One decided operation; without an event it changes nothing. */
export interface DecidedOperation {
  readonly event: Event | undefined
  readonly answer: OperationAnswer
}

type Decided = Result.Result<DecidedOperation, Rejection>

/** A model that this node's code knows, in the version of its records. */
export interface KnownModel {
  readonly descriptor: Descriptor
  readonly table: Table
}

interface Target extends KnownModel {
  readonly index: number
}

/** Whose operation it is: a client's own, or that of a declared command, which may do what a client may not. */
export type Author = "request" | "command"

/** The model of this name, or why nothing may be decided on it. */
export const known = (tables: Tables, model: string): Result.Result<KnownModel, Rejection> => {
  const descriptor = tables.descriptors.get(model)
  const table = tables.byModel.get(model)
  if (table === undefined) return Result.fail({ _tag: "NotFound", model })
  return descriptor === undefined || table.modelVersion > descriptor.version
    ? Result.fail({ _tag: "UpgradeRequired", model })
    : Result.succeed({ descriptor, table })
}

/** Decides one operation on tables that hold all operations before it. */
export const decideOperation = (tables: Tables, operation: Operation, at: Circumstances, _author: Author): Decided => {
  const model = known(tables, operation.model)
  if (Result.isFailure(model)) return Result.fail(model.failure)
  const target = { ...model.success, index: at.index }
  switch (operation._tag) {
    case "Create":
      return decideCreate(target, operation, at.newId)
    case "Put":
      return decidePut(target, operation)
    case "Patch":
      return decidePatch(target, operation)
    case "Delete":
      return decideDelete(target, operation)
  }
}

const decideCreate = (target: Target, create: Create, newId: () => string): Decided =>
  Result.flatMap(withId(target, create.data, create.id, newId), ({ data, id }) =>
    target.table.rows.has(id)
      ? refuse({ _tag: "AlreadyExists", model: create.model, id })
      : decideRecord(target, id, data)
  )

const decidePut = (target: Target, put: Put): Decided => {
  const row = target.table.rows.get(put.id)
  if (row !== undefined && put.ifNoneMatch === true) return versionConflict(row)
  if (failsCondition(row, put.ifMatch)) return versionConflict(row)
  return Result.flatMap(
    withId(target, put.data, put.id, () => put.id),
    ({ data }) => decideRecord(target, put.id, data)
  )
}

const decidePatch = (target: Target, patch: Patch): Decided => {
  const row = target.table.rows.get(patch.id)
  if (failsCondition(row, patch.ifMatch)) return versionConflict(row)
  if (row === undefined) return Result.fail({ _tag: "NotFound", model: patch.model, id: patch.id })
  return Result.flatMap(
    withId(target, patch.data, patch.id, () => patch.id),
    ({ data }) =>
      // The merge of two objects is an object (RFC 7396 §2).
      decideRecord(target, patch.id, mergePatch(row.data, data) as EncodedRecord)
  )
}

const decideDelete = ({ descriptor, index, table }: Target, { id, ifMatch, model }: Delete): Decided => {
  const row = table.rows.get(id)
  if (failsCondition(row, ifMatch)) return versionConflict(row)
  if (row === undefined) return Result.fail({ _tag: "NotFound", model, id })
  const version = row.version + 1
  const { createdIndex, data } = row
  const previousIndex = row.index
  return Result.succeed({
    event: { type: "deleted", model, modelVersion: descriptor.version, id, version, previousIndex, data },
    answer: { change: "deleted", model, id, version, index, createdIndex, record: data }
  })
}

/** The record as it shall be: checked by the model, its unique fields free, and different from what is there. */
const decideRecord = ({ descriptor, index, table }: Target, id: string, asked: EncodedRecord): Decided => {
  const checked = descriptor.codecs.record(asked)
  if (Result.isFailure(checked)) return Result.fail({ _tag: "InvalidRequest", errors: checked.failure })
  const data = checked.success
  const model = descriptor.name
  if (data[descriptor.idField] !== id) return invalid(descriptor.idField, "The id is not in its normal form")
  const row = table.rows.get(id)
  if (row !== undefined && row.modelVersion === descriptor.version && canonical(row.data) === canonical(data)) {
    const { createdIndex, version } = row
    const answer = {
      change: "unchanged",
      model,
      id,
      version,
      index: row.index,
      createdIndex,
      record: row.data
    } as const
    return Result.succeed({ event: undefined, answer })
  }
  const taken = descriptor.uniqueFields.find((field) => UniqueIndex.holder(table, field, data, id) !== undefined)
  if (taken !== undefined) return Result.fail({ _tag: "UniqueViolation", model, field: taken })
  const last = row ?? table.tombstones.get(id) ?? { version: table.versionFloor, index: 0 }
  const version = last.version + 1
  const type = row === undefined ? "created" : "updated"
  return Result.succeed({
    event: { type, model, modelVersion: descriptor.version, id, version, previousIndex: last.index, data },
    answer: { change: type, model, id, version, index, createdIndex: row?.createdIndex ?? index, record: data }
  })
}

/** The data with its id in it. An id beside the data and another within it contradict each other. */
const withId = (
  { descriptor: { idField } }: Target,
  data: unknown,
  givenId: string | undefined,
  newId: () => string
): Result.Result<{ readonly id: string; readonly data: EncodedRecord }, Rejection> => {
  if (!isRecord(data)) return invalid("", "Expected an object")
  if (isTooDeep(data)) return invalid("", `Expected at most ${depthMax} levels of nesting`)
  const within = Object.hasOwn(data, idField) ? data[idField] : undefined
  if (within !== undefined && typeof within !== "string") return invalid(idField, "Expected a string")
  if (within !== undefined && givenId !== undefined && within !== givenId) {
    return invalid(idField, "Expected no id, or the id that is addressed")
  }
  const id = givenId ?? within ?? newId()
  return Result.succeed({ id, data: { ...data, [idField]: id } })
}

const refuse = (rejection: Rejection): Result.Result<never, Rejection> => Result.fail(rejection)

const failsCondition = (row: Row | undefined, ifMatch: Put["ifMatch"]): boolean =>
  ifMatch !== undefined && (row === undefined || (ifMatch !== "*" && !ifMatch.includes(row.version)))

const versionConflict = (row: Row | undefined): Result.Result<never, Rejection> =>
  Result.fail({ _tag: "VersionConflict", currentVersion: row?.version ?? null })

const invalid = (path: string, message: string): Result.Result<never, Rejection> =>
  Result.fail({ _tag: "InvalidRequest", errors: [{ path, message }] })
