/** The short tables of README.md: what one line found, its targets, and under which conditions. Pure. */
import {
  type Figure,
  figures,
  figuresOf,
  medianOf,
  ratiosOf,
  type Sample,
  type Step,
  stepsOf,
  systemsOf
} from "./Sample.ts"
import { median, short, table } from "./Statistics.ts"
import { targets, verdicts } from "./Targets.ts"

/** The figures that are shown beside each other's, if both systems have them. */
const beside: ReadonlyArray<Figure> = [
  "perSecond",
  "p50Ms",
  "p99Ms",
  "leaderMicros",
  "followerMicros",
  "memoryMb",
  "restartMs",
  "diskMb",
  "failoverMs"
]
const reference = "etcd"

/** One table for each request, and the targets that were measured. */
export const summary = (samples: ReadonlyArray<Sample>): string => {
  const whats = [...new Set(samples.map(({ what }) => what))]
  const tables = whats.map((what) => {
    const own = samples.filter((sample) => sample.what === what)
    return `${what.charAt(0).toUpperCase()}${what.slice(1)}:\n\n${tableOf(own)}`
  })
  const judged = verdicts(samples, targets)
  return [...tables, ...(judged === undefined ? [] : [`Targets:\n\n${judged}`])].join("\n\n")
}

const tableOf = (samples: ReadonlyArray<Sample>): string => {
  const systems = systemsOf(samples)
  const compared = systems.includes(reference) && systems.length > 1
  const shown = figuresOf(samples).filter((figure) => !compared || beside.includes(figure) || systems.length > 2)
  const columns = shown.flatMap(
    (figure): ReadonlyArray<{ head: string; cell: (step: Step, system: string) => string }> => {
      const { head, show } = figures[figure]
      const own = { head, cell: (step: Step, system: string) => show(medianOf(samples, step, system, figure)) }
      if (!compared || !beside.includes(figure)) return [own]
      const ratio = (step: Step, of: string) => short(median(ratiosOf(samples, step, { of, to: reference }, figure)))
      return [own, { head: `of ${reference}'s`, cell: ratio }]
    }
  )
  const rows = stepsOf(samples).flatMap((step) =>
    systems
      .filter((system) => system !== reference || !compared)
      .map((system) => [
        step.clients === 0 ? system : `${step.clients}, ${system}`,
        ...columns.map(({ cell }) => cell(step, system))
      ])
  )
  return table(["clients, system", ...columns.map(({ head }) => head)], rows)
}
