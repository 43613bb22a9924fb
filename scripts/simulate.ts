/**
 * Runs the simulator over many seeds, in as many processes as there are cores: `npm run simulate -- --seeds N --from S`.
 * A process takes the next seeds when it is done with some. The first failure ends the run: it prints the seed, a short
 * script with the same failure, and the command that repeats it.
 */
import { type ChildProcess, fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { script } from "../src/Testing/simulator/Act.ts"
import * as Simulator from "../src/Testing/simulator/Simulator.ts"
import { optionsOf } from "../test/Testing/simulatorSeeds.ts"

/** The report of a process about one seed. */
interface Ran {
  readonly seed: number
  readonly failure: string | undefined
  readonly actsCount: number
}

const seedsEachCount = 10
const progressMs = 10_000

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    workers: { type: "string", default: `${availableParallelism()}` },
    /** For this script's own use: runs seeds for the process that started it. */
    worker: { type: "boolean", default: false }
  }
})

const report = (seed: number): void => {
  const options = optionsOf(seed)
  const failed = Simulator.run(options)
  console.log(`\nseed ${seed} failed after ${failed.acts.length} acts: ${failed.failure}`)
  const shrunk = Simulator.shrink(options, failed)
  console.log(`\n${script(shrunk.acts).join("\n")}\n\n${shrunk.acts.length} acts: ${shrunk.failure}`)
  console.log(`\nAgain: npm run simulate -- --seeds 1 --from ${seed}. Keep the seed in test/Testing/simulatorSeeds.ts.`)
}

/** Runs the seeds that the parent asks for, some at a time. */
const work = (): void => {
  process.on("message", ({ from, count }: { readonly from: number; readonly count: number }) => {
    for (let seed = from; seed < from + count; seed++) {
      const { acts, failure } = Simulator.run(optionsOf(seed))
      process.send?.({ seed, failure, actsCount: acts.length } satisfies Ran)
    }
  })
}

const lead = (from: number, seedsCount: number, workersCount: number): void => {
  const beganMs = performance.now()
  const end = from + seedsCount
  let next = from
  let ranCount = 0
  let actsCount = 0
  let isOver = false
  const workers: Array<ChildProcess> = []
  const seconds = () => (performance.now() - beganMs) / 1000
  const say = () => {
    const rate = (ranCount / seconds()).toFixed(1)
    console.log(`${ranCount} of ${seedsCount} seeds, ${actsCount} acts, ${seconds().toFixed(0)} s, ${rate} seeds/s`)
  }
  const progress = setInterval(say, progressMs)
  const stop = () => {
    isOver = true
    clearInterval(progress)
    for (const worker of workers) worker.kill()
  }
  const give = (worker: ChildProcess): number => {
    const count = Math.min(seedsEachCount, end - next)
    if (count > 0) worker.send({ from: next, count })
    next += count
    return count
  }
  for (let at = 0; at < workersCount; at++) {
    const worker = fork(fileURLToPath(import.meta.url), ["--worker"])
    workers.push(worker)
    let left = give(worker)
    worker.on("message", (ran: Ran) => {
      if (isOver) return
      ranCount++
      actsCount += ran.actsCount
      if (ran.failure !== undefined) {
        stop()
        report(ran.seed)
        process.exitCode = 1
        return
      }
      if (--left === 0) left = give(worker)
      if (ranCount < seedsCount) return
      stop()
      say()
      console.log(`No failure among seeds ${from} to ${end - 1}`)
    })
    worker.on("exit", (code) => {
      if (isOver || code === null || code === 0) return
      stop()
      console.log(`A worker ended with ${code}`)
      process.exitCode = 1
    })
  }
}

if (values.worker) work()
else lead(Number(values.from), Number(values.seeds), Number(values.workers))
