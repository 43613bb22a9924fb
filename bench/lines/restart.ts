/**
 * How soon a cluster with many records is ready again when all its nodes start at once, and what a node takes in memory
 * and on disk. The records have 133 bytes as JSON, and the model has three indexes; etcd has as many keys, with no index.
 */
import { readdirSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { memoryBytes, watchCpu } from "../Cpu.ts"
import { createAll, lithair } from "../Lithair.ts"
import { orTell, withClusters } from "../Measure.ts"
import type { Sample } from "../Sample.ts"
import { median } from "../Statistics.ts"
import type { System } from "../Systems.ts"
import { type Line, pidsOf, wait } from "./Line.ts"

const megabyte = 1024 * 1024
/** What was needed to start is given back by then. */
const idleMs = 10_000

/** Values that no index finds in their order, and a category that a hundredth of the records share. */
export const item = (at: number) => {
  const mixed = Math.imul(at ^ 0x9e3779b9, 0x85ebca6b) >>> 0
  return {
    name: `Product ${at}`,
    sku: `SKU-${mixed.toString(36)}-${at}`,
    category: `category-${mixed % 100}`,
    price: mixed % 10_000
  }
}

/** The same system with records that have indexes, if it is Lithair. */
const indexed = (system: System): System =>
  system.lithair === undefined
    ? system
    : lithair({
        ...system.lithair,
        program: "bench/indexed.ts",
        // As docs/deploying.md advises: Node keeps its compiled code from the start before.
        environment: { ...system.lithair.environment, NODE_COMPILE_CACHE: join(tmpdir(), "lithair-bench-compiled") },
        api: {
          ...system.api,
          fill: (url, count) => createAll(`${url}/api/items`, count, item)
        }
      })

const bytesIn = (path: string): number =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).blocks * 512, 0)

export const restart: Line = {
  title: "A start with many records",
  run: async ({ name, options: { records, runs }, systems }) => {
    const samples: Array<Sample> = []
    for (const system of systems.filter(({ nodesCount }) => nodesCount > 1).map(indexed)) {
      await orTell(`${name}: ${system.name}`, () =>
        withClusters([system], async ([first], client) => {
          let cluster = first!
          console.error(`${name}: ${system.name} gets ${records} records`)
          await system.api.fill(cluster.leader.url, records)
          for (let run = 1; run <= runs; run++) {
            await cluster.stop()
            const beganMs = performance.now()
            cluster = await cluster.startAgain()
            const restartMs = performance.now() - beganMs
            const ends = watchCpu([process.pid, client.pid, ...pidsOf(cluster)])
            await wait(idleMs)
            samples.push({
              line: name,
              what: `${records.toLocaleString("en-US")} records`,
              clients: 0,
              system: system.name,
              run,
              figures: {
                restartMs,
                memoryMb: median(pidsOf(cluster).map((pid) => memoryBytes(pid) / megabyte)),
                diskMb: bytesIn(cluster.leader.directory) / megabyte
              },
              failedCount: 0,
              others: ends()?.others ?? Number.NaN
            })
          }
          await cluster.stop()
        })
      )
    }
    return samples
  }
}
