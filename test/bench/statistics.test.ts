/** The numbers of the benchmarks' reports. */
import { assert, describe, it } from "@effect/vitest"
import { chart } from "../../bench/Chart.ts"
import { charts } from "../../bench/Charts.ts"
import { figuresOf, medianOf, ratiosOf, type Sample, stepsOf, systemsOf } from "../../bench/Sample.ts"
import { median, percentile, rate, short, table } from "../../bench/Statistics.ts"
import { judge } from "../../bench/Targets.ts"

describe("statistics", () => {
  it("the median is the middle value, and the mean of the two middle ones of an even count", () => {
    assert.strictEqual(median([9, 1, 5]), 5)
    assert.strictEqual(median([9, 1, 5, 7]), 6)
    assert.isNaN(median([]))
  })

  it("a percentile is the nearest rank, never interpolated", () => {
    const hundred = Array.from({ length: 100 }, (_, at) => at + 1)
    assert.deepStrictEqual(
      [0, 0.5, 0.99, 0.999, 1].map((share) => percentile(hundred, share)),
      [1, 50, 99, 100, 100]
    )
    assert.isNaN(percentile([], 0.5))
  })

  it("figures have as many digits as they are worth, and a dash where there is none", () => {
    assert.deepStrictEqual([0.123, 12.34, 123.4, Number.NaN].map(short), ["0.12", "12.3", "123", "–"])
    assert.deepStrictEqual([1234.5, Number.NaN].map(rate), ["1,235", "–"])
  })

  it("a table is padded, and its figures are to the right", () => {
    assert.strictEqual(
      table(["what", "ms"], [["a", "1.00"]]),
      ["| what |   ms |", "|------|-----:|", "| a    | 1.00 |"].join("\n")
    )
  })
})

const sample = (system: string, run: number, perSecond: number, clients = 1): Sample => ({
  ...{ line: "writes", what: "writes", clients, system, run, failedCount: 0, others: 0 },
  figures: { perSecond, p99Ms: 1 }
})
const step = { line: "writes", what: "writes", clients: 1 }
const samples = [
  sample("Node", 1, 100),
  sample("etcd", 1, 200),
  sample("etcd", 2, 100),
  sample("Node", 2, 90),
  sample("Node", 3, 50),
  sample("Node", 1, 7, 16)
]

describe("samples", () => {
  it("a ratio is of two samples of one run, and a run that lacks one of them has none", () => {
    assert.deepStrictEqual(ratiosOf(samples, step, { of: "Node", to: "etcd" }, "perSecond"), [0.5, 0.9])
  })

  it("a figure is the median over the runs of one step", () => {
    assert.strictEqual(medianOf(samples, step, "Node", "perSecond"), 90)
    assert.strictEqual(medianOf(samples, { ...step, clients: 16 }, "Node", "perSecond"), 7)
    assert.isNaN(medianOf(samples, step, "Bun", "perSecond"))
  })

  it("steps and systems come in the order in which they were measured first", () => {
    assert.deepStrictEqual(stepsOf(samples), [step, { ...step, clients: 16 }])
    assert.deepStrictEqual(systemsOf(samples), ["Node", "etcd"])
    assert.deepStrictEqual(figuresOf(samples), ["perSecond", "p99Ms"])
  })

  it("a target is judged by the median of its ratios, and a miss is a share of it", () => {
    const target = { step, system: "Node", to: "etcd", figure: "perSecond" } as const
    assert.deepStrictEqual(judge(samples, { ...target, atLeast: 0.7 }), { found: 0.7, isMet: true, missedBy: 0 })
    const missed = judge(samples, { ...target, atLeast: 1.4 })
    assert.strictEqual(missed?.isMet, false)
    assert.closeTo(missed?.missedBy ?? 0, 0.5, 1e-9)
    assert.isUndefined(judge(samples, { ...target, system: "Bun", atLeast: 1 }))
  })

  it("a target of none is missed by one", () => {
    const elections = [{ ...sample("Node", 1, 1), figures: { elections: 1 } }]
    const target = { step, system: "Node", figure: "elections", atMost: 0 } as const
    assert.deepStrictEqual(judge(elections, target), { found: 1, isMet: false, missedBy: 1 })
  })

  it("a target may be a ratio to another request of the same system", () => {
    const both = [...samples, { ...sample("Node", 1, 45), what: "a transfer" }]
    const target = { step: { ...step, what: "a transfer" }, system: "Node", figure: "perSecond" } as const
    assert.strictEqual(judge(both, { ...target, toWhat: "writes", atLeast: 0.5 })?.found, 0.5)
  })
})

describe("a chart", () => {
  const bars = (values: ReadonlyArray<number>) =>
    values.map((value, at) => ({ series: ["A & B", "C"][at] ?? "", value, label: String(value), colour: "#777777" }))
  const svg = chart("Writes <fast>", [{ title: "per second", groups: [{ name: "1 client", bars: bars([50, 100]) }] }])
  const widths = (text: string) =>
    [...text.matchAll(/<rect x="[^"]+" y="[^"]+" width="([^"]+)"/g)].map((found) => found[1])

  it("has bars as long as their values, in each group to its own most", () => {
    assert.deepStrictEqual(widths(svg), ["95.0", "190.0"])
    const groups = [1, 2].map((more) => ({ name: `${more}`, bars: bars([more, more * 2]) }))
    assert.deepStrictEqual(widths(chart("", [{ title: "", groups }])), ["95.0", "190.0", "95.0", "190.0"])
  })

  it("has no bar for what was not measured, and none of a length that is no number", () => {
    const drawn = chart("", [{ title: "", groups: [{ name: "1", bars: bars([Number.NaN, 0]) }] }])
    assert.deepStrictEqual(widths(drawn), ["0.0"])
    assert.notInclude(drawn, "NaN")
  })

  it("is XML whatever its names are, and has colours for light and dark", () => {
    assert.include(svg, "<title>Writes &lt;fast&gt;</title>")
    assert.include(svg, ">A &amp; B</text>")
    assert.include(svg, "prefers-color-scheme:dark")
  })

  it("is drawn for each request, without the floor", () => {
    const drawn = charts([...samples, { ...sample("bare HTTP", 1, 9999) }])
    assert.deepStrictEqual(
      drawn.map(({ name }) => name),
      ["writes"]
    )
    assert.notInclude(drawn[0]?.svg ?? "", "bare HTTP")
  })
})
