/** Effect Cluster over the log: persisted calls of entities, and workflows of three activities, asked of all nodes in turn. */
import { onNode } from "../Lithair.ts"
import { runLoad } from "../Load.ts"
import { measure } from "../Measure.ts"
import type { Cluster } from "../Systems.ts"
import type { Line } from "./Line.ts"

const asked = ({ followers, leader }: Cluster, path: string) => ({
  requests: [leader, ...followers].map(({ url }) => ({ method: "POST" as const, url: `${url}${path}`, body: "{}" })),
  expectedStatus: 200
})

export const cluster: Line = {
  title: "Effect Cluster",
  run: ({ name, options }) =>
    measure({
      ...options,
      line: name,
      systems: [onNode({ name: "Node", program: "bench/entities.ts" })],
      clients: options.clients ?? [1, 64],
      prepare: async (cluster) => {
        const call = asked(cluster, "/call")
        const workflow = asked(cluster, "/workflow")
        // Runners have shared the shards once each of them has answered.
        await runLoad({ ...workflow, clients: 3, warmUpMs: 0, measureMs: 1_000 })
        return [
          { what: "persisted calls", ask: call },
          { what: "workflows of three activities", ask: workflow }
        ]
      }
    })
}
