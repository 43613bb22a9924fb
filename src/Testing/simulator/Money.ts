/** Checks the money that the clients of a simulated cluster move, in the tables of any node at any entry. */
import * as Tables from "../../Machine/Tables.ts"
import type { NodeId } from "../../Raft/core/Message.ts"
import { fail } from "./Failure.ts"
import { accounts, openingBalance } from "./Models.ts"

const balancesOf = (tables: Tables.Tables): ReadonlyMap<string, number> =>
  new Map(
    accounts.flatMap((account) => {
      const row = Tables.get(tables, "Account", account)
      return row === undefined ? [] : [[account, Number(row.data.balance)]]
    })
  )

/** One command opens all accounts, and only transfers move money between them: so the sum never changes. */
export const isConserved = (id: NodeId, tables: Tables.Tables): void => {
  const balances = balancesOf(tables)
  let sum = 0
  for (const [account, balance] of balances) {
    if (balance < 0) fail(`${id}: account ${account} is overdrawn at entry ${tables.index}`)
    sum += balance
  }
  if (sum !== balances.size * openingBalance || (balances.size > 0 && balances.size < accounts.length)) {
    fail(`${id}: ${balances.size} accounts hold ${sum} at entry ${tables.index}`)
  }
}

/** If money moves only by command, each transfer has one record, and the records explain every balance. */
export const isRecorded = (id: NodeId, tables: Tables.Tables): void => {
  const records = [...(tables.byModel.get("Transfer")?.rows.values() ?? [])].map(({ data }) => data)
  if (records.length === 0) return
  if (new Set(records.map(({ by }) => by)).size < records.length) fail(`${id}: a transfer is recorded twice`)
  for (const [account, balance] of balancesOf(tables)) {
    const moved = records.reduce((total, { amount, from, to }) => {
      return total + (to === account ? Number(amount) : 0) - (from === account ? Number(amount) : 0)
    }, openingBalance)
    if (moved !== balance) fail(`${id}: ${account} holds ${balance}, and by the records of transfers ${moved}`)
  }
}
