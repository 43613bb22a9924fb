/** What one measurement of one system found, and how systems compare: each ratio is of two samples of one step. Pure. */
import { median } from "./Statistics.ts"

export interface Sample {
  readonly line: string
  /** What was asked. */
  readonly what: string
  readonly clients: number
  readonly system: string
  readonly run: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  /** Processor time for one answer: of the leader, a follower (the mean of them) and the load generator. */
  readonly leaderMicros: number
  readonly followerMicros: number
  readonly clientMicros: number
  readonly failedCount: number
  /** What other programs used meanwhile, of one core. */
  readonly others: number
}

export type Figure = "perSecond" | "p50Ms" | "p99Ms" | "p999Ms" | "leaderMicros" | "followerMicros" | "clientMicros"

/** One row of a report: what it asks, of how many clients. */
export type Step = Pick<Sample, "line" | "what" | "clients">

const isOf = (sample: Sample, step: Step, system: string): boolean =>
  sample.line === step.line && sample.what === step.what && sample.clients === step.clients && sample.system === system

export const valuesOf = (samples: ReadonlyArray<Sample>, step: Step, system: string, figure: Figure) =>
  samples.filter((sample) => isOf(sample, step, system)).map((sample) => sample[figure])

export const medianOf = (samples: ReadonlyArray<Sample>, step: Step, system: string, figure: Figure): number =>
  median(valuesOf(samples, step, system, figure))

/** One ratio for each run that has both. */
export const ratiosOf = (
  samples: ReadonlyArray<Sample>,
  step: Step,
  systems: { readonly of: string; readonly to: string },
  figure: Figure
): ReadonlyArray<number> =>
  samples
    .filter((sample) => isOf(sample, step, systems.of))
    .flatMap((sample) => {
      const other = samples.find((each) => isOf(each, step, systems.to) && each.run === sample.run)
      return other === undefined ? [] : [sample[figure] / other[figure]]
    })

/** The steps in the order in which they were measured first. */
export const stepsOf = (samples: ReadonlyArray<Sample>): ReadonlyArray<Step> => {
  const steps = new Map<string, Step>()
  for (const { clients, line, what } of samples) steps.set(`${line}|${what}|${clients}`, { line, what, clients })
  return [...steps.values()]
}

/** The systems of these samples, in the order in which they came first. */
export const systemsOf = (samples: ReadonlyArray<Sample>): ReadonlyArray<string> => [
  ...new Set(samples.map(({ system }) => system))
]
