/**
 * Judges operations and records by the rules of their models. Pure. The order of the answers tells nothing of a record
 * that the caller may not read: first the read rule (not found), then the rule of the act (forbidden), and everything
 * else, conditions included, after that.
 */
import { Result } from "effect"
import { isEveryone } from "../Access/fold.ts"
import type { Action } from "../Access/Rule.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import type { Create, Operation, Put } from "./Command.ts"
import { denied, type Guard, isWithin, reachOf, refusedWhole } from "./Guard.ts"
import { unreadable } from "./ReadRow.ts"
import type { Rejection } from "./Rejection.ts"
import type { Row, Table } from "./Table.ts"
import type { Tables } from "./Tables.ts"

/** A model whose rules hold for a caller. */
export interface Guarded {
  readonly descriptor: Descriptor
  readonly table: Table
  readonly tables: Tables
  readonly guard: Guard
}

/** Why the caller may not do the operation, as far as that is known before the new record is; undefined if it may. */
export const refusedOperation = (guarded: Guarded, operation: Operation): Rejection | undefined => {
  const { descriptor, table } = guarded
  const model = descriptor.name
  // To clients there is no such model.
  if (descriptor.access === undefined || !descriptor.isServed) return { _tag: "NotFound", model }
  const row = operation._tag === "Create" ? undefined : table.rows.get(operation.id)
  if (operation._tag === "Create" || (operation._tag === "Put" && row === undefined)) {
    return refusedCreation(guarded, operation)
  }
  const { id } = operation
  if (row === undefined) return refusedAtAll(guarded, "read") ?? missing(guarded, id)
  const unseen = refusedRecord(guarded, "read", { id, row })
  if (unseen !== undefined) {
    if (!isDenial(unseen)) return unseen
    // The answer of a PUT must not tell the record from a missing one, which the PUT would create.
    const refused = operation._tag === "Put" ? refusedCreation(guarded, operation) : refusedAtAll(guarded, "read")
    return refused ?? { _tag: "NotFound", model, id }
  }
  return refusedRecord(guarded, operation._tag === "Delete" ? "delete" : "update", { id, row })
}

/** Whether a PUT is of a record that is there, and that the caller may not read. */
export const isUnseenPut = (guarded: Guarded, { id }: Put): boolean => {
  const row = guarded.table.rows.get(id)
  const unseen = row === undefined ? undefined : refusedRecord(guarded, "read", { id, row })
  return unseen !== undefined && isDenial(unseen)
}

const isDenial = ({ _tag }: Rejection): boolean => _tag === "Forbidden" || _tag === "Unauthenticated"

/** Why the caller may not create the record, as far as that is known before it is. */
const refusedCreation = (guarded: Guarded, operation: Create | Put): Rejection | undefined => {
  const isConditional = operation._tag === "Put" && operation.ifMatch !== undefined
  return refusedAtAll(guarded, "create") ?? (isConditional ? missing(guarded, operation.id) : undefined)
}

/** A condition on a missing record must not tell it from one that the caller may not read. */
const missing = ({ descriptor, guard, tables }: Guarded, id: string): Rejection | undefined => {
  const reach = reachOf(guard, tables, descriptor, "read")
  if (Result.isFailure(reach)) return reach.failure
  return isEveryone(reach.success) ? undefined : { _tag: "NotFound", model: descriptor.name, id }
}

const refusedAtAll = ({ descriptor, guard, tables }: Guarded, action: Action): Rejection | undefined =>
  Result.match(reachOf(guard, tables, descriptor, action), {
    onFailure: (rejection) => rejection,
    onSuccess: (folded) => refusedWhole(guard, folded, descriptor.name, action)
  })

/** Why the caller may not do this to a record, as it is stored or will be; undefined if it may. */
export const refusedRecord = (
  { descriptor, guard, table, tables }: Guarded,
  action: Action,
  of: { readonly id: string } & ({ readonly row: Row } | { readonly data: EncodedRecord })
): Rejection | undefined => {
  const reach = reachOf(guard, tables, descriptor, action)
  if (Result.isFailure(reach)) return reach.failure
  if (isEveryone(reach.success)) return undefined
  const record = recordOf(descriptor, of)
  // A record that cannot be read is not seen, and otherwise it cannot be judged.
  if (Result.isFailure(record)) return action === "read" ? denied(guard, descriptor.name, action) : record.failure
  return isWithin(reach.success, table, descriptor.idField, { id: of.id, record: record.success })
    ? undefined
    : denied(guard, descriptor.name, action)
}

const recordOf = (
  { name, read }: Descriptor,
  of: { readonly id: string } & ({ readonly row: Row } | { readonly data: EncodedRecord })
): Result.Result<EncodedRecord, Rejection> =>
  "data" in of
    ? Result.succeed(of.data)
    : Result.mapBoth(read.record(of.row), {
        onFailure: unreadable({ model: name, id: of.id }),
        onSuccess: ({ shown }) => shown
      })

/** Whether the caller may read a record of any model. A record that this release cannot read is not seen. */
export const seesRecord = (
  guard: Guard,
  tables: Tables,
  { id, model }: { readonly id: string; readonly model: string }
): boolean => {
  const descriptor = tables.descriptors.get(model)
  const table = tables.byModel.get(model)
  const row = table?.rows.get(id)
  if (descriptor === undefined || table === undefined || row === undefined || !descriptor.isServed) return false
  return refusedRecord({ descriptor, table, tables, guard }, "read", { id, row }) === undefined
}
