/**
 * Measuring: a run starts a fresh cluster of every system. A step is one request and one count of clients, measured for
 * each system within the same seconds, one after the other while the others idle. So a ratio compares what the same
 * machine did at the same time. Every other run takes the systems in the opposite order, so that none always follows
 * another.
 */
import { watchCpu } from "./Cpu.ts"
import type { LoadResult } from "./Load.ts"
import { type LoadClient, startClient } from "./Processes.ts"
import type { Sample } from "./Sample.ts"
import { type Ask, type BenchNode, type Cluster, type System, startCluster } from "./Systems.ts"

export interface Variant {
  readonly what: string
  readonly ask: Ask
  readonly ratePerSecond?: number
}

export interface Plan {
  readonly line: string
  readonly systems: ReadonlyArray<System>
  readonly clients: ReadonlyArray<number>
  readonly runs: number
  readonly stepMs: number
  readonly warmUpMs: number
  /** What is asked of a cluster; it may write what the variants read. */
  readonly prepare: (cluster: Cluster) => Promise<ReadonlyArray<Variant>>
}

/** A step's own warm-up: connections are open. */
const stepWarmUpMs = 300
const warmUpClients = 16
const leaderWaitMs = 5000

/** A system in a run: it has left when its leader changed, because figures across a change mean nothing. */
interface Participant {
  readonly cluster: Cluster
  readonly variants: ReadonlyArray<Variant>
  hasLeft: boolean
}

export const measure = async (plan: Plan): Promise<ReadonlyArray<Sample>> => {
  const samples: Array<Sample> = []
  for (let run = 1; run <= plan.runs; run++) {
    console.error(`${plan.line}: run ${run} of ${plan.runs}`)
    await orTell(`${plan.line}, run ${run}`, async () => void samples.push(...(await measureRun(plan, run))))
  }
  return samples
}

/** Does a part of a benchmark. If it fails, it says so and makes the exit code 1, and the other parts go on. */
export const orTell = async (what: string, part: () => Promise<void>): Promise<boolean> => {
  try {
    await part()
    return true
  } catch (error) {
    console.error(`${what} failed: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
    return false
  }
}

const measureRun = async (plan: Plan, run: number): Promise<ReadonlyArray<Sample>> =>
  withClusters(plan.systems, async (clusters, client) => {
    const participants: Array<Participant> = []
    for (const cluster of clusters) {
      await orTell(`${plan.line}: ${cluster.system.name} before run ${run}`, async () => {
        const variants = await plan.prepare(cluster)
        for (const { ask } of variants) {
          const measureMs = Math.ceil(plan.warmUpMs / variants.length)
          await client.run({ ...ask, clients: warmUpClients, warmUpMs: 0, measureMs })
        }
        participants.push({ cluster, variants, hasLeft: false })
      })
    }
    if (run % 2 === 0) participants.reverse()
    const whats = new Set(participants.flatMap(({ variants }) => variants.map(({ what }) => what)))
    const samples: Array<Sample> = []
    for (const what of whats) {
      for (const clients of plan.clients) {
        for (const participant of participants) {
          const variant = participant.variants.find((each) => each.what === what)
          if (variant === undefined || participant.hasLeft) continue
          const { cluster } = participant
          const isMeasured = await orTell(`${cluster.system.name}, ${what}, ${clients} clients`, async () => {
            const sample = await measureOnce({ plan, run, variant, clients, cluster, clusters, client })
            if (!(await isLedAsBefore(cluster))) throw new Error("the leader changed, so this system leaves the run")
            samples.push(sample)
          })
          participant.hasLeft = !isMeasured
        }
      }
    }
    return samples
  })

/** The nodes may need a moment after a load to answer who leads. */
const isLedAsBefore = async (cluster: Cluster): Promise<boolean> => {
  const deadlineMs = performance.now() + leaderWaitMs
  let leader: BenchNode | undefined
  while (leader === undefined && performance.now() < deadlineMs) leader = await cluster.leaderNow()
  return leader === cluster.leader
}

/** Starts a cluster of each system and one load generator, and ends them all. */
export const withClusters = async <Result>(
  systems: ReadonlyArray<System>,
  use: (clusters: ReadonlyArray<Cluster>, client: LoadClient) => Promise<Result>
): Promise<Result> => {
  const client = startClient()
  const clusters: Array<Cluster> = []
  try {
    for (const system of systems) clusters.push(await startCluster(system))
    return await use(clusters, client)
  } finally {
    await Promise.all([client.stop(), ...clusters.map((cluster) => cluster.stop())])
    for (const cluster of clusters) cluster.remove()
  }
}

interface Once {
  readonly plan: Pick<Plan, "line" | "stepMs">
  readonly run: number
  readonly variant: Variant
  readonly clients: number
  readonly cluster: Cluster
  /** All that run meanwhile: none of them is another program. */
  readonly clusters: ReadonlyArray<Cluster>
  readonly client: LoadClient
}

export const measureOnce = async (once: Once): Promise<Sample & { readonly result: LoadResult }> => {
  const { client, clients, cluster, clusters, plan, run, variant } = once
  const pids = clusters.flatMap(({ followers, leader }) => [leader, ...followers].map(({ pid }) => pid))
  const ends = watchCpu([process.pid, client.pid, ...pids])
  const { ratePerSecond } = variant
  const rate = ratePerSecond === undefined ? {} : { ratePerSecond }
  const result = await client.run({
    ...variant.ask,
    ...rate,
    clients,
    warmUpMs: stepWarmUpMs,
    measureMs: plan.stepMs
  })
  const use = ends()
  const micros = (pid: number) => ((use?.msByPid.get(pid) ?? Number.NaN) * 1000) / result.allCount
  const followers = cluster.followers.map(({ pid }) => micros(pid))
  return {
    line: plan.line,
    what: variant.what,
    clients,
    system: cluster.system.name,
    run,
    figures: {
      perSecond: result.perSecond,
      p50Ms: result.p50Ms,
      p99Ms: result.p99Ms,
      p999Ms: result.p999Ms,
      leaderMicros: micros(cluster.leader.pid),
      followerMicros: followers.reduce((sum, each) => sum + each, 0) / followers.length,
      clientMicros: micros(client.pid)
    },
    failedCount: result.failed.count + result.unansweredCount,
    others: use?.others ?? Number.NaN,
    result
  }
}
