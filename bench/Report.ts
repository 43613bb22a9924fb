/** Reports the results of the runs as Markdown: the machine, its floors, and a line for each count of clients and variant. */
import { availableParallelism, cpus } from "node:os"
import type { Measured, Run, Step } from "./Runs.ts"
import { median, rate, short, table } from "./Statistics.ts"

interface Line {
  readonly step: Step
  readonly measured: Measured
}

/** A column: what is said of the lines of one variant, one of each run. */
interface Column {
  readonly head: string
  readonly cell: (lines: ReadonlyArray<Line>) => string
}

const column = (head: string, show: (value: number) => string, value: (line: Line) => number): Column => ({
  head,
  cell: (lines) => show(median(lines.map(value)))
})

const perSecond = ({ measured }: Line): number => measured.perSecond

const figures: ReadonlyArray<Column> = [
  column("per second", rate, perSecond),
  { head: "lowest–highest", cell: (lines) => range(lines.map(perSecond)) },
  column("p50 ms", short, ({ measured }) => measured.result.p50Ms),
  column("p99 ms", short, ({ measured }) => measured.result.p99Ms)
]

const ofFloors: ReadonlyArray<Column> = [
  column("of raw HTTP", short, ({ measured, step }) => measured.perSecond / step.raw.perSecond),
  column("per disk sync", short, ({ measured, step }) => measured.perSecond / step.syncsPerSecond)
]

const coreShares: ReadonlyArray<Column> = [
  column("cores: leader", short, ({ measured }) => measured.cpu.leader),
  column("a follower", short, ({ measured }) => measured.cpu.follower),
  column("client", short, ({ measured }) => measured.cpu.client)
]

/** The leader's processor time for one answer, which others on the machine change far less than they change a rate. */
const leaderMs = ({ cpu, perSecond }: Measured): number => (cpu.leader * 1000) / perSecond

/** Beside a variant of the same step. What goes on beside both takes processor time that is neither's. */
const comparedWith = (base: string, isBeside: boolean): ReadonlyArray<Column> => {
  const ratioOf = (value: (measured: Measured) => number) => (line: Line) => {
    const other = line.step.variants.find(({ name }) => name === base)
    return other === undefined ? Number.NaN : value(line.measured) / value(other)
  }
  const ratio = ratioOf((measured) => measured.perSecond)
  return [
    column(`of ${base}`, short, ratio),
    { head: "lowest–highest", cell: (lines) => spread(lines.map(ratio)) },
    ...(isBeside
      ? [column("beside, per second", rate, ({ measured }) => measured.besidePerSecond ?? Number.NaN)]
      : [
          column("leader ms each", short, ({ measured }) => leaderMs(measured)),
          column(`of ${base}`, short, ratioOf(leaderMs))
        ])
  ]
}

export interface ReportOptions {
  /** The variant that others are compared with, by name. */
  readonly base?: string
}

/** Medians over the runs, ratios too: each of a ratio's two figures is of the same step. */
export const report = (title: string, runs: ReadonlyArray<Run>, { base }: ReportOptions = {}): void => {
  const steps = runs.flat()
  const quietCount = steps.filter(({ isQuiet }) => isQuiet).length
  console.log(`\n## ${title}\n`)
  console.log(
    `Node ${process.version}, ${availableParallelism()} cores of ${cpus()[0]?.model.trim() ?? "an unknown kind"}; ` +
      `${runs.length} runs; ${quietCount} of ${steps.length} steps undisturbed by other programs, which used ` +
      `${short(median(steps.map(({ others }) => others)))} of a core (median; at most ` +
      `${short(Math.max(...steps.map(({ others }) => others)))}).\n`
  )
  const isBeside = steps.some(({ variants }) => variants.some(({ besidePerSecond }) => besidePerSecond !== undefined))
  const columns =
    base === undefined
      ? [...figures, ...ofFloors, ...coreShares]
      : [...figures, ...comparedWith(base, isBeside), ...ofFloors]
  const rows = (runs[0] ?? []).flatMap((first, stepAt) =>
    first.variants.map(({ name }, variantAt) => {
      const lines = runs.flatMap((run): ReadonlyArray<Line> => {
        const step = run[stepAt]
        const measured = step?.variants[variantAt]
        return step === undefined || measured === undefined ? [] : [{ step, measured }]
      })
      return [`${first.clients}, ${name}`, ...columns.map(({ cell }) => cell(lines))]
    })
  )
  console.log(table(["clients, to", ...columns.map(({ head }) => head)], rows))
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

const spread = (ratios: ReadonlyArray<number>): string => `${short(Math.min(...ratios))}–${short(Math.max(...ratios))}`

const range = (values: ReadonlyArray<number>): string => `${rate(Math.min(...values))}–${rate(Math.max(...values))}`
