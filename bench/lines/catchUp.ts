/**
 * What writes cost while a follower catches up: their rate during that time, against the mean of before and after. The
 * follower is paused (SIGSTOP) while the log grows, and goes on: far behind, without the cost of a process that starts.
 */
import { watchCpu } from "../Cpu.ts"
import { onNode } from "../Lithair.ts"
import type { Options } from "../Options.ts"
import type { LoadClient } from "../Processes.ts"
import type { BenchNode, Cluster } from "../Systems.ts"
import { alone, type Found, pidsOf } from "./Line.ts"

const clients = 16
/** The follower is paused for so many steps. */
const pausedSteps = 4
/** One window of writes while the follower catches up. */
const windowMs = 1000
/** A follower that has applied all but so few entries has caught up. */
const lagMaxCount = 2000
const catchUpMaxMs = 60_000

/** Entries that the leader has committed and the follower has not applied. */
const lagOf = async ({ leader, system }: Cluster, follower: BenchNode): Promise<number> => {
  const [ahead, behind] = await Promise.all([system.stateOf?.(leader), system.stateOf?.(follower)])
  return (ahead?.committed ?? Number.NaN) - (behind?.applied ?? Number.NaN)
}

const measureCatchUp = async (
  cluster: Cluster,
  client: LoadClient,
  { stepMs, warmUpMs }: Options
): Promise<ReadonlyArray<Found>> => {
  const { followers, leader, system } = cluster
  const [behind] = followers
  if (behind === undefined) throw new Error("The cluster has no follower")
  const ask = system.api.write(leader.url)
  const load = async (measureMs: number) => (await client.run({ ...ask, clients, warmUpMs: 0, measureMs })).perSecond
  await load(warmUpMs)
  const ends = watchCpu([process.pid, client.pid, ...pidsOf(cluster)])
  const before = await load(stepMs)
  process.kill(behind.pid, "SIGSTOP")
  try {
    await load(stepMs * pausedSteps)
  } finally {
    process.kill(behind.pid, "SIGCONT")
  }
  const beganMs = performance.now()
  const behindCount = await lagOf(cluster, behind)
  const windows = [await load(windowMs)]
  while (!((await lagOf(cluster, behind)) <= lagMaxCount)) {
    if (performance.now() > beganMs + catchUpMaxMs) throw new Error("The follower does not catch up")
    windows.push(await load(windowMs))
  }
  const catchUpMs = performance.now() - beganMs
  const after = await load(stepMs)
  const perSecond = windows.reduce((sum, each) => sum + each, 0) / windows.length
  return [
    {
      what: "a follower was paused",
      clients,
      figures: { perSecond, ofPeak: (2 * perSecond) / (before + after), behindCount, catchUpMs },
      failedCount: 0,
      others: ends()?.others ?? Number.NaN
    }
  ]
}

export const catchUp = alone("Writes while a follower catches up", measureCatchUp, [
  onNode({ name: "Node, by a snapshot", environment: { LITHAIR_RETAIN_ENTRIES: "100" } })
])
