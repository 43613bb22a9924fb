/**
 * What a reader may read, on the tables that a read is answered from. A credential is looked up again there, so that it
 * counts no more from the entry of its revocation on. Machine/Guard.ts has the rules.
 */
import { Data, Result } from "effect"
import type { Caller } from "../Access/Caller.ts"
import { type Folded, isEveryone } from "../Access/fold.ts"
import type { Policy } from "../Access/Policy.ts"
import type { Rule } from "../Access/Rule.ts"
import { guardOf, isWithin, reachOf, refusedRule, refusedWhole, spent } from "../Machine/Guard.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import type { Table } from "../Machine/Table.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { answerBy, type Problem, responds } from "../Problem.ts"
import type * as Freshness from "./Freshness.ts"
import { problemOfRejection } from "./RejectionProblem.ts"

/** The caller may not read this. Answers with 401 or 403. */
export class AccessDenied extends Data.TaggedError("AccessDenied")<{ readonly rejection: Rejection }> {
  override get message(): string {
    return `The read was refused: ${this.rejection._tag}`
  }
  toProblem(): Problem {
    return problemOfRejection(this.rejection, undefined)
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** The value of a read, and the index of the replicated log that it reflects. */
export interface Read<A> extends Freshness.Freshness {
  readonly value: A
  readonly logIndex: number
}

/** Why a read is not answered: this node cannot, or the caller may not. */
export type ReadFailure = Freshness.ReadFailure | AccessDenied

/** The state that a read is judged by. */
export interface Judging {
  readonly policy: Policy | undefined
  /** The tables of the cluster, which have the API keys and the sets of callers. */
  readonly tables: Tables
  readonly nowMs: number
}

const everyone: Result.Result<undefined> = Result.succeed(undefined)

/** The records of a model that the caller may read; undefined for all of them. */
export const readReach = (
  { nowMs, policy, tables }: Judging,
  caller: Caller,
  descriptor: Pick<Descriptor, "access" | "isServed" | "name">
): Result.Result<Folded | undefined, AccessDenied> => {
  const guard = guardOf(policy, caller)
  if (guard === undefined) return everyone
  const gone = spent(tables, guard, nowMs)
  if (gone !== undefined) return refuse(gone)
  if (!descriptor.isServed) return refuse({ _tag: "NotFound", model: descriptor.name })
  const reach = reachOf(guard, tables, descriptor, "read")
  if (Result.isFailure(reach)) return refuse(reach.failure)
  const refused = refusedWhole(guard, reach.success, descriptor.name, "read")
  if (refused !== undefined) return refuse(refused)
  return isEveryone(reach.success) ? everyone : Result.succeed(reach.success)
}

/** Why the caller may not read something without records; undefined if it may. */
export const refusedRead = (
  { nowMs, policy, tables }: Judging,
  caller: Caller,
  { name, rule }: { readonly name: string; readonly rule: Rule | undefined }
): AccessDenied | undefined => {
  const guard = guardOf(policy, caller)
  const rejection =
    guard === undefined ? undefined : (spent(tables, guard, nowMs) ?? refusedRule(guard, tables, name, rule, "read"))
  return rejection === undefined ? undefined : new AccessDenied({ rejection })
}

/** Why the caller's credential counts no more; undefined if it does. */
export const spentCredential = ({ nowMs, policy, tables }: Judging, caller: Caller): AccessDenied | undefined => {
  const guard = guardOf(policy, caller)
  const rejection = guard === undefined ? undefined : spent(tables, guard, nowMs)
  return rejection === undefined ? undefined : new AccessDenied({ rejection })
}

/** Whether the caller may read a record, as it was or is. */
export const isReadable = (
  reach: Folded | undefined,
  descriptor: Pick<Descriptor, "idField" | "orders">,
  of: { readonly id: string; readonly record: EncodedRecord }
): boolean => reach === undefined || isWithin(reach, descriptor as Pick<Table, "orders">, descriptor.idField, of)

const refuse = (rejection: Rejection): Result.Result<never, AccessDenied> =>
  Result.fail(new AccessDenied({ rejection }))
