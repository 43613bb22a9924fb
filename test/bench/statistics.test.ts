/** The numbers of the benchmarks' reports. */
import { assert, describe, it } from "@effect/vitest"
import { medianOf, ratiosOf, type Sample, stepsOf, systemsOf } from "../../bench/Sample.ts"
import { median, percentile, rate, short, table } from "../../bench/Statistics.ts"

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

describe("samples", () => {
  const sample = (system: string, run: number, perSecond: number, clients = 1): Sample => ({
    ...{ line: "writes", what: "writes", clients, system, run, perSecond, failedCount: 0, others: 0 },
    ...{ p50Ms: 1, p99Ms: 1, p999Ms: 1, leaderMicros: 1, followerMicros: 1, clientMicros: 1 }
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
  })
})
