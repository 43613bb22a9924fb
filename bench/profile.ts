/**
 * Where the leader spends its time under the load of `writes.ts`, or under transfers of `commands.ts`: all nodes run with `--cpu-prof`, since nobody knows
 * who will lead, and the leader's profile is read for the time of each load alone. A lone client shows what one batch
 * costs, many clients what one write costs in a batch.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { openAccounts, transfers } from "./Bank.ts"
import { waitedForCoreMs, waitForQuiet, watchCpu } from "./Cpu.ts"
import { type CpuProfile, type Summary, summarize } from "./CpuProfile.ts"
import type { LoadResult } from "./Load.ts"
import { answersMax, product, readOptions, runWarmUpMs } from "./Options.ts"
import { type ClusterOptions, startClient, startCluster } from "./Processes.ts"
import type { Request } from "./Runs.ts"
import { rate, short, table } from "./Statistics.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
const { quietWaitMs, stepMs, subject = "writes" } = readOptions(["writes", "transfers", "keyed-transfers"])
const clientCounts = [1, 64]
/** A profile samples every millisecond: it takes longer than a rate to settle. */
const stepsCount = 4
const topCount = 20

interface Load {
  readonly clients: number
  readonly fromMicros: number
  readonly toMicros: number
  /** The leader was ready to run, and had no core. */
  readonly waitedMicros: number
  readonly result: LoadResult
  readonly others: number
}

/** What the nodes run, and what they are asked. */
const subjects: Record<
  typeof subject,
  {
    readonly example: NonNullable<ClusterOptions["example"]>
    readonly request: (url: string) => Promise<Request> | Request
  }
> = {
  writes: {
    example: "cluster",
    request: (url) => ({ urls: [`${url}/api/products`], method: "POST", bodies: [product], expectedStatus: 201 })
  },
  transfers: { example: "bank", request: async (url) => transfers(url, await openAccounts(url)) },
  "keyed-transfers": {
    example: "bank",
    request: async (url) => ({ ...transfers(url, await openAccounts(url)), isKeyed: true })
  }
}

const nowMicros = () => Number(process.hrtime.bigint() / 1000n)

const profileLeader = async () => {
  const { example, request } = subjects[subject]
  await waitForQuiet(quietWaitMs)
  const cluster = await startCluster({
    example,
    nodeArgs: (directory) => ["--cpu-prof", `--cpu-prof-dir=${directory}`]
  })
  const client = startClient()
  try {
    const load = { ...(await request(cluster.leader.url)), answersMax }
    await client.run({ ...load, clients: 64, warmUpMs: 0, measureMs: runWarmUpMs })
    const loads: Array<Load> = []
    for (const clients of clientCounts) {
      const waitedMs = waitedForCoreMs(cluster.leader.pid)
      const ends = watchCpu([process.pid, client.pid, cluster.leader.pid, ...cluster.followers.map(({ pid }) => pid)])
      const fromMicros = nowMicros()
      const result = await client.run({ ...load, clients, warmUpMs: 0, measureMs: stepMs * stepsCount })
      const toMicros = nowMicros()
      const waitedMicros = (waitedForCoreMs(cluster.leader.pid) - waitedMs) * 1000
      loads.push({ clients, fromMicros, toMicros, waitedMicros, result, others: ends()?.others ?? Number.NaN })
    }
    if (!(await cluster.isLedAsBefore())) throw new Error("The leader changed under load: the profile means nothing")
    await cluster.stop()
    const profile = readProfile(`${cluster.leader.directory}-profile`)
    return loads.map((load) => ({ ...load, summary: summarize(profile, { root, ...load }) }))
  } finally {
    await Promise.all([cluster.stop(), client.stop()])
    cluster.remove()
  }
}

const readProfile = (directory: string): CpuProfile => {
  const [name] = readdirSync(directory).filter((each) => each.endsWith(".cpuprofile"))
  if (name === undefined) throw new Error(`The leader left no profile in ${directory}`)
  return JSON.parse(readFileSync(join(directory, name), "utf8"))
}

const print = ({ busyMicros, byRoom, charged, functions, idleMicros }: Summary, waitedMicros: number): void => {
  const share = (micros: number) => `${((100 * micros) / busyMicros).toFixed(1)} %`
  const rooms = [...byRoom].filter(([, micros]) => micros > busyMicros / 1000).sort((a, b) => b[1] - a[1])
  const place = ({ file, line }: Summary["functions"][number]) => (file === "native" ? "" : `${file}:${line}`)
  const loadMicros = busyMicros + idleMicros
  const ofLoad = (micros: number) => `${((100 * micros) / loadMicros).toFixed(0)} %`
  console.log(
    `The leader's thread was busy ${ofLoad(busyMicros)} of the time. For ${ofLoad(waitedMicros)} of the time it was ` +
      "ready to run and had no core, which a sample does not see: it is charged as idle, or to whoever was last on the " +
      "thread, often a write that woke another process. Shares are of the busy time.\n"
  )
  console.log(
    table(
      ["whose code", "self"],
      rooms.map(([room, micros]) => [room, share(micros)])
    )
  )
  const named = (spent: { readonly chargedMicros: number; readonly schemaMicros: number }) => [
    share(spent.chargedMicros),
    share(spent.schemaMicros)
  ]
  console.log("\nCharged to rooms of this repository, with what libraries and V8 did for them:\n")
  console.log(
    table(
      ["room", "charged", "in schemas"],
      [...charged]
        .sort((a, b) => b[1].chargedMicros - a[1].chargedMicros)
        .map(([room, spent]) => [room, ...named(spent)])
    )
  )
  const bySelf = [...functions].sort((a, b) => b.selfMicros - a.selfMicros).slice(0, topCount)
  console.log(`\nBy self time:\n`)
  console.log(
    table(
      ["function", "self", "total", "where"],
      bySelf.map((spent) => [spent.functionName, share(spent.selfMicros), share(spent.totalMicros), place(spent)])
    )
  )
  const byCharge = [...functions].sort((a, b) => b.chargedMicros - a.chargedMicros).slice(0, topCount)
  console.log("\nCharged to functions of this repository:\n")
  console.log(
    table(
      ["function", "charged", "in schemas", "total", "where"],
      byCharge.map((spent) => [spent.functionName, ...named(spent), share(spent.totalMicros), place(spent)])
    )
  )
  const ours = functions.filter(({ file }) => file.startsWith("src/")).sort((a, b) => b.totalMicros - a.totalMicros)
  console.log(`\nOf this repository, by total time:\n`)
  console.log(
    table(
      ["function", "total", "self", "where"],
      ours
        .slice(0, topCount)
        .map((spent) => [spent.functionName, share(spent.totalMicros), share(spent.selfMicros), place(spent)])
    )
  )
}

for (const { clients, others, result, summary, waitedMicros } of await profileLeader()) {
  console.log(`\n## Profile of the leader, clients: ${clients}\n`)
  console.log(
    `${subject} at the leader, ${rate(result.perSecond)} writes/s with the profiler on; ${result.failedCount} failed; ` +
      `other programs used ${short(others)} of a core.`
  )
  print(summary, waitedMicros)
}
