/**
 * The limits of a simulated cluster. In half of the runs the nodes run two releases with limits so tight that keys expire,
 * tables fill and tombstones go. A sequence of its own draws them, so that the other runs are as without them.
 */
import * as Limits from "../../Machine/Limits.ts"
import type { Version } from "./Projections.ts"
import * as Random from "./Random.ts"

/** The limits that each release states while it leads, and the release that each node runs first. */
export interface Releases {
  readonly limitsOf: Readonly<Record<Version, Limits.Limits>>
  readonly first: ReadonlyArray<Version>
}

/** With this salt the runs that find rare planted faults have no tight limits. */
const limitsSalt = 10_558_839

/**
 * In tight runs no copy of a keyed request is under way for longer, by the slowest clock: clients call off their waits and
 * retry only for a while, and a lost link loses the forwarded copies.
 */
const keyLifetimesMs = [15_000, 20_000, 30_000]

/** Within this time a client gets its answer, or learns that the outcome is unknown; a leader tells a peer the same. */
export const answerTimeoutMs = 2_500

/** A client sends a request again within this time only. */
export const retriedMs = 3_000

/** A link that moves nothing for this long is lost, with everything that a follower had sent over it. */
export const forwardedMaxMs = 5_000

const drawLimits = (random: Random.Random, revision: number): Limits.Limits => {
  const drawn = {
    revision,
    // The judge checks the versions of three registers, so none of their tombstones may go.
    tombstonesMax: Random.pick(random, [3, 4, 6]),
    keysMax: Random.pick(random, [4, 12, 1_000]),
    keyLifetimeMs: Random.pick(random, keyLifetimesMs),
    outcomeMaxBytes: Random.pick(random, [1, 200, 400, 4_096]),
    generationSize: Random.pick(random, [1, 3, 10]),
    generationsMax: Random.pick(random, [1, 2, 5])
  }
  return {
    ...drawn,
    datedKeysMax: drawn.generationSize * (drawn.generationsMax + 1),
    datedGenerationSize: drawn.generationSize,
    opaqueKeysMax: drawn.keysMax,
    outcomesMaxBytes: drawn.outcomeMaxBytes * 3
  }
}

/** Draws the releases of a run; undefined if the run has one release, with the limits of production. */
export const draw = (seed: number, nodesCount: number): Releases | undefined => {
  const random = Random.make(seed ^ limitsSalt)
  if (Random.isChosen(random, 0.5)) return undefined
  const first = Array.from({ length: nodesCount }, (): Version => (Random.isChosen(random, 0.5) ? 1 : 2))
  return { limitsOf: { 1: drawLimits(random, 1), 2: drawLimits(random, 2) }, first }
}

/** The limits that a node states. */
export const of = (releases: Releases | undefined, version: Version): Limits.Limits =>
  releases?.limitsOf[version] ?? Limits.current
