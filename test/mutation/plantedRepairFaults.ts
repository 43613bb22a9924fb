/**
 * Faults of a line in the repair of damaged logs, each of which the simulator must find while disks rot. A list, and no
 * more: plantedFaults.test.ts plants them. C26.
 */
import { rottingFromSeed as first } from "../Testing/simulatorSeeds.ts"
import type { PlantedFault } from "./plantedFaults.ts"

export const plantedRepairFaults: ReadonlyArray<PlantedFault> = [
  {
    name: "a node votes while it repairs its log",
    breaks: "C26",
    fromSeed: first,
    seedsCount: 20,
    file: "src/Raft/core/Election.ts",
    find: `  if (state.repairing !== undefined) return
`,
    replace: ``
  },
  {
    name: "a node campaigns while it repairs its log",
    breaks: "C26",
    fromSeed: first,
    seedsCount: 20,
    file: "src/Raft/core/Election.ts",
    find: `state.isSuspect || state.repairing !== undefined) return false`,
    replace: `state.isSuspect) return false`
  },
  {
    name: "a node that repairs its log counts in the quorum that names its index",
    breaks: "C26",
    fromSeed: first + 3,
    seedsCount: 20,
    file: "src/Raft/core/Repair.ts",
    find: `(voter) => voter !== peer && repair.acks.has(voter))`,
    replace: `(voter) => voter === peer || repair.acks.has(voter))`
  },
  {
    name: "a leader names its commit index to a node that repairs its log",
    breaks: "C26",
    fromSeed: first,
    seedsCount: 20,
    file: "src/Raft/core/Repair.ts",
    find: `  repair.throughIndex = state.log.lastIndex
`,
    replace: `  repair.throughIndex = state.commitIndex
`
  },
  {
    name: "an index that was named to an earlier repair ends a later one",
    breaks: "C26",
    fromSeed: first + 11,
    seedsCount: 20,
    file: "src/Raft/core/Repair.ts",
    find: `repairing === undefined || repairing.nonce !== message.nonce`,
    replace: `repairing === undefined`
  },
  {
    name: "a repair ends before its entries are durable",
    breaks: "C26",
    fromSeed: first,
    seedsCount: 20,
    file: "src/Raft/core/Repair.ts",
    find: `  if (Math.min(matchedIndex, durableIndex) < throughIndex) return
`,
    replace: `  if (matchedIndex < throughIndex) return
`
  },
  {
    name: "a start forgets that the log must be repaired",
    breaks: "C26",
    fromSeed: first,
    seedsCount: 20,
    file: "src/Testing/simulator/Disk.ts",
    find: `  ...(disk.lost === undefined ? {} : { isRepairing: true })
`,
    replace: `  ...(disk.lost === undefined || !disk.isRotten ? {} : { isRepairing: true })
`
  }
]
