/**
 * What it costs to know who asks: writes and lists of an open node beside those of nodes that check an API key, a token, a
 * rule on each row, and that limit and log each request. Each is a cluster of one, so that all run at once.
 */
import { type LithairOptions, onNode } from "../Lithair.ts"
import { runLoad } from "../Load.ts"
import { measure } from "../Measure.ts"
import { askJson, type Cluster, type System } from "../Systems.ts"
import { makeToken } from "../Tokens.ts"
import type { Line } from "./Line.ts"

const recordsCount = 1_000
const pageLimit = 20
/** A rate that nobody reaches: its bucket is looked at all the same. */
const unreachedRate = "1000000/1000000"

const open = "open"
const order = JSON.stringify({ name: "Anvil", cents: 1990 })

/** A cluster of one. */
const single = (name: string, environment: NonNullable<LithairOptions["environment"]>): System => ({
  ...onNode({ name, program: "bench/guarded.ts", environment }),
  nodesCount: 1
})

/** The headers with which a system is asked. */
const headersOf = async ({ leader, system }: Cluster, token: string): Promise<Readonly<Record<string, string>>> => {
  const { environment = {} } = system.lithair ?? {}
  if (environment.BENCH_ACCESS === open) return {}
  if (environment.BENCH_JWKS !== undefined) return { authorization: `Bearer ${token}` }
  const made = (await askJson(`${leader.url}/_admin/api/keys`, { name: "bench" })) as
    | { readonly key: string }
    | undefined
  if (made === undefined) throw new Error("The node made no API key")
  return { authorization: `Bearer ${made.key}` }
}

export const access: Line = {
  title: "Who asks",
  run: async ({ name, options }) => {
    const { jwks, token } = await makeToken()
    const byOwner = { BENCH_ACCESS: "owner" }
    return measure({
      ...options,
      line: name,
      systems: [
        single("open", { BENCH_ACCESS: open }),
        single("API key", { BENCH_ACCESS: "signed-in" }),
        single("token", { BENCH_ACCESS: "signed-in", BENCH_JWKS: jwks }),
        single("API key, rule on rows", byOwner),
        single("API key, rule on rows, limits", { ...byOwner, LITHAIR_PRINCIPAL_RATE: unreachedRate }),
        single("API key, rule on rows, log of requests", { ...byOwner, LITHAIR_REQUEST_LOG: "true" })
      ],
      clients: options.clients ?? [16],
      prepare: async (cluster) => {
        const headers = await headersOf(cluster, token)
        const url = `${cluster.leader.url}/api/orders`
        const write = {
          requests: [{ method: "POST" as const, url, body: order, headers }],
          expectedStatus: 201
        }
        const bulk = JSON.stringify(Array.from({ length: recordsCount }, () => JSON.parse(order)))
        const requests = [{ method: "POST" as const, url: `${url}/_bulk`, body: bulk, headers }]
        await runLoad({ requests, expectedStatus: 201, clients: 1, warmUpMs: 0, measureMs: 1 })
        const list = {
          requests: [{ method: "GET" as const, url: `${url}?limit=${pageLimit}`, headers }],
          expectedStatus: 200
        }
        return [
          { what: `lists of ${pageLimit} records`, ask: list },
          { what: "writes", ask: write }
        ]
      }
    })
  }
}
