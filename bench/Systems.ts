/** What a benchmark compares: systems of three nodes (or one), each started in the same way and asked for the same things. */
import { join } from "node:path"
import type { LithairOptions } from "./Lithair.ts"
import type { LoadRequest } from "./Load.ts"
import { type Command, freePorts, makeDirectory, type Started, start } from "./Processes.ts"

export interface BenchNode {
  readonly id: string
  readonly url: string
  readonly pid: number
  readonly directory: string
}

/** Requests that have one meaning, and the status of their success. */
export interface Ask {
  readonly requests: ReadonlyArray<LoadRequest>
  readonly expectedStatus: number
}

/** How a system is asked. It has no entry for what it cannot do. */
export interface Api {
  /** One new record of 33 bytes. */
  readonly write: (url: string) => Ask
  /** So many new records, all or none. */
  readonly writeMany?: (url: string, count: number) => Ask
  /** Three new records as operations of a transaction. */
  readonly transaction?: (url: string) => Ask
  /** Writes so many records at once; the result names each. */
  readonly fill: (url: string, count: number) => Promise<ReadonlyArray<string>>
  /** Records by their names: linearizable, or at once from what the node has. */
  readonly read: (url: string, names: ReadonlyArray<string>) => Ask
  readonly readLocal?: (url: string, names: ReadonlyArray<string>) => Ask
  /** Opens accounts and moves money among them. */
  readonly transfers?: (url: string) => Promise<Ask>
}

export interface System {
  readonly name: string
  readonly nodesCount: number
  readonly api: Api
  /** How Lithair is started, if this is it. */
  readonly lithair?: LithairOptions
  /** Starts node number `at`, which has the ports at `at` and at `nodesCount + at`. */
  readonly command: (at: number, ports: ReadonlyArray<number>, directory: string) => Command
  /** The leader that all nodes name, once all are ready. */
  readonly leaderOf: (nodes: ReadonlyArray<BenchNode>) => Promise<BenchNode | undefined>
  /** What a node says of itself, if it answers and the system has a log. */
  readonly stateOf?: (node: BenchNode) => Promise<NodeState | undefined>
}

/** Indexes are of the log. */
export interface NodeState {
  readonly term: number
  readonly committed: number
  readonly applied: number
}

export interface Cluster {
  readonly system: System
  readonly leader: BenchNode
  readonly followers: ReadonlyArray<BenchNode>
  /** Who leads now, if the nodes agree. */
  readonly leaderNow: () => Promise<BenchNode | undefined>
  /** Stops the nodes in order, so that they write what they write at exit, and keeps the directory. */
  readonly stop: () => Promise<void>
  /** Starts all nodes again at once, on the same ports and directories, once they are stopped. */
  readonly startAgain: () => Promise<Cluster>
  readonly remove: () => void
}

const readyTimeoutMs = 120_000
const pollMs = 50

/** Starts a system on free ports and empty directories, and waits until its nodes are ready and agree on a leader. */
export const startCluster = async (system: System): Promise<Cluster> =>
  startIn(system, makeDirectory(), await freePorts(2 * system.nodesCount))

const startIn = async (
  system: System,
  place: ReturnType<typeof makeDirectory>,
  ports: ReadonlyArray<number>
): Promise<Cluster> => {
  const { path, remove } = place
  const members = ports.slice(0, system.nodesCount).map((port, at): { node: BenchNode; started: Started } => {
    const directory = join(path, String(port))
    const started = start(system.command(at, ports, directory))
    const id = `127.0.0.1:${port}`
    return { started, node: { id, url: `http://${id}`, pid: started.pid, directory } }
  })
  const nodes = members.map(({ node }) => node)
  const deadlineMs = performance.now() + readyTimeoutMs
  let leader: BenchNode | undefined
  while (leader === undefined) {
    if (performance.now() > deadlineMs || members.some(({ started }) => !started.isRunning())) {
      throw new Error(`${system.name} is not ready: ${members.map(({ started }) => started.output()).join("\n")}`)
    }
    await new Promise((resume) => setTimeout(resume, pollMs))
    leader = await system.leaderOf(nodes)
  }
  const led = leader
  return {
    system,
    leader: led,
    followers: nodes.filter((node) => node !== led),
    leaderNow: () => system.leaderOf(nodes),
    stop: async () => {
      await Promise.all(members.map(({ started }) => started.stop()))
    },
    startAgain: () => startIn(system, place, ports),
    remove
  }
}

/** A request of the benchmark itself: its answer as JSON, or nothing if there is none or it is no success. */
export const askJson = async (url: string, body?: unknown): Promise<unknown> => {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(60_000),
      ...(body === undefined
        ? {}
        : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
    })
    const answer: unknown = await response.json()
    return response.ok ? answer : undefined
  } catch {
    return undefined // Not listening yet, or stopped: the caller asks again or fails.
  }
}

export const post = (url: string, expectedStatus: number, bodies: ReadonlyArray<unknown>): Ask => ({
  requests: bodies.map((body) => ({ method: "POST", url, body: JSON.stringify(body) })),
  expectedStatus
})
