/** An audit of all accounts: the money with which they were opened, and the number of transfers since. */
import { Schema } from "effect"
import * as Projection from "lithair/projection"
import { add } from "../Money.ts"
import { Account, Transaction } from "../models.ts"

export const audit = Projection.make("audit", {
  from: [Account, Transaction],
  version: 1,
  // Sums of any length: together accounts may hold more than one of them can.
  state: Schema.Struct({ accounts: Schema.Int, opened: Schema.String, transfers: Schema.Int, moved: Schema.String }),
  initial: { accounts: 0, opened: "0.00", transfers: 0, moved: "0.00" },
  evolve: (sums, event) => {
    if (event.type !== "created") return sums
    if (Projection.isOf(event, Account)) {
      return { ...sums, accounts: sums.accounts + 1, opened: add(sums.opened, event.record.balance) }
    }
    if (Projection.isOf(event, Transaction)) {
      return { ...sums, transfers: sums.transfers + 1, moved: add(sums.moved, event.record.amount) }
    }
    return sums
  }
})
