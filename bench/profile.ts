/**
 * Where the leader spends its time under writes, transactions, batches or transfers of `examples/cluster.ts`: all nodes
 * run with `--cpu-prof`, since nobody knows who will lead, and the leader's profile is read for the time of each load
 * alone. A lone client shows what one batch costs, many clients what one write costs in a batch.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { busySince, waitedForCoreMs, watchCpu } from "./Cpu.ts"
import { type CpuProfile, type Summary, summarize } from "./CpuProfile.ts"
import { onNode, checkout as root } from "./Lithair.ts"
import type { LoadResult } from "./Load.ts"
import { withClusters } from "./Measure.ts"
import { rate, short, table } from "./Statistics.ts"
import type { Ask, Cluster } from "./Systems.ts"

const clientCounts = [1, 64]
const warmUpMs = 3000
/** A profile samples every millisecond: it takes longer than a rate to settle. */
const measureMs = 8000
const topCount = 20

interface Load {
  readonly clients: number
  readonly fromMicros: number
  readonly toMicros: number
  /** The leader was ready to run, and had no core. */
  readonly waitedMicros: number
  /** The leader's processor time for one answer: of its thread, and of its helper threads. */
  readonly threadMicros: number
  readonly helperMicros: number
  readonly result: LoadResult
  readonly others: number
}

/** What the leader is asked. */
const subjects: Readonly<Record<string, (cluster: Cluster) => Promise<Ask> | Ask | undefined>> = {
  writes: ({ leader, system: { api } }) => api.write(leader.url),
  transactions: ({ leader, system: { api } }) => api.transaction?.(leader.url),
  batches: ({ leader, system: { api } }) => api.writeMany?.(leader.url, 100),
  transfers: ({ leader, system: { api } }) => api.transfers?.(leader.url)
}
const [subject = "writes"] = process.argv.slice(2)

const nowMicros = () => Number(process.hrtime.bigint() / 1000n)

const profiled = onNode({
  runtimeArgs: (directory) => ["--cpu-prof", `--cpu-prof-dir=${directory}`]
})

const profileLeader = () =>
  withClusters([profiled], async ([cluster], client) => {
    const ask = cluster === undefined ? undefined : await subjects[subject]?.(cluster)
    if (cluster === undefined || ask === undefined) {
      throw new Error(`Expected one of ${Object.keys(subjects).join(", ")}, found "${subject}"`)
    }
    const { followers, leader } = cluster
    await client.run({ ...ask, clients: 64, warmUpMs: 0, measureMs: warmUpMs })
    const loads: Array<Load> = []
    for (const clients of clientCounts) {
      const waitedMs = waitedForCoreMs(leader.pid)
      const before = busySince(leader.pid)
      const ends = watchCpu([process.pid, client.pid, leader.pid, ...followers.map(({ pid }) => pid)])
      const fromMicros = nowMicros()
      const result = await client.run({ ...ask, clients, warmUpMs: 0, measureMs })
      const toMicros = nowMicros()
      const waitedMicros = (waitedForCoreMs(leader.pid) - waitedMs) * 1000
      const after = busySince(leader.pid)
      const threadMs = after.threadMs - before.threadMs
      const helperMs = after.allMs - before.allMs - threadMs
      loads.push({
        clients,
        fromMicros,
        toMicros,
        waitedMicros,
        threadMicros: (threadMs * 1000) / result.allCount,
        helperMicros: (helperMs * 1000) / result.allCount,
        result,
        others: ends()?.others ?? Number.NaN
      })
    }
    if ((await cluster.leaderNow()) !== leader) throw new Error("The leader changed: the profile means nothing")
    await cluster.stop()
    const profile = readProfile(`${leader.directory}-profile`)
    return loads.map((load) => ({ ...load, summary: summarize(profile, { root, ...load }) }))
  })

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

for (const load of await profileLeader()) {
  const { clients, helperMicros, others, result, summary, threadMicros, waitedMicros } = load
  console.log(`\n## Profile of the leader, clients: ${clients}\n`)
  console.log(
    `${subject} at the leader, ${rate(result.perSecond)} writes/s with the profiler on; ${result.failed.count} failed; ` +
      `other programs kept ${short(others)} cores busy. One took ${short(threadMicros)} µs of the leader's thread, and ` +
      `${short(helperMicros)} of its helper threads.`
  )
  print(summary, waitedMicros)
}
