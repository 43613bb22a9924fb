/** Reports samples as Markdown: the machine, a table for each request, and which targets were met. Pure but for the machine. */
import { availableParallelism, cpus } from "node:os"
import { isQuiet } from "./Cpu.ts"
import { type Figure, medianOf, ratiosOf, type Sample, type Step, stepsOf, systemsOf, valuesOf } from "./Sample.ts"
import { median, rate, short, table } from "./Statistics.ts"

/** The systems that others are compared with, where they were measured. */
const compared = ["etcd", "base"]

/** On which machine, and how much other programs disturbed it. */
export const conditions = (samples: ReadonlyArray<Sample>): string => {
  const others = samples.map((sample) => sample.others)
  const quietCount = others.filter(isQuiet).length
  return (
    `Node ${process.version}, ${availableParallelism()} cores of ${cpus()[0]?.model.trim() ?? "an unknown kind"}; ` +
    `runs: ${Math.max(...samples.map(({ run }) => run))}; ${quietCount} of ${samples.length} measurements undisturbed ` +
    `by other programs, which kept ${short(median(others))} cores busy (median; at most ${short(Math.max(...others))}); ` +
    `failed requests: ${samples.reduce((sum, { failedCount }) => sum + failedCount, 0)}.`
  )
}

/** One table for each request: medians over the runs, of ratios too. */
export const tables = (samples: ReadonlyArray<Sample>): string => {
  const whats = [...new Set(samples.map(({ what }) => what))]
  return whats
    .map((what) => {
      const own = samples.filter((sample) => sample.what === what)
      return `### ${what}\n\n${tableOf(own)}`
    })
    .join("\n\n")
}

const tableOf = (samples: ReadonlyArray<Sample>): string => {
  const systems = systemsOf(samples)
  const others = compared.filter((name) => systems.includes(name) && systems.length > 1)
  const rows = stepsOf(samples).flatMap((step) =>
    systems.map((system) => {
      const figure = (name: Figure) => medianOf(samples, step, system, name)
      return [
        `${step.clients}, ${system}`,
        rate(figure("perSecond")),
        range(valuesOf(samples, step, system, "perSecond"), rate),
        ...(["p50Ms", "p99Ms", "p999Ms", "leaderMicros", "followerMicros", "clientMicros"] as const).map((name) =>
          short(figure(name))
        ),
        ...others.flatMap((to) => comparison(samples, step, { of: system, to }))
      ]
    })
  )
  return table(
    [
      "clients, system",
      "per second",
      "lowest–highest",
      "p50 ms",
      "p99 ms",
      "p99.9 ms",
      "leader µs",
      "follower µs",
      "client µs",
      ...others.flatMap((to) => [
        `rate of ${to}'s`,
        "lowest–highest",
        "p50",
        "p99",
        ...(to === "base" ? ["leader µs", "follower µs"] : [])
      ])
    ],
    rows
  )
}

const comparison = (
  samples: ReadonlyArray<Sample>,
  step: Step,
  systems: { readonly of: string; readonly to: string }
): ReadonlyArray<string> => {
  const figures: ReadonlyArray<Figure> =
    systems.to === "base" ? ["p50Ms", "p99Ms", "leaderMicros", "followerMicros"] : ["p50Ms", "p99Ms"]
  if (systems.of === systems.to) return ["1", "–", ...figures.map(() => "1")]
  const rates = ratiosOf(samples, step, systems, "perSecond")
  return [
    short(median(rates)),
    range(rates, short),
    ...figures.map((figure) => short(median(ratiosOf(samples, step, systems, figure))))
  ]
}

const range = (values: ReadonlyArray<number>, show: (value: number) => string): string =>
  values.length < 2 ? "–" : `${show(Math.min(...values))}–${show(Math.max(...values))}`
