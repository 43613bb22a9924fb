/**
 * What writes cost while a follower catches up: their rate during that time, beside the rate just before and after it
 * within the same run. The follower is paused (SIGSTOP) while the log grows, and goes on: so it is far behind without
 * the cost of a process that starts. Once by the log, once by a snapshot, of which the log keeps little.
 */
import { parseArgs } from "node:util"
import { waitForQuiet, watchCpu } from "./Cpu.ts"
import { type BenchNode, type Cluster, type LoadClient, startClient, startCluster } from "./Processes.ts"
import { median, rate, short, table } from "./Statistics.ts"

const clients = 16
/** A record of a kilobyte: what a follower lacks is megabytes after seconds. */
const body = JSON.stringify({ name: "A".repeat(1000), price: "19.90" })
const warmUpMs = 4_000
const baseMs = 3_000
/** One window of writes while the follower catches up. */
const windowMs = 1_000
/** A follower that has applied all but so few entries has caught up. */
const lagMaxCount = 2_000
const catchUpMaxMs = 60_000
const quietWaitMs = 10_000

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, "behind-ms": { type: "string", default: "12000" } }
})
const rounds = Number(values.rounds)
const behindMs = Number(values["behind-ms"])

interface Round {
  readonly basePerSecond: number
  readonly catchUpPerSecond: number
  readonly behindCount: number
  readonly catchUpMs: number
  readonly others: number
}

const statusOf = async (node: BenchNode) => {
  const response = await fetch(`${node.url}/_admin/api/cluster`)
  return (await response.json()) as { readonly commitIndex: number; readonly appliedIndex: number }
}

/** Entries that the leader has committed and the follower has not applied. */
const lagOf = async (leader: BenchNode, follower: BenchNode): Promise<number> => {
  const { commitIndex } = await statusOf(leader)
  return commitIndex - (await statusOf(follower)).appliedIndex
}

const load = (client: LoadClient, { leader }: Cluster, measureMs: number) =>
  client.run({
    urls: [`${leader.url}/api/products`],
    method: "POST",
    bodies: [body],
    expectedStatus: 201,
    clients,
    warmUpMs: 0,
    measureMs,
    answersMax: Number.MAX_SAFE_INTEGER
  })

const measureRound = async (cluster: Cluster, client: LoadClient): Promise<Round> => {
  const { followers, leader } = cluster
  const [behind] = followers
  if (behind === undefined) throw new Error("The cluster has no follower")
  await waitForQuiet(quietWaitMs)
  const ends = watchCpu([process.pid, client.pid, ...[leader, ...followers].map(({ pid }) => pid)])
  const before = await load(client, cluster, baseMs)
  process.kill(behind.pid, "SIGSTOP")
  try {
    await load(client, cluster, behindMs)
  } finally {
    process.kill(behind.pid, "SIGCONT")
  }
  const beganMs = performance.now()
  const behindCount = await lagOf(leader, behind)
  const windows: Array<number> = []
  while ((await lagOf(leader, behind)) > lagMaxCount) {
    if (performance.now() > beganMs + catchUpMaxMs) throw new Error("The follower does not catch up")
    windows.push((await load(client, cluster, windowMs)).perSecond)
  }
  const catchUpMs = performance.now() - beganMs
  const after = await load(client, cluster, baseMs)
  const use = ends()
  if (!(await cluster.isLedAsBefore())) throw new Error("The leader changed under load: the figures mean nothing")
  return {
    basePerSecond: (before.perSecond + after.perSecond) / 2,
    catchUpPerSecond: windows.reduce((sum, each) => sum + each, 0) / windows.length,
    behindCount,
    catchUpMs,
    others: use?.others ?? Number.NaN
  }
}

const measure = async (environment: Readonly<Record<string, string>>): Promise<ReadonlyArray<Round>> => {
  const cluster = await startCluster({ environment })
  const client = startClient()
  try {
    await load(client, cluster, warmUpMs)
    const measured: Array<Round> = []
    for (let number = 1; number <= rounds; number++) {
      console.error(`round ${number} of ${rounds}`)
      measured.push(await measureRound(cluster, client))
    }
    return measured
  } finally {
    await Promise.all([cluster.stop(), client.stop()])
    cluster.remove()
  }
}

const row = (name: string, measured: ReadonlyArray<Round>) => {
  const ratios = measured.map(({ basePerSecond, catchUpPerSecond }) => catchUpPerSecond / basePerSecond)
  const mid = (number: (round: Round) => number) => median(measured.map(number))
  return [
    name,
    rate(mid(({ behindCount }) => behindCount)),
    short(mid(({ catchUpMs }) => catchUpMs) / 1000),
    rate(mid(({ basePerSecond }) => basePerSecond)),
    rate(mid(({ catchUpPerSecond }) => catchUpPerSecond)),
    short(median(ratios)),
    `${short(Math.min(...ratios))}–${short(Math.max(...ratios))}`,
    short(mid(({ others }) => others))
  ]
}

const head = [
  "by",
  "entries behind",
  "caught up in s",
  "writes/s in sync",
  "meanwhile",
  "ratio",
  "lowest–highest",
  "others' cores"
]
const byLog = row("the log", await measure({}))
console.error(byLog.join(" | "))
const bySnapshot = row("a snapshot", await measure({ LITHAIR_RETAIN_ENTRIES: "100" }))
console.log(`Writes while a follower catches up: ${clients} clients, ${rounds} rounds each, one kilobyte a record\n`)
console.log(table(head, [byLog, bySnapshot]))
