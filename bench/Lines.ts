/** The lines of a comparison by name: what each asks, and how it is reported. */
import { measure, type Variant } from "./Measure.ts"
import type { Options } from "./Options.ts"
import { conditions, tables } from "./Report.ts"
import type { Cluster, System } from "./Systems.ts"

export interface Context {
  readonly systems: ReadonlyArray<System>
  readonly options: Options
}

/** Records that reads ask for, in turn. */
const recordsCount = 256

/** A line of closed loops. */
const closed =
  (
    line: string,
    title: string,
    clients: ReadonlyArray<number>,
    prepare: (cluster: Cluster) => Promise<ReadonlyArray<Variant>> | ReadonlyArray<Variant>
  ) =>
  async ({ options, systems }: Context): Promise<void> => {
    const plan = { line, systems, clients: options.clients ?? clients, prepare: async (each: Cluster) => prepare(each) }
    const samples = await measure({ ...options, ...plan })
    console.log(`\n## ${title}\n\n${conditions(samples)}\n\n${tables(samples)}`)
  }

const writes = closed("writes", "Writes", [1, 16, 64, 256], ({ followers, leader, system: { api } }) => {
  const asks = [leader, ...followers].map(({ url }) => api.write(url))
  const [toLeader] = asks
  if (toLeader === undefined) return []
  const toAll = { ...toLeader, requests: asks.flatMap(({ requests }) => requests) }
  return [
    { what: "writes to the leader", ask: toLeader },
    ...(followers.length === 0 ? [] : [{ what: "writes to all nodes in turn", ask: toAll }])
  ]
})

const reads = closed("reads", "Reads", [1, 16, 64, 256], async ({ followers, leader, system: { api } }) => {
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

const transactions = closed("transactions", "Transactions", [1, 16, 64], async ({ leader, system: { api } }) => {
  const transfers = await api.transfers?.(leader.url)
  return [
    { what: "a plain write", ask: api.write(leader.url) },
    { what: "transactions of 3 new records", ask: api.transaction?.(leader.url) },
    { what: "batches of 100 new records", ask: api.writeMany?.(leader.url, 100) },
    { what: "a transfer between accounts", ask: transfers }
  ].flatMap(({ ask, what }) => (ask === undefined ? [] : [{ what, ask }]))
})

export const lines: Readonly<Record<string, (context: Context) => Promise<void>>> = { writes, reads, transactions }
