/** What a client of a simulated cluster may ask: as a command of the machine, and as operations of a history. Pure. */
import type { Schema } from "effect"
import type { Command, Operation } from "../../Machine/Command.ts"
import type { CommandResult } from "../../Machine/CommandResult.ts"
import type { Row } from "../../Machine/Tables.ts"
import { accounts, modelOf, openingBalance } from "./Models.ts"
import type { TransferPayload, TransferSuccess } from "./Procedures.ts"

export type Request =
  | { readonly _tag: "Read"; readonly key: string; readonly mayLease: boolean }
  | { readonly _tag: "Create"; readonly key: string }
  | { readonly _tag: "Write"; readonly key: string }
  /** A patch of the version that the client saw last. */
  | { readonly _tag: "CompareAndSet"; readonly key: string }
  | { readonly _tag: "Delete"; readonly key: string }
  /** A record of its own, under an id that the leader makes. */
  | { readonly _tag: "Append" }
  /** All accounts at once. */
  | { readonly _tag: "Open" }
  /** Two patches of the versions that the client saw last, or neither; of no more than it saw there. */
  | { readonly _tag: "Transfer"; readonly from: string; readonly to: string; readonly amount: number }
  /** The same by the declared command: the leader looks at the balance, and may refuse. */
  | { readonly _tag: "Call"; readonly from: string; readonly to: string; readonly amount: number }
  /** A record that comes and goes, of which nobody judges what it is in between. */
  | { readonly _tag: "Scrap"; readonly key: string; readonly isDeleted: boolean }
  /** The key of a request that was answered, with another request: to be refused. */
  | { readonly _tag: "Reuse" }

/** What a client saw last of a record. */
export interface Seen {
  readonly version: number
  readonly value: Schema.Json
}

/** One operation on one record, as History.ts has it. */
export interface Invocation {
  readonly key: string
  readonly op: string
  readonly value: Schema.Json
  /** Its position among the operations of the command. */
  readonly position: number
}

/** What a request becomes for a client that has seen so much; `tag` is a text of its own. */
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

/** The command of a request that is no read. */
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

/** What a read of a record says. */
export const readOf = (row: Row | undefined): Schema.Json => {
  if (row === undefined) return null
  const { id: _, ...value } = row.data
  return { value, version: row.version }
}

/** What an operation's client is told of it: undefined, where the command was refused because of another one. */
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
