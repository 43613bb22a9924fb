/**
 * Whole clusters of the real core, shell logic, machine and sessions under faults drawn from seeds: Raft Fig. 3, §6, §7,
 * diss. 6; docs/testing.md. test/mutation/plantedFaults.test.ts shows the faults that the simulator finds.
 */
import { assert, describe, it } from "@effect/vitest"
import { script } from "../../src/Testing/simulator/Act.ts"
import * as Simulator from "../../src/Testing/simulator/Simulator.ts"
import { keptSeeds, markingFromSeed, optionsOf, rottingFromSeed, rulingFromSeed } from "./simulatorSeeds.ts"

/** The gate runs 500 on Node. */
const seedsCount = Number(process.env.LITHAIR_TEST_SEEDS ?? 100)
/** 500 seeds took 101 s on two quiet cores, and 421 s on very busy ones. */
const timeout = 60_000 + seedsCount * 1_500
const seeds = Array.from({ length: seedsCount }, (_, at) => at + 1)

const kindOf = (failure: string | undefined) => failure?.replaceAll(/\d+/g, "#")

describe("simulator", () => {
  it("every seed keeps the properties of Fig. 3 and every promise to clients, advances under load, and heals", {
    timeout
  }, () => {
    const totals = {
      committed: 0,
      elections: 0,
      acknowledged: 0,
      refused: 0,
      unknown: 0,
      retries: 0,
      reads: 0,
      leaseReads: 0,
      declaredTransfers: 0,
      declinedTransfers: 0,
      assigned: 0,
      inquiries: 0,
      closed: 0,
      recalled: 0,
      exhausted: 0,
      expired: 0,
      forgotten: 0,
      corruptions: 0,
      alarms: 0,
      rebuiltStates: 0,
      changes: 0,
      transfers: 0,
      installs: 0,
      compactions: 0,
      catchUps: 0,
      folds: 0,
      saves: 0,
      resumes: 0,
      rebuilds: 0,
      unavailable: 0
    }
    for (const seed of seeds) {
      const result = Simulator.run(optionsOf(seed))
      assert.strictEqual(result.failure, undefined, `seed ${seed}`)
      for (const key of Object.keys(totals) as ReadonlyArray<keyof typeof totals>) totals[key] += result[key]
    }
    // A run in which nothing happens proves nothing.
    const least = {
      committed: 60,
      elections: 5,
      acknowledged: 40,
      refused: 20,
      unknown: 5,
      retries: 10,
      reads: 40,
      leaseReads: 2,
      // Half of the runs move money by command.
      declaredTransfers: 3,
      declinedTransfers: 4,
      // In half of the runs limits are reached, and clients use all that there is to do with keys.
      assigned: 0.3,
      inquiries: 2,
      closed: 0.2,
      recalled: 0.2,
      // Two of three keys are dated, and those always have room.
      exhausted: 2,
      expired: 1,
      forgotten: 1,
      // There, too, something other than an entry changes states, and the members find it.
      corruptions: 0.2,
      alarms: 0.4,
      rebuiltStates: 0.1,
      changes: 1,
      transfers: 0.5,
      installs: 0.5,
      compactions: 5,
      catchUps: 0.5,
      folds: 500,
      saves: 10,
      resumes: 10,
      rebuilds: 4,
      unavailable: 10
    }
    for (const key of Object.keys(totals) as ReadonlyArray<keyof typeof totals>) {
      assert.isAbove(totals[key], least[key] * seeds.length, key)
    }
  })

  it("disks rot: logs are repaired from peers, and no repaired node has lost what it may have acknowledged (C26)", {
    timeout
  }, () => {
    const totals = { rots: 0, repairs: 0, healed: 0, refusals: 0, installs: 0, committed: 0, acknowledged: 0 }
    const count = seedsCount / 10
    for (let seed = rottingFromSeed; seed < rottingFromSeed + count; seed++) {
      const result = Simulator.run(optionsOf(seed))
      assert.strictEqual(result.failure, undefined, `seed ${seed}`)
      for (const key of Object.keys(totals) as ReadonlyArray<keyof typeof totals>) totals[key] += result[key]
    }
    const least = { rots: 10, repairs: 8, healed: 2, refusals: 0.5, installs: 1, committed: 60, acknowledged: 40 }
    for (const key of Object.keys(totals) as ReadonlyArray<keyof typeof totals>) {
      assert.isAbove(totals[key], least[key] * count, key)
    }
  })

  it("nodes apply what they have marked before they know a leader, and nothing that is not committed", {
    timeout
  }, () => {
    const count = seedsCount / 50
    for (let seed = markingFromSeed; seed < markingFromSeed + count; seed++) {
      const result = Simulator.run(optionsOf(seed))
      assert.strictEqual(result.failure, undefined, `seed ${seed}`)
    }
  })

  it("under random rules nobody reads, hears or changes what its rules hide, at any node, and everybody gets the rest", {
    timeout
  }, () => {
    const totals = { visits: 0, refusals: 0, judged: 0, looks: 0, told: 0, left: 0, startsOver: 0, moves: 0, pages: 0 }
    const count = seedsCount / 10
    for (let seed = rulingFromSeed; seed < rulingFromSeed + count; seed++) {
      const { failure, sight } = Simulator.run(optionsOf(seed))
      assert.strictEqual(failure, undefined, `seed ${seed}`)
      for (const key of Object.keys(totals) as ReadonlyArray<keyof typeof totals>) totals[key] += sight![key]
    }
    const least = {
      visits: 600,
      refusals: 80,
      // Changes of readers in the log, each of which the rules allow.
      judged: 8,
      looks: 150,
      told: 25,
      left: 0.5,
      startsOver: 50,
      moves: 25,
      pages: 300
    }
    for (const key of Object.keys(totals) as ReadonlyArray<keyof typeof totals>) {
      assert.isAbove(totals[key], least[key] * count, key)
    }
  })

  it("the kept seeds, which once failed, pass", () => {
    for (const seed of keptSeeds) assert.strictEqual(Simulator.run(optionsOf(seed)).failure, undefined, `seed ${seed}`)
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
