/**
 * Runs and their report. A run is a fresh cluster, the floors of the machine at that moment, and every variant under
 * every count of clients; so a ratio compares two figures of the same seconds, and survives a machine that is shared.
 */
import { availableParallelism, cpus, loadavg } from "node:os"
import { type CpuUse, waitForQuiet, watchCpu } from "./Cpu.ts"
import { measureDiskFloor } from "./DiskFloor.ts"
import type { LoadResult, LoadSpec } from "./Load.ts"
import { answersMax, clientCounts, type Options, product, runWarmUpMs, stepWarmUpMs } from "./Options.ts"
import { type Cluster, type LoadClient, startClient, startCluster, startRawServer } from "./Processes.ts"
import { median, rate, short, table } from "./Statistics.ts"

/** What a step asks, but for how many ask it and for how long. */
export type Request = Pick<LoadSpec, "urls" | "method" | "body" | "expectedStatus">

export interface Variant {
  readonly name: string
  readonly request: Request
}

interface Step {
  readonly name: string
  readonly clients: number
  readonly result: LoadResult
  readonly raw: LoadResult
  readonly cpu: { readonly leader: number; readonly follower: number; readonly client: number; readonly others: number }
}

interface Run {
  readonly steps: ReadonlyArray<Step>
  readonly syncsPerSecond: number
  readonly isQuiet: boolean
}

const diskFloorMs = 500

/** Measures as often as the options say. `prepare` may write what the variants read. */
export const measure = async (
  options: Options,
  prepare: (cluster: Cluster) => Promise<ReadonlyArray<Variant>>
): Promise<ReadonlyArray<Run>> => {
  const runs: Array<Run> = []
  for (let number = 1; number <= options.runs; number++) {
    const isQuiet = await waitForQuiet(options.quietWaitMs)
    console.error(`run ${number} of ${options.runs}${isQuiet ? "" : ", beside others"}`)
    runs.push({ ...(await measureOnce(options, prepare)), isQuiet })
  }
  return runs
}

const measureOnce = async (options: Options, prepare: (cluster: Cluster) => Promise<ReadonlyArray<Variant>>) => {
  const cluster = await startCluster()
  const client = startClient()
  const rawServer = await startRawServer()
  try {
    const variants = await prepare(cluster)
    const method = variants[0]?.request.method ?? "GET"
    const rawRequest: Request =
      method === "POST"
        ? { urls: [rawServer.url], method, body: product, expectedStatus: 201 }
        : { urls: [rawServer.url], method, expectedStatus: 200 }
    for (const request of [rawRequest, ...variants.map((variant) => variant.request)]) {
      await client.run({ ...request, clients: 16, warmUpMs: 0, measureMs: runWarmUpMs / variants.length, answersMax })
    }
    const syncsPerSecond = measureDiskFloor(diskFloorMs)
    const steps: Array<Step> = []
    for (const clients of clientCounts) {
      const timing = { clients, warmUpMs: stepWarmUpMs, answersMax }
      const raw = await client.run({ ...rawRequest, ...timing, measureMs: options.stepMs / 2 })
      for (const { name, request } of variants) {
        const end = watchCpu(pidsOf(cluster, client))
        const result = await client.run({ ...request, ...timing, measureMs: options.stepMs })
        steps.push({ name, clients, result, raw, cpu: sharesOf(cluster, client, end()) })
      }
    }
    if (!(await cluster.isLedAsBefore())) throw new Error("The leader changed under load: the figures mean nothing")
    return { steps, syncsPerSecond }
  } finally {
    await Promise.all([cluster.stop(), client.stop(), rawServer.stop()])
    cluster.remove()
  }
}

const pidsOf = ({ followers, leader }: Cluster, client: LoadClient) => [
  process.pid,
  client.pid,
  leader.pid,
  ...followers.map(({ pid }) => pid)
]

const sharesOf = ({ followers, leader }: Cluster, client: LoadClient, use: CpuUse | undefined): Step["cpu"] => {
  const of = (pid: number) => use?.byPid.get(pid) ?? Number.NaN
  return {
    leader: of(leader.pid),
    follower: median(followers.map(({ pid }) => of(pid))),
    client: of(client.pid),
    others: use?.others ?? Number.NaN
  }
}

/** Prints the machine, the floors and one line for each variant and count of clients: medians over runs. */
export const report = (title: string, runs: ReadonlyArray<Run>): void => {
  const over = (number: (run: Run) => number) => median(runs.map(number))
  const quietCount = runs.filter(({ isQuiet }) => isQuiet).length
  console.log(`\n## ${title}\n`)
  console.log(
    `Node ${process.version}, ${availableParallelism()} cores of ${cpus()[0]?.model.trim() ?? "unknown"}; ` +
      `load average ${loadavg()[0]?.toFixed(1)}; ${runs.length} runs, ${quietCount} begun on a quiet machine. ` +
      `Disk floor: ${rate(over(({ syncsPerSecond }) => syncsPerSecond))} syncs of 4 KiB a second ` +
      `(${range(runs.map(({ syncsPerSecond }) => syncsPerSecond))}).\n`
  )
  const head = ["clients, to", "per second", "lowest–highest", "p50 ms", "p99 ms", "raw HTTP/s", "of raw", "per sync"]
  const shares = ["leader", "follower", "client", "others"] as const
  const rows = (runs[0]?.steps ?? []).map(({ clients, name }, at) => {
    const steps = runs.flatMap((run) => run.steps[at] ?? [])
    const mid = (number: (step: Step) => number) => median(steps.map(number))
    const perSecond = steps.map(({ result }) => result.perSecond)
    const perSync = over((run) => (run.steps[at]?.result.perSecond ?? Number.NaN) / run.syncsPerSecond)
    return [
      `${clients}, ${name}`,
      rate(median(perSecond)),
      range(perSecond),
      short(mid(({ result }) => result.p50Ms)),
      short(mid(({ result }) => result.p99Ms)),
      rate(mid(({ raw }) => raw.perSecond)),
      short(mid(({ raw, result }) => result.perSecond / raw.perSecond)),
      short(perSync),
      ...shares.map((share) => short(mid(({ cpu }) => cpu[share])))
    ]
  })
  console.log(table([...head, ...shares.map((share) => `${share} cpu`)], rows))
  const failedCount = runs.flatMap(({ steps }) => steps).reduce((sum, { result }) => sum + result.failedCount, 0)
  console.log(`\nFailed requests: ${failedCount}.`)
  if (failedCount > 0) process.exitCode = 1
}

const range = (values: ReadonlyArray<number>): string => `${rate(Math.min(...values))}–${rate(Math.max(...values))}`
