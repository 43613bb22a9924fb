/** Whole clusters of the real core under faults drawn from seeds: Raft Fig. 3, §6, §7, diss. 6.4. */
import { assert, describe, it } from "@effect/vitest"
import * as Simulator from "../../src/Testing/Simulator.ts"

const seeds = Array.from({ length: 240 }, (_, at) => at + 1)

const nodeCounts = [3, 5, 1, 2, 4]

const run = (seed: number, fault: Partial<Simulator.Options> = {}): Simulator.Result =>
  Simulator.run({ seed, nodeCount: nodeCounts[seed % nodeCounts.length]!, stepCount: 20_000, ...fault })

/** Whether one of the first `seedCount` seeds finds the planted fault. */
const isCaught = (seedCount: number, fault: Partial<Simulator.Options>): boolean =>
  seeds.slice(0, seedCount).some((seed) => run(seed, fault).failure !== undefined)

describe("simulator", () => {
  it("240 seeds keep the properties of Fig. 3 and heal", { timeout: 60_000 }, () => {
    const totals = { committed: 0, elections: 0, reads: 0, leaseReads: 0, changes: 0, transfers: 0, installs: 0 }
    for (const seed of seeds) {
      const result = run(seed)
      assert.strictEqual(result.failure, undefined, `seed ${seed}`)
      for (const key of Object.keys(totals) as ReadonlyArray<keyof typeof totals>) totals[key] += result[key]
    }
    // A run in which nothing happens proves nothing.
    assert.isAbove(totals.committed, 50 * seeds.length)
    assert.isAbove(totals.elections, 10 * seeds.length)
    assert.isAbove(totals.reads, 30 * seeds.length)
    assert.isAbove(totals.leaseReads, 5 * seeds.length)
    assert.isAbove(totals.changes, 2 * seeds.length)
    assert.isAbove(totals.transfers, seeds.length / 4)
    assert.isAbove(totals.installs, seeds.length / 2)
  })

  it("the same seed gives the same run", () => {
    const options = { seed: 7, nodeCount: 3, stepCount: 4000 }
    assert.deepStrictEqual(Simulator.run(options), Simulator.run(options))
  })

  it("a disk that lies about syncs is caught within 20 seeds (Fig. 2)", () => {
    assert.isTrue(isCaught(20, { isDiskLying: true }))
  })

  it("a lease that is trusted without another look at the clock is caught within 240 seeds (C7)", () => {
    assert.isTrue(isCaught(240, { isLeaseTrusted: true }))
  })
})
