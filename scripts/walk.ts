/**
 * Counts the files whose functions run for one create that reaches a follower: `npm run walk`. It starts three nodes of the
 * example and asks V8 which functions ran on the follower and on the leader, less those that run in idle seconds.
 * ARCHITECTURE.md, "One write", states the result.
 */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

interface Ran {
  readonly file: string
  readonly offset: number
}

/** Long enough for the slower loops of an idle node. */
const idleMs = 3_000
/** By then the follower has applied the entry, and all that follows from it is done. */
const settledMs = 500

const root = fileURLToPath(new URL("..", import.meta.url))
const directory = mkdtempSync(join(tmpdir(), "lithair-walk-"))

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}
const ports = [await freePort(), await freePort(), await freePort()]

const start = (port: number): ChildProcess => {
  const peers = ports.filter((each) => each !== port).join(",")
  return fork(
    join(root, "examples/cluster.ts"),
    ["--port", `${port}`, "--peers", peers, "--data", join(directory, `${port}`)],
    { execArgv: ["--import", new URL("./walkedNode.ts", import.meta.url).href], stdio: "ignore" }
  )
}

const create = async (port: number): Promise<void> => {
  const response = await fetch(`http://127.0.0.1:${port}/api/products`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: crypto.randomUUID(), price: "1" })
  })
  if (response.status !== 201) throw new Error(`The create was answered ${response.status}: ${await response.text()}`)
}

const isReady = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/readyz`).then(
    ({ status }) => status === 200,
    () => false
  )

/** The functions that ran on a node since the last question, as `file:offset`. */
const ranOn = async (node: ChildProcess): Promise<ReadonlySet<string>> => {
  const answered = once(node, "message")
  node.send("take")
  const [ran] = (await answered) as [ReadonlyArray<Ran>]
  return new Set(ran.map(({ file, offset }) => `${file}:${offset}`))
}

const filesOf = (functions: Iterable<string>): ReadonlySet<string> =>
  new Set(Array.from(functions, (name) => name.slice(0, name.lastIndexOf(":"))))

const roomOf = (file: string): string => {
  const [room = "", wall = ""] = file.split("/")
  return room === "Raft" ? `Raft/${wall}` : room
}

const nodes = ports.map(start)
try {
  while (!(await Promise.all(ports.map(isReady))).every(Boolean)) await sleep(50)
  const status = await fetch(`http://127.0.0.1:${ports[0]}/_admin/api/cluster`)
  const { leader } = (await status.json()) as { readonly leader: string }
  const leaderAt = ports.findIndex((port) => leader === `127.0.0.1:${port}`)
  const followerAt = (leaderAt + 1) % ports.length
  const [onFollower, onLeader] = [nodes[followerAt]!, nodes[leaderAt]!]
  // The first one makes what later ones share: connections, compiled schemas, caches.
  for (let count = 0; count < 3; count++) await create(ports[followerAt]!)
  // The first write has the leader record the starts of the members, a second or two later. That is a write of its own.
  await sleep(idleMs)

  const both = () => Promise.all([ranOn(onFollower), ranOn(onLeader)])
  await both()
  await sleep(idleMs)
  const idle = await both()
  await create(ports[followerAt]!)
  await sleep(settledMs)
  const busy = await both()

  const walked = busy.map((functions, at) => filesOf([...functions].filter((name) => !idle[at]!.has(name))))
  const all = new Set(walked.flatMap((files) => [...files]))
  const rooms = new Map<string, number>()
  for (const file of all) rooms.set(roomOf(file), (rooms.get(roomOf(file)) ?? 0) + 1)
  const counts = [...rooms].toSorted(([a, one], [b, other]) => other - one || a.localeCompare(b))
  for (const file of [...all].toSorted()) {
    console.log(
      `${walked[0]!.has(file) ? "follower" : "        "} ${walked[1]!.has(file) ? "leader" : "      "} ${file}`
    )
  }
  console.log(`${all.size} files: ${walked[0]!.size} on the follower, ${walked[1]!.size} on the leader`)
  console.log(counts.map(([room, count]) => `${room} (${count})`).join(", "))
} finally {
  await Promise.all(
    nodes.map(async (node) => {
      if (node.exitCode !== null) return
      const ended = once(node, "exit")
      node.kill("SIGTERM")
      await ended
    })
  )
  rmSync(directory, { recursive: true, force: true })
}
