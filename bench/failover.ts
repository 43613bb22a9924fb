/**
 * Failover: from the kill -9 of the leader to the first write that a client is told is done, sent to a survivor after
 * the kill. Each time with a new cluster, so that no run sees what another left behind.
 */
import { parseArgs } from "node:util"
import { waitForQuiet } from "./Cpu.ts"
import { product } from "./Options.ts"
import { type BenchNode, startCluster } from "./Processes.ts"
import { median, short, table } from "./Statistics.ts"

/** Writes before the kill: connections are open and code is compiled, as on a node that has been running. */
const warmUpCount = 200
/** A cluster that takes longer is not failing over. */
const failoverMaxMs = 30_000

/** How long a run waits for other programs to leave the machine alone. */
const quietWaitMs = 10_000

const { values } = parseArgs({ options: { runs: { type: "string", default: "10" } } })
const runs = Number(values.runs)
if (!Number.isInteger(runs) || runs < 1 || runs > 100) {
  throw new Error(`--runs: expected a whole number from 1 to 100, found "${values.runs}"`)
}

interface Failover {
  readonly firstWriteMs: number
  /** Through the survivor that became leader, or through the other. */
  readonly isThroughLeader: boolean
  /** Whether other programs left the machine alone just before. */
  readonly isQuiet: boolean
  /** Answers of survivors that were not a success, until then. */
  readonly refusals: ReadonlyArray<number>
}

/** The status, and the leader that the node named; no answer within the bound is an error of the benchmark. */
const write = async (node: BenchNode) => {
  const response = await fetch(`${node.url}/api/products`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: product,
    signal: AbortSignal.timeout(failoverMaxMs)
  })
  await response.arrayBuffer()
  return { status: response.status, leader: response.headers.get("lithair-leader") }
}

const measure = async (): Promise<Failover> => {
  const cluster = await startCluster()
  try {
    const { followers, leader } = cluster
    for (let count = 0; count < warmUpCount; count++) {
      for (const node of followers) {
        const { status } = await write(node)
        if (status !== 201) throw new Error(`A write before the kill was answered ${status}`)
      }
    }
    const refusals: Array<number> = []
    const isQuiet = await waitForQuiet(quietWaitMs)
    const killedMs = performance.now()
    process.kill(leader.pid, "SIGKILL")
    let isOver = false
    /** One write after the other, until one through any survivor is done. */
    const untilDone = async (node: BenchNode): Promise<Failover> => {
      while (!isOver && performance.now() < killedMs + failoverMaxMs) {
        const answer = await write(node)
        if (answer.status === 201) {
          isOver = true
          return {
            firstWriteMs: performance.now() - killedMs,
            isThroughLeader: answer.leader === node.id,
            isQuiet,
            refusals
          }
        }
        refusals.push(answer.status)
      }
      throw new Error("No survivor accepted a write")
    }
    return await Promise.any(followers.map(untilDone))
  } finally {
    await cluster.stop()
    cluster.remove()
  }
}

const measured: Array<Failover> = []
for (let number = 1; number <= runs; number++) {
  console.error(`run ${number} of ${runs}`)
  measured.push(await measure())
}

const times = measured.map(({ firstWriteMs }) => firstWriteMs)
const counts = new Map<number, number>()
for (const status of measured.flatMap(({ refusals }) => refusals)) counts.set(status, (counts.get(status) ?? 0) + 1)
console.log(`Failover, ${runs} runs: from kill -9 of the leader to the first acknowledged write through a survivor\n`)
console.log(
  table(
    ["", "median ms", "least ms", "most ms"],
    [["first write", short(median(times)), short(Math.min(...times)), short(Math.max(...times))]]
  )
)
console.log(`\nAll, in ms: ${times.map((ms) => Math.round(ms)).join(", ")}.`)
console.log(`Through the new leader itself: ${measured.filter((each) => each.isThroughLeader).length} of ${runs}.`)
console.log(`Other programs were busy just before ${measured.filter(({ isQuiet }) => !isQuiet).length} of ${runs}.`)
const refused = [...counts].map(([status, count]) => `${count} × ${status}`).join(", ")
console.log(`Answers of survivors that were no success, until then: ${refused === "" ? "none" : refused}.`)
