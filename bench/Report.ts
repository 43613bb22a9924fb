/** What the runs came to, as Markdown: the machine, its floors, and a line for each count of clients and variant. */
import { availableParallelism, cpus } from "node:os"
import type { Measured, Run, Step } from "./Runs.ts"
import { median, rate, short, table } from "./Statistics.ts"

interface Line {
  readonly step: Step
  readonly measured: Measured
}

/** Medians over the runs, ratios too: each of a ratio's two figures is of the same step. */
export const report = (title: string, runs: ReadonlyArray<Run>): void => {
  const steps = runs.flat()
  const quietCount = steps.filter(({ isQuiet }) => isQuiet).length
  console.log(`\n## ${title}\n`)
  console.log(
    `Node ${process.version}, ${availableParallelism()} cores of ${cpus()[0]?.model.trim() ?? "an unknown kind"}; ` +
      `${runs.length} runs; ${quietCount} of ${steps.length} steps undisturbed by other programs, which used ` +
      `${short(median(steps.map(({ others }) => others)))} of a core (median; at most ` +
      `${short(Math.max(...steps.map(({ others }) => others)))}).\n`
  )
  const head = ["clients, to", "per second", "lowest–highest", "p50 ms", "p99 ms", "of raw HTTP", "per disk sync"]
  const rows = (runs[0] ?? []).flatMap((first, stepAt) =>
    first.variants.map(({ name }, variantAt) => {
      const lines = runs.flatMap((run): ReadonlyArray<Line> => {
        const step = run[stepAt]
        const measured = step?.variants[variantAt]
        return step === undefined || measured === undefined ? [] : [{ step, measured }]
      })
      const mid = (number: (line: Line) => number) => median(lines.map(number))
      return [
        `${first.clients}, ${name}`,
        rate(mid(({ measured }) => measured.result.perSecond)),
        range(lines.map(({ measured }) => measured.result.perSecond)),
        short(mid(({ measured }) => measured.result.p50Ms)),
        short(mid(({ measured }) => measured.result.p99Ms)),
        short(mid(({ measured, step }) => measured.result.perSecond / step.raw.perSecond)),
        short(mid(({ measured, step }) => measured.result.perSecond / step.syncsPerSecond)),
        short(mid(({ measured }) => measured.cpu.leader)),
        short(mid(({ measured }) => measured.cpu.follower)),
        short(mid(({ measured }) => measured.cpu.client))
      ]
    })
  )
  console.log(table([...head, "cores: leader", "a follower", "client"], rows))
  console.log("\nThe floors, in the same steps:\n")
  console.log(
    table(
      ["floor", "per second", "lowest–highest", "p50 ms"],
      [
        ...(runs[0] ?? []).map(({ clients }, stepAt) => {
          const raws = runs.flatMap((run) => run[stepAt]?.raw ?? [])
          return floor(`raw HTTP, clients: ${clients}`, raws)
        }),
        floor(
          "4 KiB written and synced",
          steps.map(({ syncsPerSecond }) => ({ perSecond: syncsPerSecond, p50Ms: 1000 / syncsPerSecond }))
        )
      ]
    )
  )
  const failedCount = steps
    .flatMap(({ raw, variants }) => [raw, ...variants.map(({ result }) => result)])
    .reduce((sum, result) => sum + result.failedCount, 0)
  console.log(`\nFailed requests: ${failedCount}.`)
  if (failedCount > 0) process.exitCode = 1
}

const floor = (name: string, measured: ReadonlyArray<{ readonly perSecond: number; readonly p50Ms: number }>) => {
  const perSecond = measured.map((each) => each.perSecond)
  return [name, rate(median(perSecond)), range(perSecond), short(median(measured.map(({ p50Ms }) => p50Ms)))]
}

const range = (values: ReadonlyArray<number>): string => `${rate(Math.min(...values))}–${rate(Math.max(...values))}`
