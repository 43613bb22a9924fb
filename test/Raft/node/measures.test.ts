/** What a node measures of its own work, and the line about a disk that takes long. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import * as Histogram from "../../../src/Raft/node/Histogram.ts"
import * as Measures from "../../../src/Raft/node/Measures.ts"

describe("a histogram", () => {
  it("counts each duration in the first bucket that holds it, and sums them up", () => {
    const histogram = Histogram.make()
    for (const seconds of [0, 0.0005, 0.0006, 0.2, 10, 11, -1]) Histogram.record(histogram, seconds)
    const filled = [...histogram.counts].flatMap((count, at) => (count === 0 ? [] : [[at, count]]))
    assert.deepStrictEqual(filled, [
      [0, 3],
      [1, 1],
      [8, 1],
      [13, 1],
      [14, 1]
    ])
    assert.approximately(histogram.sumSeconds, 21.2011, 1e-9)
  })
})

describe("the measures of a node", () => {
  it("tell of a slow sync by a line, at most every ten seconds, which counts those without one", () => {
    let nowMs = 0
    const said: Array<string> = []
    const logger = Logger.layer([Logger.make(({ message }) => void said.push(String(message)))])
    const measuring = Measures.make({
      nowNanos: () => BigInt(nowMs) * 1_000_000n,
      fork: (effect) => Effect.runSync(Effect.provide(effect, logger))
    })
    const sync = (tookMs: number) => {
      const synced = measuring.syncing()
      nowMs += tookMs
      synced()
    }
    sync(99)
    assert.deepStrictEqual(said, [])
    sync(230)
    sync(300)
    sync(200)
    nowMs += 10_000
    sync(101)
    assert.deepStrictEqual(said, [
      "A sync of the log took 230 ms",
      "A sync of the log took 101 ms, and 2 others since the last such line"
    ])
    assert.strictEqual(
      measuring.measures.sync.counts.reduce((sum, count) => sum + count, 0),
      5
    )
  })
})
