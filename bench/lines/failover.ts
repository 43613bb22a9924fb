/**
 * Failover: from the kill -9 of the leader to the first write that a survivor acknowledges. A write is sent to each
 * survivor every ten milliseconds, so that none waits for the answer of one before. Each time with a new cluster.
 */

import { watchCpu } from "../Cpu.ts"
import { withKeys } from "../Load.ts"
import type { LoadClient } from "../Processes.ts"
import type { BenchNode, Cluster } from "../Systems.ts"
import { alone, type Found, pidsOf, wait } from "./Line.ts"

const warmUpMs = 1000
const everyMs = 10
/** A cluster that takes longer is not failing over. */
const failoverMaxMs = 30_000

const measureFailover = async (cluster: Cluster, client: LoadClient): Promise<ReadonlyArray<Found>> => {
  const { followers, leader, system } = cluster
  const asks = followers.map((node) => system.api.write(node.url))
  for (const ask of asks) await client.run({ ...ask, clients: 4, warmUpMs: 0, measureMs: warmUpMs })
  const ends = watchCpu([process.pid, client.pid, ...pidsOf(cluster)])
  await wait(warmUpMs)
  const others = ends()?.others ?? Number.NaN
  const killedMs = performance.now()
  process.kill(leader.pid, "SIGKILL")
  const failoverMs = (await firstWrite(cluster, followers)) - killedMs
  return [{ what: "kill -9 of the leader", clients: 2, figures: { failoverMs }, failedCount: 0, others }]
}

/** The time of the first success. Refusals and requests without an answer are what is expected until then. */
const firstWrite = async ({ system: { api } }: Cluster, nodes: ReadonlyArray<BenchNode>): Promise<number> => {
  const over = new AbortController()
  const asks = nodes.map(({ url }) => api.write(url))
  const deadlineMs = performance.now() + failoverMaxMs
  let doneMs: number | undefined
  while (doneMs === undefined) {
    if (performance.now() > deadlineMs) throw new Error("No survivor accepted a write")
    for (const { expectedStatus, requests } of asks) {
      const [request] = requests
      if (request === undefined) continue
      fetch(request.url, {
        method: request.method,
        headers: { "content-type": "application/json" },
        body: withKeys(request.body ?? ""),
        signal: over.signal
      }).then(
        ({ status }) => {
          if (status === expectedStatus) doneMs ??= performance.now()
        },
        () => undefined
      )
    }
    await wait(everyMs)
  }
  over.abort()
  return doneMs
}

export const failover = alone("Failover", measureFailover)
