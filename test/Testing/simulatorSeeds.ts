/** What the tests of the simulator run for a seed. */
import type { Options } from "../../src/Testing/Simulator.ts"

const nodeCounts = [3, 5, 1, 2, 4]

export const optionsOf = (seed: number): Options => ({
  seed,
  nodeCount: nodeCounts[seed % nodeCounts.length]!,
  stepCount: 10_000
})
