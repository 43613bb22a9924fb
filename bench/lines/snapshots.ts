/**
 * What a snapshot costs the writes beside it: an open loop while the nodes write snapshots of many records, against the
 * same loop before. A snapshot is due once writes stop, so the line fills, stops, and begins to write when the leader's
 * snapshot has begun. A window counts only if the snapshot lasts through it.
 */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { watchCpu } from "../Cpu.ts"
import type { LoadResult } from "../Load.ts"
import type { Options } from "../Options.ts"
import type { LoadClient } from "../Processes.ts"
import { median } from "../Statistics.ts"
import type { BenchNode, Cluster } from "../Systems.ts"
import { alone, type Found, pidsOf, wait } from "./Line.ts"

/** The most writes that are under way; others wait on the clock. */
const clientsMax = 1000
const windowMs = 500
/** So many more records have a snapshot be due when writes stop. */
const moreCount = 40_000
const pollMs = 20
/** Nothing is written any more if no snapshot was seen for so long. */
const settledMs = 5_000
const snapshotMaxMs = 180_000

/** Whether the node writes a snapshot now. */
const isTaking = ({ directory }: BenchNode): boolean => {
  const folder = join(directory, "snapshots")
  return existsSync(folder) && readdirSync(folder).some((name) => name.endsWith(".tmp"))
}

const until = async (what: string, holds: () => boolean): Promise<void> => {
  const beganMs = performance.now()
  while (!holds()) {
    if (performance.now() > beganMs + snapshotMaxMs) throw new Error(`Never came true: ${what}`)
    await wait(pollMs)
  }
}

const settle = async (nodes: ReadonlyArray<BenchNode>): Promise<void> => {
  let seenMs = performance.now()
  await until("no snapshot is written", () => {
    if (nodes.some(isTaking)) seenMs = performance.now()
    return performance.now() > seenMs + settledMs
  })
}

const figuresOf = (windows: ReadonlyArray<LoadResult>): Found["figures"] => ({
  perSecond: median(windows.map(({ perSecond }) => perSecond)),
  p50Ms: median(windows.map(({ p50Ms }) => p50Ms)),
  p99Ms: median(windows.map(({ p99Ms }) => p99Ms)),
  p999Ms: Math.max(...windows.map(({ maxMs }) => maxMs))
})

const measureSnapshots = async (
  cluster: Cluster,
  client: LoadClient,
  { rates, records, warmUpMs }: Options
): Promise<ReadonlyArray<Found>> => {
  const { followers, leader, system } = cluster
  if (system.lithair === undefined) return []
  const nodes = [leader, ...followers]
  const ask = system.api.write(leader.url)
  const [ratePerSecond = 500] = rates
  const load = (measureMs: number) => client.run({ ...ask, clients: clientsMax, ratePerSecond, warmUpMs: 0, measureMs })
  await system.api.fill(leader.url, records)
  await client.run({ ...ask, clients: 64, warmUpMs: 0, measureMs: warmUpMs })
  await settle(nodes)
  const ends = watchCpu([process.pid, client.pid, ...pidsOf(cluster)])
  const before: Array<LoadResult> = []
  for (let count = 0; count < 10; count++) before.push(await load(windowMs))
  await system.api.fill(leader.url, moreCount)
  await until("the leader takes a snapshot", () => isTaking(leader))
  const during: Array<LoadResult> = []
  for (;;) {
    const window = await load(windowMs)
    if (!isTaking(leader)) break
    during.push(window)
  }
  if (during.length === 0) throw new Error("The snapshot was shorter than a window: take more --records")
  const failedCount = (windows: ReadonlyArray<LoadResult>) =>
    windows.reduce((sum, { failed, unansweredCount }) => sum + failed.count + unansweredCount, 0)
  const others = ends()?.others ?? Number.NaN
  const found = (what: string, windows: ReadonlyArray<LoadResult>): Found => ({
    what,
    clients: clientsMax,
    figures: figuresOf(windows),
    failedCount: failedCount(windows),
    others
  })
  const size = records.toLocaleString("en-US")
  return [
    found(`${ratePerSecond} writes a second beside ${size} records`, before),
    found("the same while snapshots of them are taken", during)
  ]
}

export const snapshots = alone("Writes while snapshots are taken", measureSnapshots)
