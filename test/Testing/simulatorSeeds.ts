/** What the tests of the simulator run for a seed. */
import type { Options } from "../../src/Testing/simulator/Simulator.ts"

const nodeCounts = [3, 5, 1, 2, 4]

/** From this seed on disks rot, and nodes repair their logs from their peers. The runs before it stay what they were. */
export const rottingFromSeed = 100_001

/** From this seed on nodes mark what they have applied, and begin their next life with it. */
export const markingFromSeed = 1_000_001

/** From this seed on the cluster has rules and readers. */
export const rulingFromSeed = 2_000_001

export const optionsOf = (seed: number): Options => ({
  seed,
  nodeCount: nodeCounts[seed % nodeCounts.length]!,
  stepCount: 10_000,
  isRotting: seed >= rottingFromSeed && (seed < markingFromSeed || seed % 2 === 0),
  isMarking: seed >= markingFromSeed,
  isRuled: seed >= rulingFromSeed
})

/**
 * Runs that once found something: kept for ever. 3553: a leader sent what was read of its log and compacted away meanwhile.
 * 911: a projection read what was never committed, from a log that a snapshot had replaced.
 * 569: a snapshot brought a state that was wrong to a majority before it was found out.
 * 1336: the simulated node read a key's entry from a log that an installed snapshot had replaced, as Feed does not.
 * 3870: the state of a single voter was wrong, and called that of a learner wrong; the judge did not allow for it.
 * 4431, 5500: a majority got a wrong state by a snapshot, and the one right state was called wrong.
 * 381: a voter whose state was suspect was the only one left, and nobody led.
 * 220060: a voter repaired its log, another with the longest log had a suspect state and waited for a leader's snapshot.
 * 301639: the simulated node rebuilt a state from the beginning of a log that it was repairing, as StateWatch does not.
 */
export const keptSeeds: ReadonlyArray<number> = [381, 569, 911, 1336, 3553, 3870, 4431, 5500, 220_060, 301_639]
