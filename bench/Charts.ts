/** Which charts samples make: for each line, the figures that its charts show, one chart for each request. Pure. */
import { chart } from "./Chart.ts"
import { type Figure, figures, medianOf, type Sample, stepsOf, systemsOf } from "./Sample.ts"

/** A figure, and which way is better. */
type Shown = readonly [Figure, "longer" | "shorter"]

const loops: ReadonlyArray<Shown> = [
  ["perSecond", "longer"],
  ["p99Ms", "shorter"]
]
const shownOf: Readonly<Record<string, ReadonlyArray<Shown>>> = {
  writes: loops,
  reads: loops,
  transactions: loops,
  "open-loop": [
    ["p50Ms", "shorter"],
    ["p99Ms", "shorter"],
    ["p999Ms", "shorter"]
  ],
  overload: [
    ["perSecond", "longer"],
    ["memoryMaxMb", "shorter"]
  ],
  failover: [["failoverMs", "shorter"]],
  memory: [
    ["memoryMb", "shorter"],
    ["idleCores", "shorter"]
  ]
}

/** Each system has its colour in all charts, which is readable on white and on black. */
const colours: Readonly<Record<string, string>> = { Node: "#2f81f7", Bun: "#d4760a", Deno: "#3fa34d", etcd: "#a855f7" }
const otherColour = "#7d8590"

/** These are floors, so far from the others that these would not be seen. */
const leftOut = ["bare HTTP"]

export const charts = (
  samples: ReadonlyArray<Sample>
): ReadonlyArray<{ readonly name: string; readonly svg: string }> => {
  const drawn = samples.filter(({ system }) => !leftOut.includes(system))
  const whats = [...new Set(drawn.map(({ what }) => what))]
  return whats.flatMap((what) => {
    const own = drawn.filter((sample) => sample.what === what)
    const [first] = own
    const shown = shownOf[first?.line ?? ""]
    if (first === undefined || shown === undefined) return []
    const systems = systemsOf(own)
    const columns = shown.map(([figure, better]) => ({
      title: `${figures[figure].head} (${better} is better)`,
      groups: stepsOf(own).map((step) => ({
        name: step.clients === 0 ? "idle" : step.clients === 1 ? "1 client" : `${step.clients} clients`,
        bars: systems.map((series) => {
          const value = medianOf(own, step, series, figure)
          return { series, value, label: figures[figure].show(value), colour: colours[series] ?? otherColour }
        })
      }))
    }))
    const title = what.charAt(0).toUpperCase() + what.slice(1)
    const name = what.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")
    return [{ name, svg: chart(title, columns) }]
  })
}
