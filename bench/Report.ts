/** Reports samples as Markdown: the conditions, a table for each request, with medians over the runs, and the targets. */
import { spawnSync } from "node:child_process"
import { availableParallelism, cpus } from "node:os"
import { isQuiet } from "./Cpu.ts"
import { checkout } from "./Lithair.ts"
import {
  type Figure,
  figures,
  figuresOf,
  medianOf,
  ratiosOf,
  type Sample,
  type Step,
  stepsOf,
  systemsOf,
  valuesOf
} from "./Sample.ts"
import { median, rate, short, table } from "./Statistics.ts"
import { targets, verdicts } from "./Targets.ts"

/** The systems that others are compared with, where they were measured. */
const references = ["etcd", "base"]

/** A line's whole report. */
export const report = (title: string, samples: ReadonlyArray<Sample>): string => {
  const judged = verdicts(samples, targets)
  const parts = [
    `# ${title}`,
    conditions(samples),
    tables(samples),
    ...(judged === undefined ? [] : ["## Targets", judged])
  ]
  return parts.join("\n\n")
}

const commit = (): string => {
  const { status, stdout } = spawnSync("git", ["rev-parse", "--short", "HEAD"], { cwd: checkout, encoding: "utf8" })
  return status === 0 ? `commit ${stdout.trim()}; ` : ""
}

/** On which machine, and how much other programs disturbed it. */
export const conditions = (samples: ReadonlyArray<Sample>): string => {
  const others = samples.map((sample) => sample.others)
  const quietCount = others.filter(isQuiet).length
  return (
    `${commit()}Node ${process.version}, ${availableParallelism()} cores of ${cpus()[0]?.model.trim() ?? "an unknown kind"}; ` +
    `runs: ${Math.max(...samples.map(({ run }) => run))}; ${quietCount} of ${samples.length} measurements undisturbed ` +
    `by other programs, which kept ${short(median(others))} cores busy (median; at most ${short(Math.max(...others))}); ` +
    `failed requests: ${rate(samples.reduce((sum, { failedCount }) => sum + failedCount, 0))}.`
  )
}

/** One table for each request. */
const tables = (samples: ReadonlyArray<Sample>): string =>
  [...new Set(samples.map(({ what }) => what))]
    .map((what) => `## ${what}\n\n${tableOf(samples.filter((sample) => sample.what === what))}`)
    .join("\n\n")

/** A column of a table: what it says of one system in one step. */
interface Column {
  readonly head: string
  readonly cell: (step: Step, system: string) => string
}

const tableOf = (samples: ReadonlyArray<Sample>): string => {
  const systems = systemsOf(samples)
  const shown = figuresOf(samples)
  const columns = [
    ...shown.flatMap((figure, at) => own(samples, figure, at === 0)),
    ...references
      .filter((to) => systems.includes(to) && systems.length > 1)
      .flatMap((to) =>
        shown
          .filter((figure) => figures[figure].comparedWith.some((each) => each === to))
          .flatMap((figure, at) => compared(samples, figure, to, at === 0))
      )
  ]
  const rows = stepsOf(samples).flatMap((step) =>
    systems.map((system) => [`${step.clients}, ${system}`, ...columns.map(({ cell }) => cell(step, system))])
  )
  return table(["clients, system", ...columns.map(({ head }) => head)], rows)
}

const own = (samples: ReadonlyArray<Sample>, figure: Figure, isFirst: boolean): ReadonlyArray<Column> => {
  const { head, show } = figures[figure]
  const values = (step: Step, system: string) => valuesOf(samples, step, system, figure)
  const middle = { head, cell: (step: Step, system: string) => show(medianOf(samples, step, system, figure)) }
  if (!isFirst) return [middle]
  return [middle, { head: "lowest–highest", cell: (step, system) => range(values(step, system), show) }]
}

const compared = (
  samples: ReadonlyArray<Sample>,
  figure: Figure,
  to: string,
  isFirst: boolean
): ReadonlyArray<Column> => {
  const ratios = (step: Step, of: string) => (of === to ? [1] : ratiosOf(samples, step, { of, to }, figure))
  const head = isFirst ? `of ${to}: ${figures[figure].head}` : figures[figure].head
  const middle = { head, cell: (step: Step, system: string) => short(median(ratios(step, system))) }
  if (!isFirst) return [middle]
  return [middle, { head: "lowest–highest", cell: (step, system) => range(ratios(step, system), short) }]
}

const range = (values: ReadonlyArray<number>, show: (value: number) => string): string =>
  values.length < 2 ? "–" : `${show(Math.min(...values))}–${show(Math.max(...values))}`
