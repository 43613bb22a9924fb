/** What one measurement of one system found, and how systems compare: each ratio is of two samples of one step. Pure. */
import { median, rate, short } from "./Statistics.ts"

/** What is measured: the head of its column, how it is shown, and with which systems its ratio is shown. */
export const figures = {
  perSecond: { head: "per second", show: rate, comparedWith: ["etcd", "base"] },
  p50Ms: { head: "p50 ms", show: short, comparedWith: ["etcd", "base"] },
  p99Ms: { head: "p99 ms", show: short, comparedWith: ["etcd", "base"] },
  p999Ms: { head: "p99.9 ms", show: short, comparedWith: [] },
  /** Processor time for one answer: of the leader, a follower (the mean of them) and the load generator. */
  leaderMicros: { head: "leader µs", show: short, comparedWith: ["etcd", "base"] },
  followerMicros: { head: "follower µs", show: short, comparedWith: ["etcd", "base"] },
  clientMicros: { head: "client µs", show: short, comparedWith: [] },
  /** Against what the system reaches when nobody asks for more. */
  ofPeak: { head: "of the peak", show: short, comparedWith: [] },
  refusedShare: { head: "refused", show: short, comparedWith: [] },
  unansweredShare: { head: "never sent or answered", show: short, comparedWith: [] },
  refusalP50Ms: { head: "refusal p50 ms", show: short, comparedWith: [] },
  refusalP99Ms: { head: "refusal p99 ms", show: short, comparedWith: [] },
  elections: { head: "elections", show: rate, comparedWith: [] },
  recoveryMs: { head: "recovered in ms", show: rate, comparedWith: [] },
  memoryMb: { head: "memory of a node MB", show: short, comparedWith: ["etcd", "base"] },
  memoryMaxMb: { head: "most MB", show: short, comparedWith: [] },
  idleCores: { head: "cores of all nodes", show: short, comparedWith: [] },
  restartMs: { head: "all ready again after ms", show: rate, comparedWith: ["etcd", "base"] },
  diskMb: { head: "disk of a node MB", show: short, comparedWith: ["etcd", "base"] },
  failoverMs: { head: "first write after ms", show: short, comparedWith: ["etcd", "base"] },
  behindCount: { head: "entries behind", show: rate, comparedWith: [] },
  catchUpMs: { head: "caught up in ms", show: rate, comparedWith: [] }
} as const

export type Figure = keyof typeof figures

export interface Sample {
  readonly line: string
  /** What was asked. */
  readonly what: string
  readonly clients: number
  readonly system: string
  readonly run: number
  readonly figures: Readonly<Partial<Record<Figure, number>>>
  readonly failedCount: number
  /** Cores that other programs kept busy meanwhile. */
  readonly others: number
}

/** One row of a report: what it asks, of how many clients. */
export type Step = Pick<Sample, "line" | "what" | "clients">

const isOf = (sample: Sample, step: Step, system: string): boolean =>
  sample.line === step.line && sample.what === step.what && sample.clients === step.clients && sample.system === system

/** A figure of one system in one step, once for each run that has it. */
export const valuesOf = (samples: ReadonlyArray<Sample>, step: Step, system: string, figure: Figure) =>
  samples.filter((sample) => isOf(sample, step, system)).map((sample) => sample.figures[figure] ?? Number.NaN)

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
      return other === undefined ? [] : [(sample.figures[figure] ?? Number.NaN) / (other.figures[figure] ?? Number.NaN)]
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

/** The figures that any of these samples has, in the order of the table above. */
export const figuresOf = (samples: ReadonlyArray<Sample>): ReadonlyArray<Figure> =>
  (Object.keys(figures) as ReadonlyArray<Figure>).filter((figure) =>
    samples.some((sample) => Number.isFinite(sample.figures[figure]))
  )
