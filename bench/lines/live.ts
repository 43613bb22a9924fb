/**
 * What live queries cost writes: writes to the leader of a cluster beside the same writes to one whose leader keeps 1,000
 * live queries right for 100 clients. Each write changes the page of one of them.
 */
import { onNode } from "../Lithair.ts"
import { measure } from "../Measure.ts"
import { type Cluster, post } from "../Systems.ts"
import type { Line } from "./Line.ts"

const clientsCount = 100
const queriesOfClientCount = 10
const pricesCount = clientsCount * queriesOfClientCount

/** The system that has live queries. */
const withLiveQueries = "Node, 1,000 live queries"
/** What both systems are asked for. */
const what = "writes of 1,000 prices"

const priceAt = (at: number): string => `${at + 1}.00`

/** Opens the queries of one client on one stream, and reads what comes until the node stops. */
const follow = async (url: string, client: number): Promise<void> => {
  const queries = Object.fromEntries(
    Array.from({ length: queriesOfClientCount }, (_, at) => [
      `q${at}`,
      `/api/products?price=eq.${priceAt(client * queriesOfClientCount + at)}&order=id.desc&limit=20`
    ])
  )
  const response = await fetch(`${url}/api/_live`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ queries })
  })
  if (response.status !== 200 || response.body === null) throw new Error(`live queries answered ${response.status}`)
  const drain = async (reader: ReadableStreamDefaultReader<Uint8Array>) => {
    while (!(await reader.read()).done);
  }
  // A node that stops ends the stream, or breaks it off.
  drain(response.body.getReader()).catch(() => {})
}

export const live: Line = {
  title: "Writes beside live queries",
  run: ({ name, options }) =>
    measure({
      ...options,
      line: name,
      systems: [onNode(), onNode({ name: withLiveQueries })],
      clients: options.clients ?? [16, 64],
      prepare: async ({ leader, system }: Cluster) => {
        if (system.name === withLiveQueries) {
          await Promise.all(Array.from({ length: clientsCount }, (_, client) => follow(leader.url, client)))
        }
        const rows = Array.from({ length: pricesCount }, (_, at) => ({ name: "Anvil", price: priceAt(at) }))
        return [{ what, ask: post(`${leader.url}/api/products`, 201, rows) }]
      }
    })
}
