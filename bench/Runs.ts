/**
 * Measuring: a run is a fresh cluster, and a step of it is one count of clients: the floors of the machine, then every
 * variant, within the same seconds. So a ratio compares what the same machine did at the same time. A step that other
 * programs disturbed is measured again, judged by their use of the processor and never by its figures.
 */
import { type CpuUse, isQuiet, waitForQuiet, watchCpu } from "./Cpu.ts"
import { measureDiskFloor } from "./DiskFloor.ts"
import type { LoadResult, LoadSpec } from "./Load.ts"
import { answersMax, clientCounts, type Options, product, runWarmUpMs, stepWarmUpMs } from "./Options.ts"
import {
  type Cluster,
  type LoadClient,
  type RawServer,
  startClient,
  startCluster,
  startRawServer
} from "./Processes.ts"
import { median } from "./Statistics.ts"

/** What a load asks, but for how many ask it and for how long. */
export type Request = Pick<LoadSpec, "urls" | "method" | "body" | "expectedStatus">

export interface Variant {
  readonly name: string
  readonly request: Request
}

/** Shares of one core. */
export interface Shares {
  readonly leader: number
  readonly follower: number
  readonly client: number
}

export interface Measured {
  readonly name: string
  readonly result: LoadResult
  readonly cpu: Shares
}

export interface Step {
  readonly clients: number
  readonly raw: LoadResult
  readonly syncsPerSecond: number
  readonly variants: ReadonlyArray<Measured>
  /** What others used meanwhile, of one core. */
  readonly others: number
  readonly isQuiet: boolean
}

export type Run = ReadonlyArray<Step>

interface Setting {
  readonly options: Options
  readonly cluster: Cluster
  readonly client: LoadClient
  readonly rawServer: RawServer
  readonly rawRequest: Request
  readonly variants: ReadonlyArray<Variant>
}

const diskFloorMs = 300

/** Measures as often as the options say. `prepare` may write what the variants read. */
export const measure = async (
  options: Options,
  prepare: (cluster: Cluster) => Promise<ReadonlyArray<Variant>>
): Promise<ReadonlyArray<Run>> => {
  const runs: Array<Run> = []
  for (let number = 1; number <= options.runs; number++) {
    console.error(`run ${number} of ${options.runs}`)
    runs.push(await measureRun(options, prepare))
  }
  return runs
}

const measureRun = async (
  options: Options,
  prepare: (cluster: Cluster) => Promise<ReadonlyArray<Variant>>
): Promise<Run> => {
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
    const measureMs = runWarmUpMs / variants.length
    for (const request of [rawRequest, ...variants.map((variant) => variant.request)]) {
      await client.run({ ...request, clients: 16, warmUpMs: 0, measureMs, answersMax })
    }
    const steps: Array<Step> = []
    for (const clients of clientCounts) {
      steps.push(await measureQuietly({ options, cluster, client, rawServer, rawRequest, variants }, clients))
    }
    if (!(await cluster.isLedAsBefore())) throw new Error("The leader changed under load: the figures mean nothing")
    return steps
  } finally {
    await Promise.all([cluster.stop(), client.stop(), rawServer.stop()])
    cluster.remove()
  }
}

const measureQuietly = async (setting: Setting, clients: number): Promise<Step> => {
  const { quietWaitMs, retries } = setting.options
  let best: Step | undefined
  for (let attempt = 0; attempt <= retries; attempt++) {
    await waitForQuiet(quietWaitMs)
    const step = await measureStep(setting, clients)
    if (best === undefined || step.others < best.others) best = step
    if (best.isQuiet) break
  }
  if (best === undefined) throw new Error("A step is measured at least once")
  return best
}

const measureStep = async (setting: Setting, clients: number): Promise<Step> => {
  const { client, cluster, options, rawRequest, rawServer } = setting
  const pids = [process.pid, client.pid, rawServer.pid, ...[cluster.leader, ...cluster.followers].map(({ pid }) => pid)]
  const timing = { clients, warmUpMs: stepWarmUpMs, answersMax }
  const stepEnds = watchCpu(pids)
  const syncsPerSecond = measureDiskFloor(diskFloorMs)
  const raw = await client.run({ ...rawRequest, ...timing, measureMs: options.stepMs / 2 })
  const variants: Array<Measured> = []
  for (const { name, request } of setting.variants) {
    const ends = watchCpu(pids)
    const result = await client.run({ ...request, ...timing, measureMs: options.stepMs })
    variants.push({ name, result, cpu: sharesOf(cluster, client, ends()) })
  }
  const use = stepEnds()
  return { clients, raw, syncsPerSecond, variants, others: use?.others ?? Number.NaN, isQuiet: isQuiet(use) }
}

const sharesOf = ({ followers, leader }: Cluster, client: LoadClient, use: CpuUse | undefined): Shares => {
  const of = (pid: number) => use?.byPid.get(pid) ?? Number.NaN
  return {
    leader: of(leader.pid),
    follower: median(followers.map(({ pid }) => of(pid))),
    client: of(client.pid)
  }
}
