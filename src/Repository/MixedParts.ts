/**
 * Splits a change of a mixed record in two: the cluster decides one part, this node keeps the other (KeptParts.ts).
 * Local fields go into the node's own log and are never proposed.
 */
import { Result } from "effect"
import type { Caller } from "../Access/Caller.ts"
import type { Policy } from "../Access/Policy.ts"
import type { Operation } from "../Machine/Command.ts"
import { guardOf } from "../Machine/Guard.ts"
import { seesRecord } from "../Machine/GuardedOperation.ts"
import { type LocalPartRequest, shownPart, split, visible } from "../Machine/LocalParts.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import { get, type Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { errorsOfMerge, mergePatch } from "../Model/MergePatch.ts"

/** The part of a record that this node keeps once the cluster has changed the rest. */
export interface OwnPart {
  readonly how: LocalPartRequest["how"]
  readonly data: EncodedRecord
}

/** Both parts of a change. The node has no part if the model has no local fields. */
export interface Parted<O extends Operation> {
  readonly operation: O
  readonly own: OwnPart | undefined
}

/**
 * Splits a change. Refuses bad local fields before anything is proposed: the rest would be half of the request.
 * `held` is this node's part of the record, if it is known beforehand; a patch merges into it.
 */
export const partOf = <O extends Operation>(
  descriptor: Descriptor,
  operation: O,
  held: EncodedRecord | undefined
): Result.Result<Parted<O>, Rejection> => {
  if (descriptor.mode !== "mixed" || operation._tag === "Delete" || !isObject(operation.data)) {
    return Result.succeed({ operation, own: undefined })
  }
  const { local, replicated } = split(descriptor, operation.data)
  const merged = operation._tag === "Patch" ? mergedInto(descriptor, held, local) : local
  const wrong = checkPart(descriptor, { patch: local, merged })
  if (wrong !== undefined) return Result.fail(wrong)
  // Only a PUT clears the fields that it omits. A create finds nothing to clear.
  const isKept = operation._tag === "Put" || Object.keys(local).length > 0
  const own: OwnPart | undefined = isKept ? { how: howOf(operation), data: local } : undefined
  return Result.succeed({ operation: { ...operation, data: replicated }, own })
}

/** How to write the part of a change. */
export const howOf = ({ _tag }: Operation): OwnPart["how"] => (_tag === "Patch" ? "patch" : "put")

export const isObject = (data: unknown): data is EncodedRecord =>
  typeof data === "object" && data !== null && !Array.isArray(data)

/** Checks a merge into a part that is not known yet: it can check only whole values. */
const mergedInto = (descriptor: Descriptor, held: EncodedRecord | undefined, patch: EncodedRecord): EncodedRecord => {
  const looked = held === undefined ? Object.entries(patch).filter(([, value]) => !isObject(value)) : undefined
  const known = looked === undefined ? patch : Object.fromEntries(looked)
  return mergePatch(held ?? {}, known, descriptor.mergeShapes.localPart) as EncodedRecord
}

/**
 * This node's part of the record that a patch changes, if it is known beforehand. Nothing is known of a record that the
 * caller may not read: what is wrong with the patch would tell of it.
 */
export const heldPart = (
  node: {
    readonly member: { readonly tables: Tables; readonly policy: Policy | undefined }
    readonly local: { readonly tables: Tables }
  },
  descriptor: Descriptor,
  operation: Operation,
  caller: Caller
): EncodedRecord | undefined => {
  const { mode, name: model } = descriptor
  if (mode !== "mixed" || operation._tag !== "Patch") return undefined
  const { policy, tables } = node.member
  const row = get(tables, model, operation.id)
  if (row === undefined) return undefined
  const guard = guardOf(policy, caller)
  if (guard !== undefined && !seesRecord(guard, tables, operation)) return undefined
  return shownPart(descriptor, visible(node.local.tables, { model, id: operation.id, createdIndex: row.createdIndex }))
}

const checkPart = (
  descriptor: Descriptor,
  change: { readonly patch: EncodedRecord; readonly merged: EncodedRecord }
): Rejection | undefined => {
  const checked = descriptor.codecs.localPart({ ...change.merged, [descriptor.idField]: descriptor.idField })
  if (Result.isSuccess(checked)) return undefined
  const errors = errorsOfMerge(change, checked.failure).filter(({ path }) => path.split(".")[0] !== descriptor.idField)
  return errors.length === 0 ? undefined : { _tag: "InvalidRequest", errors }
}
