/** The floor of HTTP as a system of a benchmark: a bare server that agrees with nobody and keeps nothing. */
import { fileURLToPath } from "node:url"
import { product } from "./Lithair.ts"
import { askJson, post, type System } from "./Systems.ts"

export const bare: System = {
  name: "bare HTTP",
  nodesCount: 1,
  api: {
    write: (url) => post(url, 201, [product]),
    fill: async () => [""],
    read: (url) => ({ requests: [{ method: "GET", url }], expectedStatus: 200 })
  },
  command: (at, ports) => ({
    program: process.execPath,
    args: [fileURLToPath(new URL("bareServer.ts", import.meta.url)), String(ports[at])]
  }),
  leaderOf: async ([node]) => (node !== undefined && (await askJson(node.url)) !== undefined ? node : undefined)
}
