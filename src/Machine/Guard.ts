/**
 * What a caller may do: the rules of models and commands, folded with the caller, on the tables that are decided on or
 * read. Pure. `decide` and readers ask it, and `evolve` never does. docs/access.md.
 */
import { Result, type Schema } from "effect"
import type { Anonymous, Caller, Principal } from "../Access/Caller.ts"
import {
  type Condition,
  type FindSet,
  type Folded,
  fold,
  isEveryone,
  isNobody,
  type SetTooLarge,
  setMembersMaxCount
} from "../Access/fold.ts"
import type { Policy } from "../Access/Policy.ts"
import type { Action, Rule } from "../Access/Rule.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import * as FieldIndex from "./FieldIndex.ts"
import type { Filter } from "./Filter.ts"
import { compareKeys } from "./Order.ts"
import { keyOf } from "./OrderKey.ts"
import type { Rejection } from "./Rejection.ts"
import type { Table } from "./Table.ts"
import type { Tables } from "./Tables.ts"

/** A caller for whom rules hold. */
export interface Guard {
  readonly caller: Anonymous | Principal
  readonly policy: Policy
}

/** The guard of a caller. A node without a policy has none, and no rule holds for its own code. */
export const guardOf = (policy: Policy | undefined, caller: Caller): Guard | undefined =>
  policy === undefined || caller._tag === "System" ? undefined : { caller, policy }

/** The internal model of API keys (Repository/ApiKeys.ts). Its records are keys that count. */
export const apiKeyModel = "lithair/ApiKey"

/** Why the caller's credential counts no more; undefined if it does. The tables of a node's own log know no API keys. */
export const spent = ({ byModel }: Tables, { caller }: Guard, timeMs: number): Rejection | undefined => {
  if (caller._tag === "Anonymous") return undefined
  const { apiKey, expiresMs } = caller
  if (expiresMs !== undefined && timeMs >= expiresMs) return gone
  const keys = apiKey === undefined ? undefined : byModel.get(apiKeyModel)
  return keys === undefined || keys.rows.get(apiKey!.id)?.version === apiKey!.version ? undefined : gone
}

const gone: Rejection = { _tag: "Unauthenticated", isSpent: true }

/** The refusal of an act. It asks an anonymous caller to sign in. */
export const denied = ({ caller }: Guard, of: string, action: Action | "run"): Rejection =>
  caller._tag === "Anonymous" ? { _tag: "Unauthenticated", of, action } : { _tag: "Forbidden", of, action }

/** The records of a model to which the caller may do this. A model without rules is nobody's. */
export const reachOf = (
  guard: Guard,
  tables: Tables,
  { access }: Pick<Descriptor, "access">,
  action: Action
): Result.Result<Folded, Rejection> =>
  access === undefined
    ? Result.succeed([])
    : Result.mapError(fold(access.actions[action], guard.caller, findIn(guard, tables)), tooLarge)

/** Why the caller may not run a command; undefined if it may. */
export const refusedCall = (guard: Guard, tables: Tables, name: string): Rejection | undefined =>
  refusedRule(guard, tables, name, guard.policy.commands.get(name), "run")

/** Why a rule without a record does not hold for the caller; undefined if it does. Without a rule nothing holds. */
export const refusedRule = (
  guard: Guard,
  tables: Tables,
  of: string,
  rule: Rule | undefined,
  action: "run" | "read"
): Rejection | undefined => {
  if (rule === undefined) return denied(guard, of, action)
  const folded = fold(rule, guard.caller, findIn(guard, tables))
  if (Result.isFailure(folded)) return tooLarge(folded.failure)
  return isEveryone(folded.success) ? undefined : denied(guard, of, action)
}

/** Why the caller may do this to no record at all; undefined if to some. */
export const refusedWhole = (guard: Guard, folded: Folded, of: string, action: Action): Rejection | undefined =>
  isNobody(folded) ? denied(guard, of, action) : undefined

/** Whether a record is within reach. Values are compared as lists compare them. */
export const isWithin = (
  folded: Folded,
  { orders }: Pick<Table, "orders">,
  idField: string,
  { id, record }: { readonly id: string; readonly record: EncodedRecord }
): boolean => {
  const holds = ({ field, values }: Condition): boolean => {
    const order = orders.get(field)
    const held = keyOf(order, field === idField ? id : FieldIndex.heldBy(record, field))
    return held !== null && values.some((value) => compareKeys(keyOf(order, value), held) === 0)
  }
  return folded.some((branch) => branch.every(holds))
}

/** The branches as filters of a list. */
export const filtersOf = (folded: Folded): ReadonlyArray<ReadonlyArray<Filter>> =>
  folded.map((branch) => branch.map(({ field, values }): Filter => ({ _tag: "In", field, operands: values })))

const tooLarge = ({ name }: SetTooLarge): Rejection => ({ _tag: "SetTooLarge", name, max: setMembersMaxCount })

/** Finds the members of the caller's sets in the tables. The node refuses to start if a set has no index. */
const findIn =
  ({ caller, policy }: Guard, { byModel }: Tables): FindSet =>
  (name) => {
    const source = policy.sets.get(name)
    const table = source === undefined ? undefined : byModel.get(source.model)
    const index = source === undefined ? undefined : table?.indexes.get(source.by)
    if (source === undefined || table === undefined || index === undefined || caller._tag === "Anonymous") {
      return Result.succeed([])
    }
    const members: Array<Schema.Json> = []
    for (const id of FieldIndex.idsOf(index, keyOf(table.orders.get(source.by), caller.id), "asc")) {
      const row = table.rows.get(id)
      if (row === undefined) continue
      if (members.length === setMembersMaxCount) return Result.fail({ _tag: "SetTooLarge", name })
      members.push(FieldIndex.heldBy(FieldIndex.indexedOf(table, row), source.value))
    }
    return Result.succeed(members)
  }
