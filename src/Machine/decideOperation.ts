/**
 * Decides one operation: the result is events and an answer, or a rejection. Pure. It has the rules of docs/http.md,
 * without the statuses.
 */
import { Result } from "effect"
import { invariant } from "../Invariant.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { errorsOfMerge, mergePatch } from "../Model/MergePatch.ts"
import { withUnknown } from "../Model/StoredRecord.ts"
import type { OperationAnswer } from "./Answer.ts"
import type { Author } from "./Author.ts"
import type { Circumstances } from "./Circumstances.ts"
import type { Create, Delete, Operation, Patch, Put } from "./Command.ts"
import { brokenBy, newRecord, withId, withoutUnseen } from "./checkRecord.ts"
import type { Event } from "./Event.ts"
import { refusedRecord } from "./GuardedOperation.ts"
import { isEqual } from "./Json.ts"
import { refusalOf } from "./OperationRefusal.ts"
import { unreadable } from "./ReadRow.ts"
import * as References from "./References.ts"
import type { Rejection } from "./Rejection.ts"
import { nextVersion } from "./Restored.ts"
import type { Row, Table } from "./Table.ts"
import type { Tables } from "./Tables.ts"
import { type KnownModel, nothing, type Present, type Target } from "./Target.ts"

/**
 * One decided operation. Without events it changes nothing. The last event is its own; those before it are cascaded.
 */
export interface DecidedOperation {
  readonly events: ReadonlyArray<Event>
  readonly answer: OperationAnswer
}

type Decided = Result.Result<DecidedOperation, Rejection>

/** The model of this name, or why nothing may be decided on it. */
export const known = (tables: Tables, model: string): Result.Result<KnownModel, Rejection> => {
  const descriptor = tables.descriptors.get(model)
  const table = tables.byModel.get(model)
  if (table === undefined) return Result.fail({ _tag: "NotFound", model })
  if (descriptor === undefined || isBehind(table, descriptor)) {
    return Result.fail({ _tag: "UpgradeRequired", model })
  }
  return isPending(tables, descriptor)
    ? Result.fail({ _tag: "UpgradePending", model })
    : Result.succeed({ descriptor, table })
}

/**
 * Whether the log is ahead of this release: a later version is active, or the model has ended since. An ended model has
 * the version after its last one, and this is no version of a model that begins anew.
 */
export const isBehind = (
  { isEnded, modelVersion }: Pick<Table, "isEnded" | "modelVersion">,
  { version }: Pick<Descriptor, "version">
): boolean => modelVersion > version || (isEnded && modelVersion === version)

/** Whether this release has a newer version of the model than is active. Before its first record, a model has none. */
export const isPending = ({ byModel }: Tables, { name, version }: Descriptor): boolean => {
  const active = byModel.get(name)?.modelVersion ?? 0
  return active > 0 && active < version
}

/** Decides one operation on tables that hold all operations before it. */
export const decideOperation = (tables: Tables, operation: Operation, at: Circumstances, author: Author): Decided => {
  const model = known(tables, operation.model)
  if (Result.isFailure(model)) {
    // The node that the client asked knows the model, so this node is too old. A handler belongs to this node itself.
    const isTooOld = author === "request" && model.failure._tag === "NotFound"
    return Result.fail(isTooOld ? { _tag: "UpgradeRequired", model: operation.model } : model.failure)
  }
  // A command's handler may do more than its caller, unless it acts for one.
  const guard = author === "command" ? at.acting : at.guard
  const target: Target = { ...model.success, tables, at, author, guard }
  const refused = refusalOf(target, operation)
  if (refused !== undefined) return Result.fail(refused)
  switch (operation._tag) {
    case "Create":
      return decideCreate(target, operation)
    case "Put":
      return decidePut(target, operation)
    case "Patch":
      return decidePatch(target, operation)
    case "Delete":
      return decideDelete(target, operation)
  }
}

const decideCreate = (target: Target, create: Create): Decided =>
  Result.flatMap(withId(target, create.data, create.id, target.at.newId), ({ data, id }) => {
    if (!target.table.rows.has(id)) return decideRecord(target, id, data, nothing)
    // Only a caller who may create such a record learns that the id is taken.
    const mayCreate = target.guard === undefined ? undefined : newRecord(target, id, data, nothing, data)
    if (mayCreate !== undefined && Result.isFailure(mayCreate)) return Result.fail(mayCreate.failure)
    return refuse({ _tag: "AlreadyExists", model: create.model, id })
  })

const decidePut = (target: Target, put: Put): Decided => {
  const row = target.table.rows.get(put.id)
  if (row !== undefined && put.ifNoneMatch === true) return versionConflict(row)
  if (failsCondition(row, put.ifMatch)) return versionConflict(row)
  // A record that this release cannot read may be replaced as a whole.
  const former = row === undefined ? undefined : Result.getOrUndefined(target.descriptor.read.record(row))
  return Result.flatMap(
    withId(target, put.data, put.id, () => put.id),
    ({ data }) => decideRecord(target, put.id, data, { row, former })
  )
}

const decidePatch = (target: Target, patch: Patch): Decided => {
  const row = target.table.rows.get(patch.id)
  if (failsCondition(row, patch.ifMatch)) return versionConflict(row)
  if (row === undefined) return Result.fail({ _tag: "NotFound", model: patch.model, id: patch.id })
  return Result.flatMap(Result.mapError(target.descriptor.read.record(row), unreadable(patch)), (former) =>
    Result.flatMap(
      withId(target, patch.data, patch.id, () => patch.id),
      ({ data }) => {
        // The merge of two objects is an object (RFC 7396 §2).
        const merged = mergePatch(former.shown, data, target.descriptor.mergeShapes.record) as EncodedRecord
        return Result.mapError(decideRecord(target, patch.id, merged, { row, former }, data), (rejection) =>
          rejection._tag === "InvalidRequest"
            ? { ...rejection, errors: errorsOfMerge({ patch: data, merged }, rejection.errors) }
            : rejection
        )
      }
    )
  )
}

const decideDelete = (target: Target, { id, ifMatch, model }: Delete): Decided => {
  const { at, tables } = target
  const row = target.table.rows.get(id)
  if (failsCondition(row, ifMatch)) return versionConflict(row)
  if (row === undefined) return Result.fail({ _tag: "NotFound", model, id })
  const found = References.endingWith(tables, { model, id })
  return Result.flatMap(Result.mapError(found, withoutUnseen(target)), (ending) =>
    Result.map(
      Result.all(ending.map((named, position) => endOf(target, named, { deleted: model, isCascaded: position > 0 }))),
      (events): DecidedOperation => {
        const { createdIndex, version } = row
        // A record that this release cannot read may be deleted: that needs none of its fields.
        const last = Result.match(target.descriptor.read.record(row), {
          onSuccess: ({ shown }) => ({ modelVersion: target.descriptor.version, record: shown }),
          onFailure: () => ({ modelVersion: row.modelVersion, record: row.data })
        })
        return {
          events: events.toReversed(),
          answer: {
            change: "deleted",
            model,
            id,
            version: nextVersion(tables, version),
            index: at.index,
            createdIndex,
            ...last
          }
        }
      }
    )
  )
}

/**
 * The event that deletes a record. A model that requests cannot change loses no records through another's deletion
 * either.
 */
const endOf = (
  { author, guard, tables }: Target,
  { id, model }: { readonly id: string; readonly model: string },
  { deleted, isCascaded }: { readonly deleted: string; readonly isCascaded: boolean }
): Result.Result<Event, Rejection> => {
  const found = known(tables, model)
  if (Result.isFailure(found)) return Result.fail(found.failure)
  const { descriptor, table } = found.success
  if (descriptor.writes.change === "commands" && author !== "command") {
    return Result.fail({ _tag: "CommandOnly", model })
  }
  const row = table.rows.get(id)
  invariant(row !== undefined, `${model} ${id} is indexed and not there`)
  if (isCascaded && guard !== undefined) {
    const refused = refusedRecord({ ...found.success, tables, guard }, "delete", { id, row })
    // The refusal names no record that the caller may not see.
    if (refused !== undefined) return Result.fail(refused._tag === "Forbidden" ? { ...refused, of: deleted } : refused)
  }
  return Result.succeed({
    type: "deleted",
    model,
    modelVersion: row.modelVersion,
    id,
    version: nextVersion(tables, row.version),
    previousIndex: row.index,
    data: row.data,
    ...(isCascaded ? { cascaded: true } : {})
  })
}

/** The new record: it must differ from the present one, and keep every rule of the model. */
const decideRecord = (
  target: Target,
  id: string,
  asked: EncodedRecord,
  { former, row }: Present,
  written: EncodedRecord = asked
): Decided => {
  const { at, descriptor, table } = target
  const checked = newRecord(target, id, asked, { former, row }, written)
  if (Result.isFailure(checked)) return Result.fail(checked.failure)
  const data = checked.success
  const model = descriptor.name
  const isSame = former !== undefined && isEqual(former.shown, data)
  if (row !== undefined && row.modelVersion === descriptor.version && isSame) {
    const { createdIndex, version } = row
    const answer = {
      change: "unchanged",
      model,
      id,
      version,
      index: row.index,
      createdIndex,
      modelVersion: descriptor.version,
      record: data
    } as const
    return Result.succeed({ events: [], answer })
  }
  const broken = brokenBy(target, id, data, former?.shown)
  if (broken !== undefined) return Result.fail(broken)
  const last = row ?? table.tombstones.get(id) ?? { version: table.versionFloor, index: 0 }
  const version = nextVersion(target.tables, last.version)
  const type = row === undefined ? "created" : "updated"
  const createdIndex = row?.createdIndex ?? at.index
  const stored = former === undefined ? data : withUnknown(former, data)
  return Result.succeed({
    events: [{ type, model, modelVersion: descriptor.version, id, version, previousIndex: last.index, data: stored }],
    answer: {
      change: type,
      model,
      id,
      version,
      index: at.index,
      createdIndex,
      modelVersion: descriptor.version,
      record: data
    }
  })
}

const refuse = (rejection: Rejection): Result.Result<never, Rejection> => Result.fail(rejection)

const failsCondition = (row: Row | undefined, ifMatch: Put["ifMatch"]): boolean =>
  ifMatch !== undefined && (row === undefined || (ifMatch !== "*" && !ifMatch.includes(row.version)))

const versionConflict = (row: Row | undefined): Result.Result<never, Rejection> =>
  Result.fail({ _tag: "VersionConflict", currentVersion: row?.version ?? null })
