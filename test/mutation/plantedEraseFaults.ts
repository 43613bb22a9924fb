/**
 * Faults of a line or so in erasures, each of which runs of a whole cluster (test/Testing/EraseRun.ts) must find within
 * `seedsCount` seeds. A list, and no more: plantedFaults.test.ts plants them one by one in a copy of the sources.
 */
import type { PlantedFault } from "./plantedFaults.ts"

export const plantedEraseFaults: ReadonlyArray<PlantedFault> = [
  {
    name: "entries from before an erasure stay in the log",
    breaks: "the log tells nothing",
    seedsCount: 4,
    file: "src/Cluster/Erasing.ts",
    find: `      yield* discard(throughIndex)
`,
    replace: ""
  },
  {
    name: "snapshots from before an erasure stay",
    breaks: "no snapshot tells anything",
    seedsCount: 4,
    file: "src/Cluster/Erasing.ts",
    find: `      yield* snapshots.removeBelow(throughIndex)
`,
    replace: ""
  },
  {
    name: "files of history are not looked at",
    breaks: "the history tells nothing",
    seedsCount: 4,
    file: "src/EventStore/HistoryFiles.ts",
    find: `for (const entry of entries) if (blank(entry) !== entry) return true`,
    replace: ``
  },
  {
    name: "an entry is read as it was before its data was erased",
    breaks: "nobody is told, from the erasure on",
    seedsCount: 4,
    file: "src/Cluster/Feed.ts",
    find: `return left === transaction ? entry : { index, transaction: left }`,
    replace: `return entry`
  },
  {
    name: "remembered outcomes of erased records are kept",
    breaks: "no key tells anything",
    seedsCount: 4,
    file: "src/Machine/evolve.ts",
    find: `for (const at of erasedOutcomes) Sessions.forgetOutcome(tables, at)`,
    replace: ``
  },
  {
    name: "a node's own log keeps the parts of erased records",
    breaks: "no local part tells anything",
    seedsCount: 4,
    file: "src/Machine/LocalParts.ts",
    find: `for (const [id, index] of erasedOf(model)) {`,
    replace: `for (const [id, index] of [...erasedOf(model)].slice(0, 0)) {`
  },
  {
    name: "states folded from erased events are kept",
    breaks: "projections are as if the record had never been",
    seedsCount: 4,
    file: "src/Projection/Refolding.ts",
    find: `some(([, index]) => index > erasedThrough)`,
    replace: `some(([, index]) => index > Number.MAX_SAFE_INTEGER)`
  }
]
