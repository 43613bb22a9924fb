/** The cluster that a seed stands for, and what may befall it: drawn once, before anything happens. */
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { encodeConfiguration } from "../Raft/ConfigurationCodec.ts"
import { defaults, type RaftConfig } from "../Raft/RaftConfig.ts"
import * as Checks from "./SimulatorChecks.ts"
import * as Node from "./SimulatorNode.ts"
import * as Random from "./SimulatorRandom.ts"
import type { World } from "./SimulatorWorld.ts"

export interface Options {
  readonly seed: number
  /** Voters at first; up to two other nodes stand by to be added. */
  readonly nodeCount: number
  readonly stepCount: number
  /** The disk says "synced" and forgets at the next crash: a fault that the checks must find. */
  readonly isDiskLying?: boolean
}

/** How rough a run is. */
export interface Weather {
  /** The first that many messages under way are as likely to arrive next. */
  readonly reorderCount: number
  /** How often links are cut, nodes crash and ticks outrun messages. */
  readonly harm: number
  readonly pauseMaxMs: number
  /** The share of ticks that each node misses: clocks drift apart, and a slow leader is deposed unawares. */
  readonly missedTicks: ReadonlyArray<number>
  readonly isDiskLying: boolean
}

const config: RaftConfig = {
  ...defaults,
  appendBatchBytes: 16,
  inflightMessagesCount: 4,
  inflightBytes: 64,
  cacheBytes: 24,
  uncommittedBytes: 256
}

export const make = (options: Options): { readonly world: World; readonly weather: Weather } => {
  const { nodeCount } = options
  const random = Random.make(options.seed)
  const standbyCount = Random.below(random, 3)
  // One in four is a healthy cluster with good clocks, where only the rare harm is done: leases live long there.
  const isSteady = Random.isChosen(random, 0.25)
  const ids = Array.from({ length: nodeCount + standbyCount }, (_, at) => `${at + 1}`)
  const voters = ids.slice(0, nodeCount).map((id) => ({ id, address: id, instanceId: `${id}.0` }))
  const payload = encodeConfiguration({ voters, learners: [] })
  const first: LogEntry = { index: 1, term: 1, type: "configuration", payload }
  const logRetainedCount = Random.pick(random, [0, 3, 20, Number.POSITIVE_INFINITY])
  const isLeased = isSteady || Random.isChosen(random, 0.5)
  return {
    world: {
      config: { ...config, logRetainedCount, ...(isLeased ? { readLease: { driftBoundMs: 0 } } : {}) },
      nodes: ids.map((id, at) => Node.make({ id, entries: at < nodeCount ? [first] : [] })),
      checks: Checks.make(),
      network: [],
      cut: new Set(),
      nowMs: 0,
      nextRequestId: 1,
      trace: 0
    },
    weather: {
      reorderCount: isSteady ? 1 : 2 ** Random.below(random, 10),
      harm: isSteady ? 0.2 : random() * 3,
      pauseMaxMs: isSteady ? 3000 : 500,
      missedTicks: ids.map(() => (isSteady ? 0 : random() ** 2 * 0.97)),
      isDiskLying: options.isDiskLying === true
    }
  }
}
