/**
 * The limits that `evolve` applies: how many deleted records and keys are remembered, and for how long. Pure. They are
 * in the log, not in a node's code: a leader writes those of its release as an entry if the log has older ones, and
 * every node applies the log's. So releases with different limits never diverge.
 */
import { isRecord } from "./Json.ts"

/** The bounds of the memory of keys from format 3 on (Format.ts). */
export interface KeyLimits {
  /** Dated keys held at once. Over it, the oldest of the largest bucket of holders are forgotten. */
  readonly datedKeysMax: number
  /** The most dated keys in a generation, which is forgotten as a whole. */
  readonly datedGenerationSize: number
  /** Opaque keys held at once. A new one that has no room is refused: none is forgotten before it expires. */
  readonly opaqueKeysMax: number
  /** The bytes of kept outcomes, as JSON. Past it the log tells an outcome. */
  readonly outcomesMaxBytes: number
}

/** A set of limits. Those of keys from format 3 on are {@link keyLimitsOf} unless a set states them. */
export interface Limits extends Partial<KeyLimits> {
  /** The number of this set among those of all releases. An older set never replaces a newer one. */
  readonly revision: number
  /** Tombstones kept for each model. */
  readonly tombstonesMax: number
  /** The same as `opaqueKeysMax`, before format 3. */
  readonly keysMax: number
  /** How long an opaque key is remembered at least, in the log's age. It is longer if no node ran for a while. */
  readonly keyLifetimeMs: number
  /** A larger outcome, as JSON, is not kept: it is read from its entry. */
  readonly outcomeMaxBytes: number
  /** Before format 3: the number of dated keys in a generation, which is forgotten as a whole. */
  readonly generationSize: number
  /** Before format 3: full generations that are held besides the one that fills. */
  readonly generationsMax: number
}

/**
 * The sets of all releases, oldest first. To change a limit, append a set and change no earlier one: a log without
 * limits uses the first.
 *
 * Before format 3 at least 50,000 dated keys are held. At 5,000 writes a second they reach back ten seconds, four times as
 * long as a request may take before its client learns that its outcome is unknown.
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

/**
 * The bounds that begin with format 3, for a log whose limits do not state them. They never change: a release that wants
 * others appends a set of limits with them.
 *
 * A map has room for powers of two, so a generation of 8,192 keys wastes none.
 */
const initialKeyLimits: KeyLimits = {
  datedKeysMax: 500_000,
  datedGenerationSize: 8_192,
  opaqueKeysMax: 400_000,
  outcomesMaxBytes: 64 * 1024 * 1024
}

/** The bounds of the memory of keys in a log of format 3 with these limits. */
export const keyLimitsOf = (limits: Limits): KeyLimits => ({
  datedKeysMax: limits.datedKeysMax ?? initialKeyLimits.datedKeysMax,
  datedGenerationSize: limits.datedGenerationSize ?? initialKeyLimits.datedGenerationSize,
  opaqueKeysMax: limits.opaqueKeysMax ?? initialKeyLimits.opaqueKeysMax,
  outcomesMaxBytes: limits.outcomesMaxBytes ?? initialKeyLimits.outcomesMaxBytes
})

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
