/** The statement of each account: its last entries, with the balance after each. */
import { Schema } from "effect"
import * as Projection from "lithair/projection"
import { Money, NonNegative, subtract } from "../Money.ts"
import { Account } from "../models.ts"

/** The projection counts an account's earlier entries, and does not keep them: a state lives in memory. */
export const statementEntriesMax = 50

/** By the account's id. An account's own events suffice: each has the balance after the change. */
export const statement = Projection.make("statement", {
  from: [Account],
  version: 1,
  state: Schema.Struct({
    owner: Schema.String,
    balance: NonNegative,
    /** The number of all entries, including the opening. */
    entryCount: Schema.Int,
    entries: Schema.Array(
      // `index` is that of the log: both accounts of a transfer have it in common.
      Schema.Struct({ index: Schema.Int, timeMs: Schema.Int, change: Money, balance: NonNegative })
    )
  }),
  initial: { owner: "", balance: "0.00", entryCount: 0, entries: [] },
  key: ({ id }) => id,
  evolve: (before, { index, record: { balance, owner }, timeMs, type }) => {
    if (type === "deleted") return undefined
    const entry = { index, timeMs, change: subtract(balance, before.balance), balance }
    return {
      owner,
      balance,
      entryCount: before.entryCount + 1,
      entries: [...before.entries, entry].slice(-statementEntriesMax)
    }
  }
})
