/**
 * Why an operation is refused before its record is looked at: it was written for another version of its model, its caller
 * may not do it, or its model forbids it. Pure.
 */
import { Result } from "effect"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { Operation, Put } from "./Command.ts"
import { newRecord, withId } from "./checkRecord.ts"
import { isUnseenPut, refusedOperation } from "./GuardedOperation.ts"
import type { Rejection } from "./Rejection.ts"
import { nothing, type Target } from "./Target.ts"

/** Why the operation is refused; undefined if it is not. */
export const refusalOf = (target: Target, operation: Operation): Rejection | undefined => {
  const { descriptor, guard } = target
  const otherVersion = versionRefusal(descriptor, operation)
  if (otherVersion !== undefined) return otherVersion
  if (guard !== undefined) {
    const refused = refusedOperation({ ...target, guard }, operation)
    const isUnseen = operation._tag === "Put" && isUnseenPut({ ...target, guard }, operation)
    if (isUnseen && refused?._tag === "NotFound") return refusalOfUnseen(target, operation, refused)
    if (refused !== undefined) return refused
  }
  return forbidden(target, operation)
}

/** Refuses an operation that was written in another version of the model's shape than this node would read it in. */
const versionRefusal = (
  { name: model, version }: Descriptor,
  { modelVersion = version }: Operation
): Rejection | undefined => {
  if (modelVersion === version) return undefined
  return modelVersion < version
    ? { _tag: "UpgradeRequired", model, isAskersRelease: true }
    : { _tag: "UpgradeRequired", model }
}

/**
 * Refuses operations that the model forbids to all, or to requests. A PUT creates or changes, and counts as the one it
 * would be.
 */
const forbidden = (
  { author, descriptor, table }: Target,
  operation: Operation,
  isUnseen = false
): Rejection | undefined => {
  const { name: model, writes } = descriptor
  const isNew = operation._tag === "Put" && (isUnseen || !table.rows.has(operation.id))
  const creates = operation._tag === "Create" || isNew
  if (operation._tag !== "Create" && writes.change === "never") return { _tag: "AppendOnly", model }
  const isForCommands =
    (creates && writes.create === "commands") || (operation._tag !== "Create" && writes.change === "commands")
  return isForCommands && author !== "command" ? { _tag: "CommandOnly", model } : undefined
}

/**
 * Why a PUT does not replace a record that the caller may not read: as it would be refused if there were none, since only
 * a caller who may create such a record learns that the id is taken.
 */
const refusalOfUnseen = (target: Target, put: Put, unseen: Rejection): Rejection =>
  // A condition fails for a missing record, too.
  put.ifMatch !== undefined
    ? unseen
    : (forbidden(target, put, true) ??
      Result.match(
        Result.flatMap(
          withId(target, put.data, put.id, () => put.id),
          ({ data }) => newRecord(target, put.id, data, nothing, data)
        ),
        { onFailure: (refused) => refused, onSuccess: () => unseen }
      ))
