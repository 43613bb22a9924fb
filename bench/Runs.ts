/**
 * Measuring: a run is a fresh cluster, and a step of it is one count of clients: the floors of the machine, then every
 * variant, within the same seconds. So a ratio compares what the same machine did at the same time. Every other run takes
 * the variants in the opposite order, so that none is always the one that comes after another. A step that other
 * programs disturbed is measured again, judged by their use of the processor and never by its figures.
 */
import { type CpuUse, isQuiet, waitForQuiet, watchCpu } from "./Cpu.ts"
import { measureDiskFloor } from "./DiskFloor.ts"
import type { LoadResult, LoadSpec } from "./Load.ts"
import {
  answersMax,
  clientCounts,
  type Options,
  product,
  runWarmUpMs,
  stepWarmUpMs,
  variantWarmUpMs
} from "./Options.ts"
import {
  type Cluster,
  type ClusterOptions,
  type LoadClient,
  type RawServer,
  startClient,
  startCluster,
  startRawServer
} from "./Processes.ts"
import { median } from "./Statistics.ts"

/** What a load asks, but for how many ask it and for how long. */
export type Request = Pick<LoadSpec, "urls" | "method" | "bodies" | "isKeyed" | "expectedStatus"> &
  Partial<Pick<LoadSpec, "answersMax">>

export interface Variant {
  readonly name: string
  readonly request: Request
  /** What one answer counts for, where that is not one: the records of a batch. */
  readonly countPerAnswer?: number
  /** Asked again and again while the variant is measured. Figures of several things come in one order. */
  readonly sample?: () => Promise<ReadonlyArray<number>>
  /** What {@link besideClients} others ask meanwhile. */
  readonly beside?: Request
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
  /** Answers, or what they count for. */
  readonly perSecond: number
  readonly besidePerSecond: number | undefined
  readonly samples: ReadonlyArray<ReadonlyArray<number>>
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
  /** A process of its own, so that what is measured does not wait for it. */
  readonly besideClient: LoadClient | undefined
  readonly rawServer: RawServer
  readonly rawRequest: Request
  readonly variants: ReadonlyArray<Variant>
}

/** Clients of what goes on beside a variant. */
export const besideClients = 16

const diskFloorMs = 300
/** Between two samples: seldom enough that asking costs the node next to nothing. */
const sampleEveryMs = 50

/** `prepare` may write what the variants read. */
type Prepare = (cluster: Cluster) => Promise<ReadonlyArray<Variant>>

/** Measures as often as the options say. */
export const measure = async (
  options: Options,
  prepare: Prepare,
  clusterOptions: ClusterOptions = {}
): Promise<ReadonlyArray<Run>> => {
  const runs: Array<Run> = []
  for (let number = 1; number <= options.runs; number++) {
    console.error(`run ${number} of ${options.runs}`)
    runs.push(await measureRun(options, prepare, { clusterOptions, isReversed: number % 2 === 0 }))
  }
  return runs
}

const measureRun = async (
  options: Options,
  prepare: Prepare,
  { clusterOptions, isReversed }: { readonly clusterOptions: ClusterOptions; readonly isReversed: boolean }
): Promise<Run> => {
  const cluster = await startCluster(clusterOptions)
  const client = startClient()
  const rawServer = await startRawServer()
  let besideClient: LoadClient | undefined
  try {
    const declared = await prepare(cluster)
    if (declared.some(({ beside }) => beside !== undefined)) besideClient = startClient()
    const variants = isReversed ? declared.toReversed() : declared
    const method = declared[0]?.request.method ?? "GET"
    const rawRequest: Request =
      method === "POST"
        ? { urls: [rawServer.url], method, bodies: [product], expectedStatus: 201 }
        : { urls: [rawServer.url], method, expectedStatus: 200 }
    const measureMs = Math.max(variantWarmUpMs, runWarmUpMs / variants.length)
    for (const request of [rawRequest, ...variants.map((variant) => variant.request)]) {
      await client.run({ clients: 16, warmUpMs: 0, measureMs, answersMax, ...request })
    }
    const steps: Array<Step> = []
    for (const clients of clientCounts) {
      const setting = { options, cluster, client, besideClient, rawServer, rawRequest, variants }
      const step = await measureQuietly(setting, clients)
      steps.push(isReversed ? { ...step, variants: step.variants.toReversed() } : step)
    }
    if (!(await cluster.isLedAsBefore())) throw new Error("The leader changed under load: the figures mean nothing")
    return steps
  } finally {
    await Promise.all([cluster.stop(), client.stop(), besideClient?.stop(), rawServer.stop()])
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
  const { besideClient, client, cluster, options, rawRequest, rawServer } = setting
  const others = besideClient === undefined ? [] : [besideClient.pid]
  const nodes = [cluster.leader, ...cluster.followers]
  const pids = [process.pid, client.pid, rawServer.pid, ...others, ...nodes.map(({ pid }) => pid)]
  const timing = { clients, warmUpMs: stepWarmUpMs, answersMax }
  const stepEnds = watchCpu(pids)
  const syncsPerSecond = measureDiskFloor(diskFloorMs)
  const raw = await client.run({ ...rawRequest, ...timing, measureMs: options.stepMs / 2 })
  const variants: Array<Measured> = []
  for (const { beside, countPerAnswer = 1, name, request, sample } of setting.variants) {
    const load = { ...timing, measureMs: options.stepMs }
    const ends = watchCpu(pids)
    const sampling = startSampling(sample)
    const [result, besideResult] = await Promise.all([
      client.run({ ...load, ...request }),
      beside === undefined ? undefined : besideClient?.run({ ...load, ...beside, clients: besideClients })
    ])
    const samples = await sampling()
    variants.push({
      name,
      result,
      perSecond: result.perSecond * countPerAnswer,
      besidePerSecond: besideResult?.perSecond,
      samples,
      cpu: sharesOf(cluster, client, ends())
    })
  }
  const use = stepEnds()
  return { clients, raw, syncsPerSecond, variants, others: use?.others ?? Number.NaN, isQuiet: isQuiet(use) }
}

/** Samples until the result is called, which gives them. */
const startSampling = (sample: Variant["sample"]): (() => Promise<Measured["samples"]>) => {
  if (sample === undefined) return async () => []
  let isOver = false
  const samples: Array<ReadonlyArray<number>> = []
  const ended = (async () => {
    while (!isOver) {
      samples.push(await sample())
      await new Promise((resume) => setTimeout(resume, sampleEveryMs))
    }
  })()
  return async () => {
    isOver = true
    await ended
    return samples
  }
}

const sharesOf = ({ followers, leader }: Cluster, client: LoadClient, use: CpuUse | undefined): Shares => {
  const of = (pid: number) => use?.byPid.get(pid) ?? Number.NaN
  return {
    leader: of(leader.pid),
    follower: median(followers.map(({ pid }) => of(pid))),
    client: of(client.pid)
  }
}
