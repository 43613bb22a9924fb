/**
 * The limits of a simulated cluster: in half of the runs its nodes run two releases, whose limits are so tight that keys
 * expire, tables fill and tombstones go. Drawn from a sequence of their own, so that the other runs are as without them.
 */
import * as Limits from "../../Machine/Limits.ts"
import type { Version } from "./Projections.ts"
import * as Random from "./Random.ts"

/** What each release states where it leads, and which of them a node runs first. */
export interface Releases {
  readonly limitsOf: Readonly<Record<Version, Limits.Limits>>
  readonly first: ReadonlyArray<Version>
}

/** One with which the runs where rare planted faults are found are as without limits. */
const limitsSalt = 10_558_839

/**
 * Longer than any copy of a keyed request is under way in tight runs, by the slowest clock: what clients wait for is
 * called off, they try again for a while only, and what is forwarded is lost with its link.
 */
const keyLifetimesMs = [15_000, 20_000, 30_000]

/** A client hears of its request within this time, or that its outcome is unknown; and a leader tells a peer so. */
export const answerTimeoutMs = 2_500

/** A client sends a request again within this time only. */
export const retriedMs = 3_000

/** A link that moves nothing for so long is lost, with what a follower had sent over it. */
export const forwardedMaxMs = 5_000

const drawLimits = (random: Random.Random, revision: number): Limits.Limits => ({
  revision,
  // The registers are three, and their versions are judged: none of their tombstones goes.
  tombstonesMax: Random.pick(random, [3, 4, 6]),
  keysMax: Random.pick(random, [4, 12, 1_000]),
  keyLifetimeMs: Random.pick(random, keyLifetimesMs),
  outcomeMaxBytes: Random.pick(random, [1, 200, 400, 4_096]),
  generationSize: Random.pick(random, [1, 3, 10]),
  generationsMax: Random.pick(random, [1, 2, 5])
})

/** Undefined, where a run has one release, with the limits of production. */
export const draw = (seed: number, nodesCount: number): Releases | undefined => {
  const random = Random.make(seed ^ limitsSalt)
  if (Random.isChosen(random, 0.5)) return undefined
  const first = Array.from({ length: nodesCount }, (): Version => (Random.isChosen(random, 0.5) ? 1 : 2))
  return { limitsOf: { 1: drawLimits(random, 1), 2: drawLimits(random, 2) }, first }
}

/** What a node states. */
export const of = (releases: Releases | undefined, version: Version): Limits.Limits =>
  releases?.limitsOf[version] ?? Limits.current
