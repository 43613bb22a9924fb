/** Closed loops: writes, reads, transactions, and reads of projections. */
import { onNode, openAccounts, transfers } from "../Lithair.ts"
import { runLoad } from "../Load.ts"
import { measure, type Variant } from "../Measure.ts"
import type { Cluster, System } from "../Systems.ts"
import type { Line } from "./Line.ts"

/** Records that reads ask for, in turn. */
const recordsCount = 256

type Prepare = (cluster: Cluster) => Promise<ReadonlyArray<Variant>> | ReadonlyArray<Variant>

const closed = (
  title: string,
  clients: ReadonlyArray<number>,
  prepare: Prepare,
  choose: (systems: ReadonlyArray<System>) => ReadonlyArray<System> = (systems) => systems
): Line => ({
  title,
  run: ({ name, options, systems }) =>
    measure({
      ...options,
      line: name,
      systems: choose(systems),
      clients: options.clients ?? clients,
      prepare: async (cluster) => prepare(cluster)
    })
})

export const writes = closed("Writes", [1, 16, 64, 256], ({ followers, leader, system: { api } }) => {
  const toLeader = api.write(leader.url)
  const toAll = {
    ...toLeader,
    requests: [leader, ...followers].flatMap(({ url }) => api.write(url).requests)
  }
  return [
    { what: "writes to the leader", ask: toLeader },
    ...(followers.length === 0 ? [] : [{ what: "writes to all nodes in turn", ask: toAll }])
  ]
})

export const reads = closed("Reads", [1, 16, 64, 256], async ({ followers, leader, system: { api } }) => {
  const names = await api.fill(leader.url, recordsCount)
  const [follower] = followers
  const atLeader = { what: "linearizable reads at the leader", ask: api.read(leader.url, names) }
  if (follower === undefined) return [atLeader]
  return [
    atLeader,
    { what: "linearizable reads at a follower", ask: api.read(follower.url, names) },
    ...(api.readLocal === undefined
      ? []
      : [{ what: "local reads at a follower", ask: api.readLocal(follower.url, names) }])
  ]
})

export const transactions = closed("Transactions", [1, 16, 64], async ({ leader, system: { api } }) => {
  const transfer = await api.transfers?.(leader.url)
  return [
    { what: "a plain write", ask: api.write(leader.url) },
    { what: "transactions of 3 new records", ask: api.transaction?.(leader.url) },
    { what: "batches of 100 new records", ask: api.writeMany?.(leader.url, 100) },
    { what: "a transfer between accounts", ask: transfer }
  ].flatMap(({ ask, what }) => (ask === undefined ? [] : [{ what, ask }]))
})

/** Enough for every statement to be as long as it gets: each account has 20 entries of 1,000 transfers. */
const fillMs = 3000

/** A statement has 50 entries; the audit has four fields, as a record has. */
export const projections = closed(
  "Linearizable reads of projections",
  [1, 16, 64],
  async ({ leader: { url } }) => {
    const ids = await openAccounts(url)
    await runLoad({ ...transfers(url, ids), clients: 64, warmUpMs: 0, measureMs: fillMs })
    const get = (what: string, paths: ReadonlyArray<string>): Variant => ({
      what,
      ask: { requests: paths.map((path) => ({ method: "GET", url: url + path })), expectedStatus: 200 }
    })
    return [
      get(
        "an account",
        ids.map((id) => `/api/accounts/${id}`)
      ),
      get("the projection `audit`", ["/api/_projections/audit"]),
      get(
        "the projection `statement` of an account",
        ids.map((id) => `/api/_projections/statement?key=${id}`)
      )
    ]
  },
  () => [onNode({ program: "examples/bank.ts" })]
)
