/**
 * Linearizable reads of projections beside those of a record, at the leader: while nothing is written, and while
 * transfers are, each of which a read then waits for to be folded. A statement has 50 entries; the audit has four fields,
 * as a record has.
 */
import { openAccounts, transfers } from "./Bank.ts"
import { runLoad } from "./Load.ts"
import { readOptions } from "./Options.ts"
import { report } from "./Report.ts"
import { besideClients, measure, type Variant } from "./Runs.ts"

const base = "a record"

/** Enough for every statement to be as long as it gets: each account has 20 entries of 1,000 transfers. */
const fillCount = 4_000
const fillMaxMs = 60_000

const measureReads = (isBeside: boolean) =>
  measure(
    readOptions(),
    async ({ leader: { url } }) => {
      const ids = await openAccounts(url)
      const transfer = transfers(url, ids)
      await runLoad({ ...transfer, clients: 10, warmUpMs: 0, measureMs: fillMaxMs, answersMax: fillCount })
      const get = (name: string, paths: ReadonlyArray<string>): Variant => ({
        name,
        request: { urls: paths.map((path) => url + path), method: "GET", expectedStatus: 200 },
        ...(isBeside ? { beside: transfer } : {})
      })
      return [
        get(
          base,
          ids.map((id) => `/api/accounts/${id}`)
        ),
        get("the audit", ["/api/_projections/audit"]),
        get(
          "a statement",
          ids.map((id) => `/api/_projections/statement?key=${id}`)
        )
      ]
    },
    { example: "bank" }
  )

report("Linearizable reads, nothing written", await measureReads(false), { base })
report(`Linearizable reads beside transfers of ${besideClients} clients`, await measureReads(true), { base })
