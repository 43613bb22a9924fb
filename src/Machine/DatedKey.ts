/**
 * The form of a dated key: an idempotency key that says after which entry it was made. Pure, and loads in a browser. C17;
 * docs/http.md, "Idempotency keys". The client's library makes one for a change, and a node for a write without a key. The
 * date tells a key that is forgotten from one that never came, so the oldest keys may be forgotten at any time.
 *
 * `~<index>.<unique>.<fingerprint>`, or `~~` for a node's own log: the index in that log, in base 36; a part that no other
 * key has; and the beginning of the request's fingerprint. By the fingerprint a node recognises another request with this
 * key, even if no node remembers the first.
 */
import { invariant } from "../Invariant.ts"

/** The content of a dated key. */
export interface DatedKey {
  /** Whether the index is of a node's own log, and not of the cluster's. */
  readonly isOfNode: boolean
  /** An index that the maker of the key knew to be in the log. If the write gets an entry, that entry follows it. */
  readonly afterIndex: number
  readonly fingerprint: string
}

/** 66 bits. A client that finds two requests with one digest deceives only itself. */
const fingerprintLength = 11

/** It never changes: by it `evolve` recognises dated keys in every log. */
const pattern = /^~(~?)([0-9a-z]{1,10})\.[0-9a-z-]{1,36}\.([A-Za-z0-9_-]{0,11})$/

/** Makes a key. `unique` has digits, lower-case letters and `-`, and is never given twice. */
export const make = (options: {
  readonly isOfNode?: boolean
  readonly afterIndex: number
  readonly unique: string
  readonly fingerprint?: string | undefined
}): string => {
  const key = `${options.isOfNode === true ? "~~" : "~"}${options.afterIndex.toString(36)}.${options.unique}.${beginningOf(options.fingerprint ?? "")}`
  invariant(pattern.test(key), "a dated key would not be known as one")
  return key
}

/** Reads a key. Undefined if it is no dated key. */
export const parse = (key: string): DatedKey | undefined => {
  const [, node, index, fingerprint] = (key.startsWith("~") && pattern.exec(key)) || []
  return index === undefined || fingerprint === undefined
    ? undefined
    : { isOfNode: node === "~", afterIndex: Number.parseInt(index, 36), fingerprint }
}

/** Whether the key was made for the request with this fingerprint. */
export const isOf = (key: DatedKey, fingerprint: string): boolean => key.fingerprint === beginningOf(fingerprint)

const beginningOf = (fingerprint: string): string => fingerprint.slice(0, fingerprintLength)
