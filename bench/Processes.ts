/**
 * Starts and stops the processes of a benchmark. It ends each by its own handle, however the benchmark ends, on Ctrl-C
 * too, and removes their directories.
 */
import { type ChildProcess, fork, type Serializable, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { LoadResult, LoadSpec } from "./Load.ts"

/** How long a process may take to end, and a load to answer beyond its own time. */
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

export interface Command {
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly cwd?: string
  readonly environment?: Readonly<Record<string, string>>
}

export interface Started {
  readonly pid: number
  readonly isRunning: () => boolean
  /** The first of what it said: that tells why it did not start. */
  readonly output: () => string
  readonly stop: () => Promise<void>
}

export const start = ({ args, cwd, environment, program }: Command): Started => {
  const child = own(
    spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], cwd, env: { ...process.env, ...environment } })
  )
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (data: Buffer) => {
      if (output.length < 10_000) output += data.toString()
    })
  }
  child.on("error", (error) => {
    output += String(error)
  })
  return {
    pid: child.pid ?? 0,
    isRunning: () => child.pid !== undefined && child.exitCode === null && child.signalCode === null,
    output: () => output,
    stop: () => (child.pid === undefined ? Promise.resolve() : stop(child))
  }
}

/** A directory that is removed when the benchmark ends, if not before. */
export const makeDirectory = (): { readonly path: string; readonly remove: () => void } => {
  const path = mkdtempSync(join(tmpdir(), "lithair-bench-"))
  directories.add(path)
  return {
    path,
    remove: () => {
      rmSync(path, { recursive: true, force: true })
      directories.delete(path)
    }
  }
}

/** Held all at once before any is given back, so that no port is named twice. */
export const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
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

export interface LoadClient {
  readonly pid: number
  /** Fails if no request is answered as expected. */
  readonly run: (spec: LoadSpec) => Promise<LoadResult>
  readonly stop: () => Promise<void>
}

/** The result of one load, or why there is none. Without a bound a lost answer would end the benchmark without a word. */
const answerTo = (child: ChildProcess, spec: LoadSpec): Promise<LoadResult> =>
  new Promise((resolve, reject) => {
    const timeoutMs = spec.warmUpMs + spec.measureMs + answerTimeoutMs
    const end = (settle: () => void) => {
      clearTimeout(deadline)
      child.off("message", onAnswer).off("exit", onExit)
      settle()
    }
    const onAnswer = (answer: Serializable) => end(() => resolve(answer as unknown as LoadResult))
    const onExit = () => end(() => reject(new Error("The load generator ended before it answered")))
    const deadline = setTimeout(() => {
      end(() => reject(new Error(`The load generator did not answer within ${timeoutMs} ms`)))
    }, timeoutMs)
    child.on("message", onAnswer).on("exit", onExit)
    child.send(spec as unknown as Serializable)
  })

/** One process for all loads of a benchmark: its code is compiled and warm after the first. */
export const startClient = (): LoadClient => {
  const child = own(fork(fileURLToPath(new URL("client.ts", import.meta.url))))
  return {
    pid: child.pid ?? 0,
    run: async (spec) => {
      const result = await answerTo(child, spec)
      if (result.allCount > 0) return result
      const [first] = spec.requests
      throw new Error(`No ${first?.method} ${first?.url} was answered ${spec.expectedStatus}: ${result.failedStatus}`)
    },
    stop: () => stop(child)
  }
}
