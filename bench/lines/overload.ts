/**
 * Overload: writes arrive at four times the rate that the system reaches, for five steps, over at most 6,000 connections.
 * Then sixty-four clients tell how soon it is itself again. Once refused clients wait as `Retry-After` says, and once they
 * ask again at once.
 */
import { memoryBytes, watchCpu } from "../Cpu.ts"
import type { Options } from "../Options.ts"
import type { LoadClient } from "../Processes.ts"
import type { Ask, Cluster } from "../Systems.ts"
import { alone, type Found, pidsOf, wait } from "./Line.ts"

const times = 4
const stepsCount = 5
/** More than a leader lets wait (4,096 commands). */
const connectionsMax = 6000
const usualClients = 64
/** The peak is reached with as many under way as help. */
const peakClients = 256
const sampleEveryMs = 100
const recoveryWindowMs = 250
const recoveryMaxMs = 20_000
/** Recovered: a window that reaches so much of the usual rate. */
const recoveredShare = 0.8

const megabyte = 1024 * 1024

const measureOverload = async (
  cluster: Cluster,
  client: LoadClient,
  { stepMs, warmUpMs }: Options
): Promise<ReadonlyArray<Found>> => {
  const { followers, leader, system } = cluster
  const ask = system.api.write(leader.url)
  const closed = (clients: number, measureMs: number) => client.run({ ...ask, clients, warmUpMs: 0, measureMs })
  await closed(usualClients, warmUpMs)
  const usual = await closed(usualClients, stepMs)
  const peak = Math.max(usual.perSecond, (await closed(peakClients, stepMs)).perSecond)
  const found: Array<Found> = []
  for (const isImpatient of [false, true]) {
    const memoryMb = memoryBytes(leader.pid) / megabyte
    const before = await system.stateOf?.(leader)
    const ends = watchCpu([process.pid, client.pid, ...pidsOf(cluster)])
    const watching = watchMemory(leader.pid)
    const result = await client.run({
      ...ask,
      clients: connectionsMax,
      ratePerSecond: Math.round(peak * times),
      isImpatient,
      warmUpMs: stepMs / 2,
      measureMs: stepMs * stepsCount
    })
    const use = ends()
    const micros = (pid: number) => ((use?.msByPid.get(pid) ?? Number.NaN) * 1000) / result.allCount
    const memoryMaxMb = (await watching()) / megabyte
    const recoveryMs = await recover(client, ask, usual.perSecond)
    const after = await system.stateOf?.(leader)
    const { failed, unansweredCount } = result
    const dueCount = failed.count + unansweredCount + result.count
    found.push({
      what: `${times} times the peak, open loop${isImpatient ? ", refused clients ask again at once" : ""}`,
      clients: connectionsMax,
      figures: {
        perSecond: result.perSecond,
        ofPeak: result.perSecond / peak,
        p50Ms: result.p50Ms,
        p99Ms: result.p99Ms,
        leaderMicros: micros(leader.pid),
        followerMicros: followers.reduce((sum, { pid }) => sum + micros(pid), 0) / followers.length,
        clientMicros: micros(client.pid),
        refusedShare: failed.count / dueCount,
        unansweredShare: unansweredCount / dueCount,
        refusalP50Ms: failed.p50Ms,
        refusalP99Ms: failed.p99Ms,
        elections: (after?.term ?? Number.NaN) - (before?.term ?? Number.NaN),
        recoveryMs,
        memoryMb,
        memoryMaxMb
      },
      failedCount: 0,
      others: use?.others ?? Number.NaN
    })
  }
  return found
}

/** Until the usual clients get nearly their usual rate. */
const recover = async (client: LoadClient, ask: Ask, usualPerSecond: number): Promise<number> => {
  const beganMs = performance.now()
  while (performance.now() < beganMs + recoveryMaxMs) {
    const fromMs = performance.now()
    const { perSecond } = await client.run({ ...ask, clients: usualClients, warmUpMs: 0, measureMs: recoveryWindowMs })
    if (perSecond >= recoveredShare * usualPerSecond) return fromMs - beganMs
  }
  return recoveryMaxMs
}

/** The most that the process held, until the result is called. */
const watchMemory = (pid: number): (() => Promise<number>) => {
  let isOver = false
  let mostBytes = 0
  const ended = (async () => {
    while (!isOver) {
      mostBytes = Math.max(mostBytes, memoryBytes(pid))
      await wait(sampleEveryMs)
    }
  })()
  return async () => {
    isOver = true
    await ended
    return mostBytes
  }
}

export const overload = alone(`Overload: ${times} times as many writes as the leader can do`, measureOverload)
