/**
 * The declared command of a simulated cluster: the leader decides a transfer of money by the balances there, all or
 * nothing. Not the transfer of a client that patches the records that it saw (Request.ts). D2.
 */
import { Result, type Schema } from "effect"
import type { Operation } from "../../Machine/Command.ts"
import type { Access, Procedures } from "../../Machine/Procedure.ts"
import type { Rejection } from "../../Machine/Rejection.ts"

/** The payload of the command. Clients send nothing else, so nothing here is checked. */
export interface TransferPayload {
  readonly from: string
  readonly to: string
  readonly amount: number
  /** The request's own text. */
  readonly by: string
}

/** The versions of both accounts after the transfer: first the giver's, then the taker's. */
export interface TransferSuccess {
  readonly versions: readonly [number, number]
}

const transfer = (access: Access, payload: unknown): Result.Result<Schema.Json, Rejection> => {
  const { amount, by, from, to } = payload as TransferPayload
  return Result.gen(function* () {
    const source = yield* balanceOf(access, from)
    const target = yield* balanceOf(access, to)
    if (source < amount) {
      const error = { _tag: "InsufficientFunds", balance: source }
      return yield* Result.fail<Rejection>({ _tag: "Declared", command: "transfer", error })
    }
    const given = yield* access.apply(patch(from, { balance: source - amount, by }))
    const taken = yield* access.apply(patch(to, { balance: target + amount, by }))
    yield* access.apply({ _tag: "Create", model: "Transfer", data: { from, to, amount, by } })
    return { versions: [given.version, taken.version] }
  })
}

const balanceOf = (access: Access, id: string): Result.Result<number, Rejection> =>
  Result.flatMap(access.get("Account", id), (account) =>
    account === undefined
      ? Result.fail<Rejection>({ _tag: "NotFound", model: "Account", id })
      : Result.succeed(Number(account.balance))
  )

const patch = (id: string, data: Schema.Json): Operation => ({ _tag: "Patch", model: "Account", id, data })

export const procedures: Procedures = new Map([["transfer", transfer]])
