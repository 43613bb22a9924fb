/**
 * The limits that `evolve` applies: how many deleted records and keys are remembered, and for how long. Pure.
 * They are in the log, and in no node's code: a leader states those of its release as an entry, where the log has older
 * ones, and every node applies what the log says. So releases that differ in them never diverge.
 */
import { isRecord } from "./Json.ts"

/** A set of limits. */
export interface Limits {
  /** The number of this set among those that releases have had. An older set never replaces a newer one. */
  readonly revision: number
  /** Tombstones kept for each model. */
  readonly tombstonesMax: number
  /** Clients' keys held at once. A full table refuses new ones: a held key is never evicted before it expires. */
  readonly keysMax: number
  /** How long a client's key is remembered, in the log's own age: so long at least, and longer where no node ran. */
  readonly keyLifetimeMs: number
  /** An outcome whose JSON is larger is not kept: the entry at its index tells it. */
  readonly outcomeMaxBytes: number
  /** Keys that nodes assigned are forgotten in generations of so many. */
  readonly generationSize: number
  /** Full generations that are held besides the one that fills. */
  readonly generationsMax: number
}

/**
 * The sets that releases have had, oldest first. To change a limit append a set, and change none that is here: a log
 * without limits means the first.
 *
 * Of assigned keys 50,000 are held at least. At 5,000 writes a second they reach back ten seconds: four times as long as
 * a request may take until its client is told that its outcome is unknown.
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

/** What a log means that states no limits. */
export const initial: Limits = { revision: 0, ...revisions[0] }

/** What this release states where it leads. */
export const current: Limits = { ...initial, ...revisions.at(-1), revision: revisions.length - 1 }

/** Whether these are to be stated in a log that has those. */
export const isNewer = (limits: Limits, than: Limits): boolean => limits.revision > than.revision

const isPositive = (json: unknown): boolean => Number.isSafeInteger(json) && Number(json) > 0

/** Whether JSON of a log is a set of limits: whole numbers above zero. Another release may have more of them, or fewer. */
export const isLimits = (json: unknown): json is Limits =>
  isRecord(json) && isPositive(json.revision) && Object.values(json).every(isPositive)
