/** Draws the cluster of a seed, and the weather of its run, once, before anything happens. */

import { decoding } from "../../Cluster/Feed.ts"
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import { encodeConfiguration } from "../../Raft/core/ConfigurationCodec.ts"
import { defaults, type RaftConfig } from "../../Raft/core/RaftConfig.ts"
import * as Checks from "./Checks.ts"
import * as Clients from "./Clients.ts"
import * as DrawSight from "./DrawSight.ts"
import { draw as drawReleases } from "./Limits.ts"
import * as Node from "./Node.ts"
import * as Papers from "./Papers.ts"
import { profiles } from "./Profile.ts"
import * as Random from "./Random.ts"
import type { World } from "./World.ts"

/** The options of a simulated run. */
export interface Options {
  readonly seed: number
  /** The first voters. Up to two other nodes stand by to be added. */
  readonly nodeCount: number
  /** How many acts are drawn. Acts of projections come between them, and do not count. */
  readonly stepCount: number
  /** The disk says "synced" and forgets at the next crash. The checks must find this fault. */
  readonly isDiskLying?: boolean
  /** Bits of durable logs flip and snapshots are damaged, on nodes and at times of their own; peers give back what is lost. */
  readonly isRotting?: boolean
  /** Nodes mark what they have applied, and apply it again at their next start, before they know a leader. */
  readonly isMarking?: boolean
  /** The cluster has rules, and readers of whom none is shown what they hide. All nodes run one release. */
  readonly isRuled?: boolean
}

export type Harm = "cut" | "crash" | "damage" | "pause" | "jumpClock" | "stallDisk" | "losePeer" | "shutDown"

/** How often each kind of act happens, among about a hundred. */
export interface Weather {
  readonly chances: {
    readonly tick: number
    readonly request: number
    readonly order: number
    readonly harm: number
    readonly mend: number
  }
  /** The kinds of harm in this run. */
  readonly harms: ReadonlyArray<Harm>
  /** The chance that a message is lost, and that it arrives twice. */
  readonly lossChance: number
  /** The first `reorderCount` messages under way are equally likely to arrive next. */
  readonly reorderCount: number
  readonly pauseMaxMs: number
  /** The share of ticks that each node misses: clocks drift apart, and a slow leader does not notice its deposition. */
  readonly missedTicks: ReadonlyArray<number>
  readonly isDiskLying: boolean
  /** Money moves by the declared command, and not by patches of records that clients saw. */
  readonly isCalling: boolean
  /** The run reaches limits, and clients ask about keys and close them. */
  readonly isTight: boolean
}

const config: RaftConfig = {
  ...defaults,
  inflightMessagesCount: 4,
  inflightBytes: 2_000,
  cacheBytes: 1_200,
  logRetainedBytes: Number.POSITIVE_INFINITY,
  uncommittedBytes: 6_000
}

const clientsCount = 6

/** With this salt runs 2526 to 2535 and 13,411 to 13,420, which find rare planted faults, stay what they were. */
const callingSalt = 10_898_543

/** Acts of projections have a sequence of their own, so that all other acts are as without projections. */
export const followingSalt = 5_150_927

/** So has the damage of disks. */
export const rottingSalt = 9_340_211

/** And so has what readers do. */
export const sightSalt = 8_203_463

const loadSalt = 7_368_787

export const make = (options: Options): { readonly world: World; readonly weather: Weather } => {
  const { nodeCount } = options
  const random = Random.make(options.seed)
  const standbyCount = Random.below(random, 3)
  const ids = Array.from({ length: nodeCount + standbyCount }, (_, at) => `${at + 1}`)
  const voters = ids.slice(0, nodeCount).map((id) => ({ id, address: id, instanceId: `${id}.0` }))
  const payload = encodeConfiguration({ voters, learners: [] })
  const first: LogEntry = { index: 1, term: 1, type: "configuration", payload }
  const logRetainedCount = Random.pick(random, [0, 3, 20, Number.POSITIVE_INFINITY])
  const appendBatchBytes = Random.pick(random, [1, 600])
  // Leaders that come and go leave more behind for others to undo.
  const isHasty = Random.isChosen(random, 0.25)
  const isDrifting = Random.isChosen(random, 0.5)
  const isLeased = Random.isChosen(random, 0.5)
  const following = Random.make(options.seed ^ followingSalt)
  const releases = releasesOf(options, ids.length)
  return {
    world: {
      releases,
      config: {
        ...config,
        appendBatchBytes,
        ...(isHasty ? { electionTimeoutMinMs: 100, electionTimeoutMaxMs: 200 } : {}),
        logRetainedCount,
        ...(isLeased ? { readLease: isDrifting ? {} : { driftBoundMs: 0 } } : {})
      },
      nodes: ids.map((id, at) => {
        const clockRate = isDrifting ? 0.92 + random() * 0.16 : 1
        return Node.make({
          id,
          clockRate,
          wallOffsetMs: 0,
          entries: at < nodeCount ? [first] : [],
          version: releases?.first[at] ?? 1,
          isVoteFirst: options.isRotting === true,
          pace: following(),
          saveAfterCount: Random.pick(following, [1, 5, 20, Number.POSITIVE_INFINITY])
        })
      }),
      clients: Clients.make(clientsCount),
      profile: Random.pick(Random.make(options.seed ^ loadSalt), profiles),
      checks: Checks.make(),
      isRotting: options.isRotting === true,
      isMarking: options.isMarking === true,
      sight: options.isRuled
        ? DrawSight.make(Papers.draw(options.seed), Random.make(options.seed ^ sightSalt))
        : undefined,
      firstVoters: ids.slice(0, nodeCount),
      decodedOf: decoding(),
      network: [],
      latenciesMs: isHasty ? new Map() : drawLatencies(random, ids),
      cut: new Set(),
      nowMs: 0,
      nextNumber: 1,
      trace: 0
    },
    weather: drawWeather(random, options, { nodesCount: ids.length, isHasty })
  }
}

const releasesOf = ({ isRuled, seed }: Options, nodesCount: number): World["releases"] =>
  isRuled === true ? undefined : drawReleases(seed, nodesCount)

/** In half of the runs some links are slow, each in its own direction. */
const drawLatencies = (random: Random.Random, ids: ReadonlyArray<string>): World["latenciesMs"] => {
  const links = Random.isChosen(random, 0.5) ? [] : ids.flatMap((from) => ids.map((to) => `${from}>${to}`))
  return new Map(links.filter(() => Random.isChosen(random, 0.3)).map((link) => [link, random() * 250]))
}

const harms: ReadonlyArray<Harm> = ["cut", "crash", "damage", "pause", "jumpClock", "stallDisk", "losePeer", "shutDown"]

/** One run in four is fair: good clocks and links, and now and then a process stands still. There leases live long. */
const drawWeather = (
  random: Random.Random,
  options: Options,
  { isHasty, nodesCount }: { readonly isHasty: boolean; readonly nodesCount: number }
): Weather => {
  const isFair = !isHasty && Random.isChosen(random, 0.25)
  const drawn = harms.filter((harm) => Random.isChosen(random, 0.6) && !(isHasty && harm === "stallDisk"))
  // Between two ticks as many messages arrive as a beat sends, or far more, or too few.
  const tick = (40 / nodesCount) * 2 ** (isHasty ? -1.5 - random() : random() * 3 - 1.5)
  return {
    chances: {
      tick,
      request: 4 + random() * 8,
      order: random() < 0.5 ? 0.3 : 2,
      // An outage lasts for some elections.
      harm: tick * (isFair ? 0.02 : isHasty ? 0.4 : random() * 0.15),
      mend: tick * (0.06 + random() * 0.3) * (isHasty ? 3 : 1)
    },
    harms: isFair || drawn.length === 0 ? ["pause", "losePeer"] : drawn,
    lossChance: isFair || random() < 0.3 ? 0 : 0.03,
    reorderCount: isFair ? 1 : 2 ** Random.below(random, 8),
    pauseMaxMs: isFair ? 3_000 : 1_500,
    missedTicks: Array.from({ length: nodesCount }, () =>
      isFair || isHasty || random() < 0.5 ? 0 : random() ** 2 * 0.97
    ),
    isDiskLying: options.isDiskLying === true,
    isTight: releasesOf(options, nodesCount) !== undefined,
    // A sequence of its own, so that the other half of the seeds give the same runs as before.
    isCalling: Random.isChosen(Random.make(options.seed ^ callingSalt), 0.5)
  }
}
