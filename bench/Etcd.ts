/**
 * etcd as a system of a benchmark: three members on loopback with their defaults (synced log, snapshots), asked over
 * HTTP and JSON as Lithair is (its gateway). It holds the same record under a key as long as Lithair's. Lithair does
 * not need it: it is measured where it is installed.
 */
import { spawnSync } from "node:child_process"
import { product } from "./Lithair.ts"
import { type Api, type Ask, askJson, type BenchNode, post, type System } from "./Systems.ts"

/** The version on the PATH, or nothing if there is none. */
export const etcdVersion = (): string | undefined => {
  const { status, stdout } = spawnSync("etcd", ["--version"], { encoding: "utf8" })
  return status === 0 ? /etcd Version: (\S+)/.exec(stdout)?.[1] : undefined
}

const base64 = (text: string): string => Buffer.from(text).toString("base64")
const value = base64(JSON.stringify(product))
const put = (key: string) => ({ requestPut: { key, value } })

/** The most that a transaction holds by default. */
const transactionMax = 128

const read = (url: string, keys: ReadonlyArray<string>, more = {}): Ask =>
  post(
    `${url}/v3/kv/range`,
    200,
    keys.map((key) => ({ key, ...more }))
  )

/** So many puts of new keys in one transaction. */
const writeMany = (url: string, count: number): Ask =>
  post(`${url}/v3/kv/txn`, 200, [{ success: Array.from({ length: count }, () => put("{key}")) }])

const api: Api = {
  write: (url) => post(`${url}/v3/kv/put`, 200, [{ key: "{key}", value }]),
  writeMany,
  transaction: (url) => writeMany(url, 3),
  fill: async (url, count) => {
    const keys = Array.from({ length: count }, (_, at) => base64(`products/filled-${String(at).padStart(29, "0")}`))
    for (let at = 0; at < count; at += transactionMax) {
      const answer = await askJson(`${url}/v3/kv/txn`, { success: keys.slice(at, at + transactionMax).map(put) })
      if (answer === undefined) throw new Error(`etcd did not take ${transactionMax} records`)
    }
    return keys
  },
  read,
  readLocal: (url, keys) => read(url, keys, { serializable: true })
}

/** Numbers of 64 bits are text in its JSON. */
interface Status {
  readonly header: { readonly member_id: string }
  readonly leader: string
  readonly raftTerm: string
  readonly raftIndex: string
  readonly raftAppliedIndex: string
}

const statusOf = async ({ url }: BenchNode) => (await askJson(`${url}/v3/maintenance/status`, {})) as Status | undefined

const leaderOf = async (nodes: ReadonlyArray<BenchNode>): Promise<BenchNode | undefined> => {
  const states = await Promise.all(nodes.map(statusOf))
  return nodes.find((_, at) => {
    const member = states[at]?.header.member_id
    return member !== undefined && states.every((state) => state?.leader === member)
  })
}

export const etcd: System = {
  name: "etcd",
  nodesCount: 3,
  api,
  command: (at, ports, directory) => {
    const url = (port: number | undefined) => `http://127.0.0.1:${port}`
    const client = url(ports[at])
    const peer = url(ports[3 + at])
    const members = [0, 1, 2].map((each) => `n${each}=${url(ports[3 + each])}`).join(",")
    return {
      program: "etcd",
      args: [
        ...["--name", `n${at}`, "--data-dir", directory, "--initial-cluster", members],
        ...["--listen-client-urls", client, "--advertise-client-urls", client],
        ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
      ]
    }
  },
  leaderOf,
  stateOf: async (node) => {
    const status = await statusOf(node)
    return (
      status && {
        term: Number(status.raftTerm),
        committed: Number(status.raftIndex),
        applied: Number(status.raftAppliedIndex)
      }
    )
  }
}
