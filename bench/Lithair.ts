/** Lithair as a system of a benchmark: three nodes of an example, on any runtime, of this checkout or of another one. */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Api, type Ask, askJson, type BenchNode, post, type System } from "./Systems.ts"

export type Runtime = "node" | "bun" | "deno"

/** A record of the example's `Product`, 33 bytes as JSON. */
export const product = { name: "Anvil", price: "19.90" }

/** Where this checkout is. */
export const checkout = fileURLToPath(new URL("..", import.meta.url))

const runArgs: Record<Runtime, ReadonlyArray<string>> = { node: [], bun: ["run"], deno: ["run", "-A"] }

export interface LithairOptions {
  readonly name: string
  readonly runtime: Runtime
  /** The checkout that runs, with its own node_modules. */
  readonly root: string
  /** The program of the checkout, the example cluster unless told. */
  readonly program?:
    | "examples/cluster.ts"
    | "examples/bank.ts"
    | "bench/indexed.ts"
    | "bench/guarded.ts"
    | "bench/entities.ts"
  readonly api?: Api
  /** The options of the runtime, given a directory in which the node may leave files. */
  readonly runtimeArgs?: (directory: string) => ReadonlyArray<string>
  readonly environment?: Readonly<Record<string, string>>
}

export const lithair = (options: LithairOptions): System => ({
  name: options.name,
  nodesCount: 3,
  api: options.api ?? api,
  lithair: options,
  command: (at, ports, directory) => {
    const { environment = {}, program = "examples/cluster.ts", root, runtime, runtimeArgs } = options
    const own = ports.slice(0, ports.length / 2)
    const peers = own.filter((port) => port !== own[at]).join(",")
    return {
      program: join(root, "node_modules/.bin", runtime),
      args: [
        ...runArgs[runtime],
        ...(runtimeArgs?.(`${directory}-profile`) ?? []),
        join(root, program),
        ...["--port", String(own[at]), "--peers", peers, "--data", directory]
      ],
      cwd: root,
      // Runners of Effect Cluster have a port of their own.
      environment: { RUNNER_PORT: String(ports[ports.length / 2 + at]), ...environment }
    }
  },
  leaderOf,
  stateOf: async ({ url }) => {
    const state = (await askJson(`${url}/_admin/api/cluster`)) as
      | { readonly term: number; readonly commitIndex: number; readonly appliedIndex: number }
      | undefined
    return state && { term: state.term, committed: state.commitIndex, applied: state.appliedIndex }
  }
})

/** This checkout on Node. */
export const onNode = (options: Partial<LithairOptions> = {}): System =>
  lithair({ name: "Node", runtime: "node", root: checkout, ...options })

const leaderOf = async (nodes: ReadonlyArray<BenchNode>): Promise<BenchNode | undefined> => {
  const named = await Promise.all(
    nodes.map((node) =>
      fetch(`${node.url}/readyz`, { signal: AbortSignal.timeout(1000) }).then(
        async (response) => {
          await response.arrayBuffer()
          return response.status === 200 ? response.headers.get("lithair-leader") : null
        },
        () => null // Not listening yet: asked again until the deadline.
      )
    )
  )
  return nodes.find(({ id }) => named.every((each) => each === id))
}

/** The most that one `_bulk` of the benchmarks holds. */
const bulkMax = 1000

/** On a busy machine a new cluster may lose its leader. Records that nobody knows of do not change a figure. */
const createTries = 5
const createRetryMs = 500

const create = async (url: string, rows: ReadonlyArray<unknown>): Promise<ReadonlyArray<string>> => {
  for (let tries = 0; tries < createTries; tries++) {
    const created = (await askJson(`${url}/_bulk`, rows)) as ReadonlyArray<{ readonly id: string }> | undefined
    if (created?.length === rows.length) return created.map(({ id }) => id)
    await new Promise((resume) => setTimeout(resume, createRetryMs))
  }
  throw new Error(`${rows.length} records were not created at ${url}`)
}

/** Creates so many records, each made by its number. */
export const createAll = async (
  url: string,
  count: number,
  recordOf: (at: number) => unknown
): Promise<ReadonlyArray<string>> => {
  const ids: Array<string> = []
  while (ids.length < count) {
    const rows = Array.from({ length: Math.min(bulkMax, count - ids.length) }, (_, at) => recordOf(ids.length + at))
    for (const id of await create(url, rows)) ids.push(id)
  }
  return ids
}

const repeat = <A>(value: A, count: number): ReadonlyArray<A> => Array.from({ length: count }, () => value)

const read = (url: string, ids: ReadonlyArray<string>, query = ""): Ask => ({
  requests: ids.map((id) => ({ method: "GET", url: `${url}/api/products/${id}${query}` })),
  expectedStatus: 200
})

/** So many accounts have money to transfer, each to the next ones: pairs that are not always the same. */
const accountsCount = 100
const distancesMax = 10

export const openAccounts = (url: string): Promise<ReadonlyArray<string>> =>
  create(`${url}/api/accounts`, repeat({ owner: "Ada", balance: "1000000.00" }, accountsCount))

/** Each account gives as often as it takes, and the same amount: none ever runs out. */
export const transfers = (url: string, ids: ReadonlyArray<string>): Ask =>
  post(
    `${url}/api/_commands/transfer`,
    200,
    Array.from({ length: distancesMax }, (_, less) => less + 1).flatMap((distance) =>
      ids.map((from, at) => ({ from, to: ids[(at + distance) % ids.length], amount: "0.01" }))
    )
  )

const api: Api = {
  write: (url) => post(`${url}/api/products`, 201, [product]),
  writeMany: (url, count) => post(`${url}/api/products/_bulk`, 201, [repeat(product, count)]),
  transaction: (url) =>
    post(`${url}/api/_tx`, 200, [{ ops: repeat({ op: "create", model: "Product", data: product }, 3) }]),
  fill: (url, count) => createAll(`${url}/api/products`, count, () => product),
  read,
  readLocal: (url, ids) => read(url, ids, "?consistency=local"),
  transfers: async (url) => transfers(url, await openAccounts(url))
}
