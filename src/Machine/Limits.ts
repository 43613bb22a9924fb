/**
 * The limits that `evolve` applies: how many deleted records and keys are remembered, and for how long. Pure. They are
 * in the log, not in a node's code: a leader writes those of its release as an entry if the log has older ones, and
 * every node applies the log's. So releases with different limits never diverge.
 */
import { isRecord } from "./Json.ts"

/** A set of limits. */
export interface Limits {
  /** The number of this set among those of all releases. An older set never replaces a newer one. */
  readonly revision: number
  /** Tombstones kept for each model. */
  readonly tombstonesMax: number
  /** Clients' keys held at once. A full table refuses new ones: a held key is never evicted before it expires. */
  readonly keysMax: number
  /** How long a client's key is remembered at least, in the log's age. It is longer if no node ran for a while. */
  readonly keyLifetimeMs: number
  /** A larger outcome, as JSON, is not kept: it is read from its entry. */
  readonly outcomeMaxBytes: number
  /** The number of assigned keys in a generation, which is forgotten as a whole. */
  readonly generationSize: number
  /** Full generations that are held besides the one that fills. */
  readonly generationsMax: number
}

/**
 * The sets of all releases, oldest first. To change a limit, append a set and change no earlier one: a log without
 * limits uses the first.
 *
 * At least 50,000 assigned keys are held. At 5,000 writes a second they reach back ten seconds, four times as long as a
 * request may take before its client learns that its outcome is unknown.
 */
const revisions: readonly [Omit<Limits, "revision">, ...ReadonlyArray<Omit<Limits, "revision">>] = [
  {
    tombstonesMax: 1_000_000,
    keysMax: 100_000,
    keyLifetimeMs: 24 * 60 * 60 * 1000,
    outcomeMaxBytes: 4096,
    generationSize: 5_000,
    generationsMax: 10
  }
]

/** The limits of a log that states none. */
export const initial: Limits = { revision: 0, ...revisions[0] }

/** The limits that this release writes when it leads. */
export const current: Limits = { ...initial, ...revisions.at(-1), revision: revisions.length - 1 }

/** Whether `limits` must be written to a log that has `than`. */
export const isNewer = (limits: Limits, than: Limits): boolean => limits.revision > than.revision

const isPositive = (json: unknown): boolean => Number.isSafeInteger(json) && Number(json) > 0

/**
 * Whether JSON of a log is a set of limits: whole numbers above zero. Another release may have more of them, or fewer.
 */
export const isLimits = (json: unknown): json is Limits =>
  isRecord(json) && isPositive(json.revision) && Object.values(json).every(isPositive)
