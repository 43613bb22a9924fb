/**
 * The metrics of one name, as data that is read when somebody asks: Effect's registry takes them in, and its Prometheus
 * module writes them. Counting itself costs no more than an addition, wherever it happens (Histogram.ts).
 */
import type { Metric } from "effect"
import { boundsSeconds, type Histogram } from "../Raft/node/Histogram.ts"

type Labels = Readonly<Record<string, string>>

/** One value, and its labels, if there are several. */
export interface Sample<Value> {
  readonly labels?: Labels
  readonly value: Value
}

/** All metrics of one name. Without samples the name is not told. */
export type MetricFamily =
  | {
      readonly type: "gauge"
      readonly name: `lithair_${string}`
      readonly help: string
      readonly samples: ReadonlyArray<Sample<number>>
    }
  | {
      readonly type: "counter"
      readonly name: `lithair_${string}_total`
      readonly help: string
      readonly samples: ReadonlyArray<Sample<number>>
    }
  | {
      readonly type: "histogram"
      readonly name: `${string}_seconds`
      readonly help: string
      readonly samples: ReadonlyArray<Sample<Histogram>>
    }

type Of<Type extends MetricFamily["type"]> = Extract<MetricFamily, { readonly type: Type }>

/** A gauge with one value. */
export const gauge = (name: Of<"gauge">["name"], help: string, value: number): Of<"gauge"> =>
  gauges(name, help, [{ value }])

/** A gauge with a value for each combination of its labels. */
export const gauges = (
  name: Of<"gauge">["name"],
  help: string,
  samples: ReadonlyArray<Sample<number>>
): Of<"gauge"> => ({ type: "gauge", name, help, samples })

/** A counter. */
export const counter = (
  name: Of<"counter">["name"],
  help: string,
  samples: ReadonlyArray<Sample<number>>
): Of<"counter"> => ({ type: "counter", name, help, samples })

/** A counter with one label, from its values by that label. */
export const counterBy = (
  name: Of<"counter">["name"],
  help: string,
  label: string,
  values: ReadonlyMap<string | number, number>
): Of<"counter"> =>
  counter(
    name,
    help,
    [...values].map(([each, value]) => ({ labels: { [label]: String(each) }, value }))
  )

/** A histogram of durations. */
export const histograms = (
  name: Of<"histogram">["name"],
  help: string,
  samples: ReadonlyArray<Sample<Histogram>>
): Of<"histogram"> => ({ type: "histogram", name, help, samples })

/** 1 for what holds, 0 for what does not. */
export const flag = (is: boolean): number => (is ? 1 : 0)

/**
 * A registry that holds these metrics as they are now, and those of another registry. A name is told once: where both have
 * it, these metrics stay.
 */
export const registryOf = (
  families: ReadonlyArray<MetricFamily>,
  others: Metric.MetricRegistry
): Metric.MetricRegistry => {
  const registry: Metric.MetricRegistry = new Map()
  const names = new Set<string>(families.map(({ name }) => name))
  for (const [key, metadata] of others) if (!names.has(metadata.id)) registry.set(key, metadata)
  const add = (family: MetricFamily, type: Metric.Metric.Type, labels: Labels | undefined, state: unknown): void => {
    registry.set(`${family.name} ${registry.size}`, {
      id: family.name,
      type,
      description: family.help,
      attributes: labels,
      // Nobody updates them: they are read once.
      hooks: { get: () => state, update: () => {}, modify: () => {} }
    })
  }
  for (const family of families) {
    switch (family.type) {
      case "gauge":
        for (const { labels, value } of family.samples) add(family, "Gauge", labels, { value })
        break
      case "counter":
        for (const { labels, value } of family.samples) add(family, "Counter", labels, { count: value })
        break
      case "histogram":
        for (const { labels, value } of family.samples) add(family, "Histogram", labels, stateOf(value))
    }
  }
  return registry
}

/** A histogram as Effect has it: for each bound, the count of all durations up to it. */
const stateOf = ({ counts, sumSeconds }: Histogram): Metric.HistogramState => {
  let count = 0
  const buckets = boundsSeconds.map((bound, at): [number, number] => {
    count += counts[at] ?? 0
    return [bound, count]
  })
  // The smallest and the largest duration are not kept, and Prometheus does not ask for them.
  return { buckets, count: count + (counts[boundsSeconds.length] ?? 0), min: 0, max: 0, sum: sumSeconds }
}
