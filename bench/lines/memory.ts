/** What a node holds in memory, and how busy it is, when nobody asks it anything: just started, and after writes. */
import { memoryBytes, watchCpu } from "../Cpu.ts"
import type { Options } from "../Options.ts"
import type { LoadClient } from "../Processes.ts"
import { median } from "../Statistics.ts"
import type { Cluster } from "../Systems.ts"
import { alone, type Found, pidsOf, wait } from "./Line.ts"

const idleMs = 5000
const writeClients = 64
const writeSteps = 5
const megabyte = 1024 * 1024

const measureIdle = async (
  what: string,
  { cluster, client, stepMs }: { readonly cluster: Cluster; readonly client: LoadClient; readonly stepMs: number }
): Promise<Found> => {
  await wait(idleMs)
  const pids = pidsOf(cluster)
  const ends = watchCpu([process.pid, client.pid, ...pids])
  const beganMs = performance.now()
  await wait(stepMs)
  const use = ends()
  const busyMs = pids.reduce((sum, pid) => sum + (use?.msByPid.get(pid) ?? Number.NaN), 0)
  return {
    what,
    clients: 0,
    figures: {
      memoryMb: median(pids.map((pid) => memoryBytes(pid) / megabyte)),
      idleCores: busyMs / (performance.now() - beganMs)
    },
    failedCount: 0,
    others: use?.others ?? Number.NaN
  }
}

const measureMemory = async (cluster: Cluster, client: LoadClient, { stepMs }: Options) => {
  const started = await measureIdle("just started", { cluster, client, stepMs })
  const ask = cluster.system.api.write(cluster.leader.url)
  await client.run({ ...ask, clients: writeClients, warmUpMs: 0, measureMs: stepMs * writeSteps })
  return [started, await measureIdle("after writes", { cluster, client, stepMs })]
}

export const memory = alone("Idle nodes", measureMemory)
