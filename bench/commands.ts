/**
 * Declared commands: transfers of `examples/bank.ts`, with a key and without, beside a plain write of one record and
 * transactions without a handler; and how far the projection `statement` lags behind meanwhile, on the leader and on a
 * follower.
 */
import { openAccounts, opening, openingMany, openingThree, transfers } from "./Bank.ts"
import { readOptions } from "./Options.ts"
import type { BenchNode } from "./Processes.ts"
import { report } from "./Report.ts"
import { measure, type Run, type Variant } from "./Runs.ts"
import { median, percentile, rate, table } from "./Statistics.ts"

const base = "a plain write"
const batchCount = 100
/** Records stay, and a table that grew by 100 a request would weigh on what is measured after it. */
const batchAnswersMax = 200

/** Entries that the node has applied and its `statement` does not reflect. */
const lagOf = async ({ url }: BenchNode): Promise<number> => {
  const response = await fetch(`${url}/api/_projections`)
  const { items } = (await response.json()) as { readonly items: ReadonlyArray<Readonly<Record<string, unknown>>> }
  const found = items.find(({ name }) => name === "statement")
  if (typeof found?.lag !== "number" || found.state !== "following") throw new Error("The statement is not followed")
  return found.lag
}

/** What is said of the lag, of one node in one line. */
const lags = (samples: ReadonlyArray<number>): ReadonlyArray<string> => {
  const ascending = [...samples].sort((a, b) => a - b)
  return [median(ascending), percentile(ascending, 0.99), percentile(ascending, 1)].map(rate)
}

const reportLag = (runs: ReadonlyArray<Run>): void => {
  const rows = (runs[0] ?? []).flatMap(({ clients, variants }, stepAt) =>
    variants.map(({ name }, variantAt) => {
      const samples = runs.flatMap((run) => run[stepAt]?.variants[variantAt]?.samples ?? [])
      const ofNode = (at: number) => lags(samples.map((sample) => sample[at] ?? Number.NaN))
      return [`${clients}, ${name}`, rate(samples.length), ...ofNode(0), ...ofNode(1)]
    })
  )
  console.log("\nThe lag of the projection `statement` meanwhile, in entries:\n")
  console.log(
    table(["clients, of", "samples", "leader: median", "p99", "most", "a follower: median", "p99", "most"], rows)
  )
}

const runs = await measure(
  readOptions(),
  async ({ followers, leader }) => {
    const { url } = leader
    const transfer = transfers(url, await openAccounts(url))
    const nodes = [leader, ...followers.slice(0, 1)]
    const variants: ReadonlyArray<Variant> = [
      { name: base, request: opening(url) },
      { name: "a transfer", request: transfer },
      { name: "a transfer with a key", request: { ...transfer, isKeyed: true } },
      { name: "a transaction of 3 records", request: openingThree(url) },
      {
        name: `records of a batch of ${batchCount}`,
        request: { ...openingMany(url, batchCount), answersMax: batchAnswersMax },
        countPerAnswer: batchCount
      }
    ]
    return variants.map((variant) => ({ ...variant, sample: () => Promise.all(nodes.map(lagOf)) }))
  },
  { example: "bank" }
)
report("Commands", runs, { base })
reportLag(runs)
