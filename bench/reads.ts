/**
 * Reads of one record: linearizable on whatever node they come in, where a quorum confirms the leader for each round of
 * them; and local, at once from what a node has applied.
 */
import { product, readOptions } from "./Options.ts"
import { report } from "./Report.ts"
import { measure, type Variant } from "./Runs.ts"

const recordsCount = 256

const runs = await measure(readOptions(), async ({ followers, leader }) => {
  const paths = await Promise.all(Array.from({ length: recordsCount }, () => create(leader.url)))
  const get = (name: string, url: string, query = ""): Variant => ({
    name,
    request: { urls: paths.map((path) => url + path + query), method: "GET", expectedStatus: 200 }
  })
  const [follower = leader] = followers
  return [
    get("leader", leader.url),
    get("follower", follower.url),
    get("follower, local", follower.url, "?consistency=local")
  ]
})
report("Reads", runs)

async function create(url: string): Promise<string> {
  const headers = { "content-type": "application/json" }
  const response = await fetch(`${url}/api/products`, { method: "POST", headers, body: product })
  const path = response.headers.get("location")
  await response.arrayBuffer()
  if (response.status !== 201 || path === null) throw new Error(`A record was not created: ${response.status}`)
  return path
}
