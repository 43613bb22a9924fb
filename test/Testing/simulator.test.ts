/** Whole clusters of the real core under faults drawn from seeds: Raft Fig. 3, §6, §7, diss. 6.4. */
import { assert, describe, it } from "@effect/vitest"
import * as Simulator from "../../src/Testing/Simulator.ts"
import { script } from "../../src/Testing/SimulatorAct.ts"

const seeds = Array.from({ length: 240 }, (_, at) => at + 1)

const nodeCounts = [3, 5, 1, 2, 4]

const optionsOf = (seed: number): Simulator.Options => ({
  seed,
  nodeCount: nodeCounts[seed % nodeCounts.length]!,
  stepCount: 10_000
})

const kindOf = (failure: string | undefined) => failure?.replaceAll(/\d+/g, "#")

describe("simulator", () => {
  it("240 seeds keep the properties of Fig. 3 and heal", { timeout: 60_000 }, () => {
    const totals = { committed: 0, elections: 0, reads: 0, leaseReads: 0, changes: 0, transfers: 0, installs: 0 }
    for (const seed of seeds) {
      const result = Simulator.run(optionsOf(seed))
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

  it("the same seed gives the same trace hash twice, and so do its acts without the seed's choices", () => {
    const first = Simulator.run(optionsOf(7))
    assert.deepStrictEqual(Simulator.run(optionsOf(7)), first)
    assert.strictEqual(Simulator.replay(optionsOf(7), first.acts).traceHash, first.traceHash)
    assert.notStrictEqual(Simulator.run(optionsOf(8)).traceHash, first.traceHash)
  })

  it("a disk that lies about syncs is caught within 20 seeds (Fig. 2)", () => {
    const failures = seeds.slice(0, 20).map((seed) => Simulator.run({ ...optionsOf(seed), isDiskLying: true }).failure)
    assert.isTrue(failures.some((failure) => failure !== undefined))
  })

  it("a failing run is shrunk to a short script that fails the same way", () => {
    const options = { ...optionsOf(1), isDiskLying: true }
    const failed = Simulator.run(options)
    assert.isDefined(failed.failure)
    const shrunk = Simulator.shrink(options, failed)
    assert.strictEqual(kindOf(shrunk.failure), kindOf(failed.failure))
    assert.isBelow(script(shrunk.acts).length, 60)
    assert.strictEqual(Simulator.replay(options, shrunk.acts).failure, shrunk.failure)
  })
})
