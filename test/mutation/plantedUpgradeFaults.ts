/**
 * Faults of a line or so in upgrades, each of which runs of rolling upgrades (test/Testing/UpgradeRun.ts) must find within
 * `seedsCount` seeds. A list, and no more: plantedFaults.test.ts plants them one by one in the sources.
 */
import type { PlantedFault } from "./plantedFaults.ts"

export const plantedUpgradeFaults: ReadonlyArray<PlantedFault> = [
  {
    name: "a version becomes active without one voter",
    breaks: "activation by all members",
    fromSeed: 4,
    seedsCount: 10,
    file: "src/Cluster/Activation.ts",
    find: `        return id !== nodeId && !hasVersion
      })`,
    replace: `        return id !== nodeId && !hasVersion
      })
      .slice(1)`
  },
  {
    name: "storing a record anew moves its version",
    breaks: "no change of a record",
    seedsCount: 10,
    file: "src/Machine/evolve.ts",
    find: `const row: Row = { ...before, modelVersion, data }`,
    replace: `const row: Row = { ...before, version: before.version + 1, modelVersion, data }`
  },
  {
    name: "a follower stores what it reads itself",
    breaks: "D2",
    seedsCount: 10,
    file: "src/Machine/evolve.ts",
    find: `const row: Row = { ...before, modelVersion, data }`,
    replace: `const read = table.read.record(before)
  const row: Row = { ...before, modelVersion, data: read._tag === "Success" ? read.success.kept : data }`
  }
]
