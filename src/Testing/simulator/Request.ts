/** The requests of a simulated cluster's clients: as commands of the machine, and as operations of a history. Pure. */
import type { Schema } from "effect"
import type { Command, Operation } from "../../Machine/Command.ts"
import type { CommandResult } from "../../Machine/CommandResult.ts"
import type { Row } from "../../Machine/Table.ts"
import { accounts, modelOf, openingBalance } from "./Models.ts"
import type { TransferPayload, TransferSuccess } from "./Procedures.ts"

export type Request =
  | { readonly _tag: "Read"; readonly key: string; readonly mayLease: boolean }
  | { readonly _tag: "Create"; readonly key: string }
  | { readonly _tag: "Write"; readonly key: string }
  /** A patch of the version that the client saw last. */
  | { readonly _tag: "CompareAndSet"; readonly key: string }
  | { readonly _tag: "Delete"; readonly key: string }
  /** Creates a record under an id that the leader makes. */
  | { readonly _tag: "Append" }
  /** Opens all accounts at once. */
  | { readonly _tag: "Open" }
  /** Both patches of the versions that the client saw last, or neither. It moves no more than the client saw there. */
  | { readonly _tag: "Transfer"; readonly from: string; readonly to: string; readonly amount: number }
  /** The same by the declared command: the leader checks the balance, and may refuse. */
  | { readonly _tag: "Call"; readonly from: string; readonly to: string; readonly amount: number }
  /** Puts or deletes a record whose content nobody judges. */
  | { readonly _tag: "Scrap"; readonly key: string; readonly isDeleted: boolean }
  /** Sends another request with the key of an answered one. The leader must refuse it. */
  | { readonly _tag: "Reuse" }

/** The state of a record that a client saw last. */
export interface Seen {
  readonly version: number
  readonly value: Schema.Json
}

/** One operation on one record, as in History.ts. */
export interface Invocation {
  readonly key: string
  readonly op: string
  readonly value: Schema.Json
  /** Its position among the operations of the command. */
  readonly position: number
}

/** The operations of a request, for a client that has `seen` these records. `tag` is the request's own text. */
export const invocationsOf = (
  request: Request,
  seen: ReadonlyMap<string, Seen>,
  tag: string
): ReadonlyArray<Invocation> => {
  const one = (key: string, op: string, value: Schema.Json, position = 0): Invocation => ({ key, op, value, position })
  const compareAndSet = (key: string, value: Schema.Json, position: number) =>
    one(key, "cas", { ifVersion: seen.get(key)?.version ?? 1, value }, position)
  switch (request._tag) {
    case "Read":
      return [one(request.key, "read", null)]
    case "Create":
      return [one(request.key, "create", { value: tag })]
    case "Write":
      return [one(request.key, "write", { value: tag })]
    case "CompareAndSet":
      return [compareAndSet(request.key, { value: tag }, 0)]
    case "Delete":
      return [one(request.key, "delete", null)]
    case "Open":
      return accounts.map((account, at) => one(account, "create", { balance: openingBalance, by: tag }, at))
    case "Transfer": {
      const { from, to } = request
      const amount = Math.min(request.amount, balanceOf(seen.get(from)))
      return [
        compareAndSet(from, { balance: balanceOf(seen.get(from)) - amount, by: tag }, 0),
        compareAndSet(to, { balance: balanceOf(seen.get(to)) + amount, by: tag }, 1)
      ]
    }
    case "Call": {
      const { amount, from, to } = request
      return [one(from, "withdraw", { amount, by: tag }, 0), one(to, "deposit", { amount, by: tag }, 1)]
    }
    case "Append":
    case "Scrap":
    case "Reuse":
      return []
  }
}

const balanceOf = (seen: Seen | undefined): number => {
  const value = seen?.value
  const isAccount = typeof value === "object" && value !== null && "balance" in value
  return isAccount ? Number(value.balance) : openingBalance
}

/** The command of a write. */
export const commandOf = (request: Request, invocations: ReadonlyArray<Invocation>, tag: string): Command => {
  if (request._tag === "Call") {
    const { amount, from, to } = request
    return { _tag: "Call", name: "transfer", payload: { from, to, amount, by: tag } satisfies TransferPayload }
  }
  if (request._tag === "Scrap") {
    const at = { model: "Scrap", id: request.key }
    return request.isDeleted ? { _tag: "Delete", ...at } : { _tag: "Put", ...at, data: { text: tag } }
  }
  const operations = invocations.map(operationOf)
  const [only] = operations
  if (request._tag === "Append" || request._tag === "Reuse" || only === undefined) {
    return { _tag: "Create", model: "Note", data: { text: tag } }
  }
  return request._tag === "Open" || request._tag === "Transfer" ? { _tag: "Transact", operations } : only
}

const operationOf = ({ key: id, op, value }: Invocation): Operation => {
  const model = modelOf(id)
  switch (op) {
    case "create":
      return { _tag: "Create", model, id, data: value }
    case "cas": {
      const { ifVersion, value: data } = value as { readonly ifVersion: number; readonly value: Schema.Json }
      return { _tag: "Patch", model, id, data, ifMatch: [ifVersion] }
    }
    case "delete":
      return { _tag: "Delete", model, id }
    default:
      return { _tag: "Put", model, id, data: value }
  }
}

/** The answer of a read of a record. */
export const readOf = (row: Row | undefined): Schema.Json => {
  if (row === undefined) return null
  const { id: _, ...value } = row.data
  return { value, version: row.version }
}

/** The answer to one operation; undefined if the command was refused because of another operation. */
export const answerOf = (
  { op, position }: Invocation,
  result: CommandResult
): { readonly type: "ok" | "fail"; readonly result: Schema.Json } | undefined => {
  if (result._tag === "Accepted") {
    const { operations, value } = result.answer
    const called = value as unknown as TransferSuccess | undefined
    const version = op === "withdraw" || op === "deposit" ? called?.versions[position] : operations[position]?.version
    return { type: "ok", result: op === "delete" ? "deleted" : { version: version ?? 0 } }
  }
  const { rejection } = result
  if ((rejection.operation ?? 0) !== position) return undefined
  switch (rejection._tag) {
    case "AlreadyExists":
      return { type: "fail", result: "exists" }
    case "NotFound":
      return { type: "fail", result: "absent" }
    case "VersionConflict":
      return { type: "fail", result: { currentVersion: rejection.currentVersion } }
    case "Declared":
      return { type: "fail", result: { balance: rejection.error.balance ?? null } }
    default:
      return undefined
  }
}
