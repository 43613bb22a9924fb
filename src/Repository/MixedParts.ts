/**
 * A change of a mixed record in two: what the cluster decides of it, and what this node keeps (KeptParts.ts).
 * DESIGN D4: the fields that are local go into the node's own log, and are never proposed.
 */
import { Result } from "effect"
import type { Operation } from "../Machine/Command.ts"
import { type LocalPartRequest, split } from "../Machine/LocalParts.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import type { Descriptor, EncodedRecord } from "../Model.ts"

/** What this node is to keep of a record, once the cluster has changed the rest. */
export interface OwnPart {
  readonly how: LocalPartRequest["how"]
  readonly data: EncodedRecord
}

/** Both parts of a change; no part of it is this node's where the model has no local fields. */
export interface Parted<O extends Operation> {
  readonly operation: O
  readonly own: OwnPart | undefined
}

/** Parts a change. Bad local fields refuse it before anything is proposed: the rest alone would be half of the request. */
export const partOf = <O extends Operation>(
  descriptor: Descriptor,
  operation: O
): Result.Result<Parted<O>, Rejection> => {
  if (descriptor.mode !== "mixed" || operation._tag === "Delete" || !isObject(operation.data)) {
    return Result.succeed({ operation, own: undefined })
  }
  const { local, replicated } = split(descriptor, operation.data)
  const isPatch = operation._tag === "Patch"
  const wrong = checkPart(descriptor, isPatch ? withoutNulls(local) : local)
  if (wrong !== undefined) return Result.fail(wrong)
  // A PUT clears what it omits, here only; a create finds nothing to clear.
  const isKept = operation._tag === "Put" || Object.keys(local).length > 0
  const own: OwnPart | undefined = isKept ? { how: howOf(operation), data: local } : undefined
  return Result.succeed({ operation: { ...operation, data: replicated }, own })
}

/** How the part of a change is set. */
export const howOf = (operation: Operation): OwnPart["how"] => {
  if (operation._tag !== "Patch") return "put"
  return operation.isByField === true ? "fields" : "patch"
}

export const isObject = (data: unknown): data is EncodedRecord =>
  typeof data === "object" && data !== null && !Array.isArray(data)

/** In a merge patch null removes (RFC 7396), and is no value. */
const withoutNulls = (data: EncodedRecord): EncodedRecord =>
  Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null))

const checkPart = (descriptor: Descriptor, data: EncodedRecord): Rejection | undefined => {
  const checked = descriptor.codecs.localPart({ ...data, [descriptor.idField]: descriptor.idField })
  if (Result.isSuccess(checked)) return undefined
  const errors = checked.failure.filter(({ path }) => path.split(".")[0] !== descriptor.idField)
  return errors.length === 0 ? undefined : { _tag: "InvalidRequest", errors }
}
