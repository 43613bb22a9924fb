/** What records that are there cost: writes to a cluster of a thousand records beside one of a million, filled once. */
import { measureOnce, orTell, withClusters } from "../Measure.ts"
import type { Sample } from "../Sample.ts"
import { inOrder, type Line } from "./Line.ts"

const few = 1000

export const records: Line = {
  title: "Many records",
  run: async ({ name, options, systems }) => {
    const { clients: asked = [1, 64], records: many, runs, stepMs, warmUpMs } = options
    const sizes = [few, many]
    const samples: Array<Sample> = []
    for (const system of systems.filter(({ nodesCount }) => nodesCount > 1)) {
      const each = sizes.map(() => system)
      await orTell(`${name}: ${system.name}`, () =>
        withClusters(each, async (clusters, client) => {
          for (const [at, cluster] of clusters.entries()) {
            console.error(`${name}: ${system.name} gets ${sizes[at]} records`)
            await system.api.fill(cluster.leader.url, sizes[at] ?? few)
            await client.run({ ...system.api.write(cluster.leader.url), clients: 64, warmUpMs: 0, measureMs: warmUpMs })
          }
          for (let run = 1; run <= runs; run++) {
            for (const clients of asked) {
              for (const cluster of inOrder(clusters, run)) {
                const variant = { what: "writes to the leader", ask: system.api.write(cluster.leader.url) }
                const plan = { line: name, stepMs }
                const sample = await measureOnce({ plan, run, variant, clients, cluster, clusters, client })
                const size = sizes[clusters.indexOf(cluster)] ?? few
                samples.push({ ...sample, system: `${system.name}, ${size.toLocaleString("en-US")} records` })
              }
            }
          }
        })
      )
    }
    return samples
  }
}
