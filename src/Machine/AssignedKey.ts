/**
 * The idempotency key that a node gives a write which came without one. Pure. RAFT.md C17; HTTP contract, "Errors".
 * A client learns of it only where the outcome of its write is unknown. Such keys are remembered by their number, not for
 * a time, so that each says after which entry it was given: a key that was forgotten is told from one that never came.
 *
 * `~<index>.<random>.<fingerprint>`: the index in base 36; what makes the key unlike any other; and the beginning of the
 * request's fingerprint, by which another request with this key is known although no node remembers the first.
 */
import { invariant } from "../Invariant.ts"

/** What an assigned key says of itself. */
export interface AssignedKey {
  /** An index that was committed when the key was given: the entry of its write, if there ever is one, follows it. */
  readonly afterIndex: number
  readonly fingerprint: string
}

/** 66 bits: a client that finds another request of the same digest has deceived itself alone. */
const fingerprintLength = 11

const pattern = /^~([0-9a-z]{1,10})\.[0-9a-z-]{1,36}\.([A-Za-z0-9_-]{0,11})$/

/** A key for a write that came without one; `random` is lower-case hexadecimal, as of a UUID, and never given twice. */
export const make = (options: {
  readonly afterIndex: number
  readonly random: string
  readonly fingerprint?: string | undefined
}): string => {
  const key = `~${options.afterIndex.toString(36)}.${options.random}.${beginningOf(options.fingerprint ?? "")}`
  invariant(pattern.test(key), "an assigned key would not be known as one")
  return key
}

/** What a key says, if it is one that a node may have assigned. */
export const parse = (key: string): AssignedKey | undefined => {
  const [, index, fingerprint] = (key.startsWith("~") && pattern.exec(key)) || []
  return index === undefined || fingerprint === undefined
    ? undefined
    : { afterIndex: Number.parseInt(index, 36), fingerprint }
}

/** Whether a request of this fingerprint is the one that the key was assigned to. */
export const isOf = (key: AssignedKey, fingerprint: string): boolean => key.fingerprint === beginningOf(fingerprint)

const beginningOf = (fingerprint: string): string => fingerprint.slice(0, fingerprintLength)
