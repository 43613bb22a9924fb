/**
 * Starts and stops the processes of a benchmark: three nodes of an example, the load generator, the raw server. It ends
 * each by its own handle, however the benchmark ends, and removes their directory.
 */
import { type ChildProcess, fork, type Serializable, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { LoadResult, LoadSpec } from "./Load.ts"

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** How long a cluster may take to be ready, a process to end, and a load to answer beyond its own time. */
const readyTimeoutMs = 30_000
const stopTimeoutMs = 10_000
const answerTimeoutMs = 15_000

const children = new Set<ChildProcess>()
const directories = new Set<string>()
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL")
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))

const own = (child: ChildProcess): ChildProcess => {
  children.add(child)
  child.once("exit", () => children.delete(child))
  return child
}

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, "exit")
  child.kill("SIGTERM")
  const deadline = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs)
  await exited
  clearTimeout(deadline)
}

export interface BenchNode {
  readonly id: string
  readonly url: string
  readonly pid: number
  readonly directory: string
}

export interface Cluster {
  readonly leader: BenchNode
  readonly followers: ReadonlyArray<BenchNode>
  /** Whether the same node leads as when the cluster became ready: figures across a change of leader mean nothing. */
  readonly isLedAsBefore: () => Promise<boolean>
  /** Stops the nodes in order, so that they write what they write at exit, and keeps the directory. */
  readonly stop: () => Promise<void>
  readonly remove: () => void
}

export interface ClusterOptions {
  /** Which of the examples the nodes run. */
  readonly example?: "cluster" | "bank"
  /** The options of Node, given a directory in which the node may leave files. */
  readonly nodeArgs?: (directory: string) => ReadonlyArray<string>
  readonly environment?: Readonly<Record<string, string>>
}

/** Starts three nodes on free ports and empty directories, and waits until all are ready and agree on a leader. */
export const startCluster = async (options: ClusterOptions = {}): Promise<Cluster> => {
  const directory = mkdtempSync(join(tmpdir(), "lithair-bench-"))
  directories.add(directory)
  const ports = await freePorts(3)
  const started = ports.map((port) => startNode(port, ports, directory, options))
  const nodes = started.map(({ node }) => node)
  const deadlineMs = performance.now() + readyTimeoutMs
  let leader: BenchNode | undefined
  while (leader === undefined) {
    if (performance.now() > deadlineMs || started.some(({ child }) => child.exitCode !== null)) {
      throw new Error(`The cluster is not ready: ${started.map(({ output }) => output()).join("\n")}`)
    }
    await new Promise((resume) => setTimeout(resume, 50))
    leader = await leaderOf(nodes)
  }
  const led = leader
  return {
    leader: led,
    followers: nodes.filter((node) => node !== led),
    isLedAsBefore: async () => (await leaderOf(nodes)) === led,
    stop: async () => {
      await Promise.all(started.map(({ child }) => stop(child)))
    },
    remove: () => {
      rmSync(directory, { recursive: true, force: true })
      directories.delete(directory)
    }
  }
}

const startNode = (
  port: number,
  ports: ReadonlyArray<number>,
  root: string,
  { environment, example = "cluster", nodeArgs }: ClusterOptions
) => {
  const directory = join(root, String(port))
  const peers = ports.filter((each) => each !== port).join(",")
  const flags = ["--port", String(port), "--peers", peers, "--data", directory]
  const args = [...(nodeArgs?.(`${directory}-profile`) ?? []), pathOf(`../examples/${example}.ts`), ...flags]
  const child = own(
    spawn(process.execPath, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment }
    })
  )
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (data: Buffer) => {
      // What a node says first tells why it did not start; a node that talks on does not fill this process.
      if (output.length < 10_000) output += data.toString()
    })
  }
  const id = `127.0.0.1:${port}`
  const node: BenchNode = { id, url: `http://${id}`, pid: child.pid ?? 0, directory }
  return { child, node, output: () => output }
}

/** Held all at once before any is given back, so that no port is named twice. */
const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"))
  await Promise.all(servers.map((server) => once(server, "listening")))
  const ports = servers.map((server) => {
    const address = server.address()
    if (address === null || typeof address === "string") throw new Error("A server that listens has no port")
    return address.port
  })
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))))
  return ports
}

/** The leader that all nodes name, once all are ready. */
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

export interface LoadClient {
  readonly pid: number
  readonly run: (spec: LoadSpec) => Promise<LoadResult>
  readonly stop: () => Promise<void>
}

/** One process for all loads of a run: its code is compiled and warm after the first. A load without any answer is none. */
export const startClient = (): LoadClient => {
  const child = own(fork(pathOf("client.ts")))
  return {
    pid: child.pid ?? 0,
    run: async (spec) => {
      const timeoutMs = spec.warmUpMs + spec.measureMs + answerTimeoutMs
      const answered = once(child, "message", { signal: AbortSignal.timeout(timeoutMs) })
      child.send(spec as unknown as Serializable)
      const [answer] = await answered
      const result = answer as LoadResult
      if (result.answersCount > 0) return result
      throw new Error(`No ${spec.method} ${spec.urls[0]} was answered ${spec.expectedStatus}: ${result.failedStatus}`)
    },
    stop: () => stop(child)
  }
}

export interface RawServer {
  readonly url: string
  readonly pid: number
  readonly stop: () => Promise<void>
}

export const startRawServer = async (): Promise<RawServer> => {
  const child = own(fork(pathOf("rawServer.ts")))
  const [address] = await once(child, "message", { signal: AbortSignal.timeout(readyTimeoutMs) })
  const url = `http://127.0.0.1:${(address as { readonly port: number }).port}/`
  return { url, pid: child.pid ?? 0, stop: () => stop(child) }
}
