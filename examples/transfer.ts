/** The handler of the command `transfer`, on the leader: three records of two models change together, or none. */
import { Effect } from "effect"
import * as Command from "lithair/command"
import { add, isLess, subtract } from "./Money.ts"
import { Account, InsufficientFunds, Transaction, transfer } from "./models.ts"

export const transferLayer = Command.layer(
  transfer,
  Effect.fnUntraced(function* ({ amount, from, to }) {
    const transaction = yield* Command.Transaction
    const source = yield* transaction.get(Account, from)
    const target = yield* transaction.get(Account, to)
    if (isLess(source.balance, amount)) return yield* new InsufficientFunds({ balance: source.balance })
    yield* transaction.patch(Account, from, { balance: subtract(source.balance, amount) })
    yield* transaction.patch(Account, to, { balance: add(target.balance, amount) })
    return yield* transaction.create(Transaction, { from, to, amount })
  })
)
