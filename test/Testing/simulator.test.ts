/** Whole clusters of the real core under faults drawn from seeds: Raft Fig. 3, diss. 6.4. */
import { assert, describe, it } from "@effect/vitest"
import * as Simulator from "../../src/Testing/Simulator.ts"

const seeds = Array.from({ length: 240 }, (_, at) => at + 1)

const nodeCounts = [3, 5, 1, 2, 4]

describe("simulator", () => {
  it("240 seeds keep the properties of Fig. 3 and heal", { timeout: 60_000 }, () => {
    let committedCount = 0
    let readsCount = 0
    let electionsCount = 0
    for (const seed of seeds) {
      const nodeCount = nodeCounts[seed % nodeCounts.length]!
      const result = Simulator.run({ seed, nodeCount, stepCount: 20_000 })
      assert.strictEqual(result.failure, undefined, `seed ${seed}, ${nodeCount} nodes`)
      committedCount += result.committedCount
      readsCount += result.readsCount
      electionsCount += result.electionsCount
    }
    // A run in which nothing happens proves nothing.
    assert.isAbove(committedCount, 10 * seeds.length)
    assert.isAbove(readsCount, seeds.length)
    assert.isAbove(electionsCount, 2 * seeds.length)
  })

  it("the same seed gives the same run", () => {
    const options = { seed: 7, nodeCount: 3, stepCount: 4000 }
    assert.deepStrictEqual(Simulator.run(options), Simulator.run(options))
  })

  it("a disk that lies about syncs is caught within 20 seeds (Fig. 2)", () => {
    const isCaught = seeds
      .slice(0, 20)
      .some((seed) => Simulator.run({ seed, nodeCount: 3, stepCount: 4000, isDiskLying: true }).failure !== undefined)
    assert.isTrue(isCaught)
  })
})
