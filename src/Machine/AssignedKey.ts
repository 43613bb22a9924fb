/**
 * The idempotency key that a node gives a write which came without one. Pure. C17; docs/http.md, "Problems".
 * A client learns of it only where the outcome of its write is unknown. Such keys are remembered by their number, not for
 * a time, so that each says after which entry it was given: a key that was forgotten is told from one that never came.
 *
 * `~<index>.<unique>.<fingerprint>`, with `~~` where the write is to a node's own log: the index in that log, in base 36; what makes the key unlike any other; and the beginning of the
 * request's fingerprint, by which another request with this key is known although no node remembers the first.
 */
import { createHash } from "node:crypto"
import { invariant } from "../Invariant.ts"
import type { Origin } from "./Command.ts"

/** What an assigned key says of itself. */
export interface AssignedKey {
  /** The node that was written to remembers it, in its own log. */
  readonly isOfNode: boolean
  /** An index that was committed when the key was given: the entry of its write, if there ever is one, follows it. */
  readonly afterIndex: number
  readonly fingerprint: string
}

/** 66 bits: a client that finds another request of the same digest has deceived itself alone. */
const fingerprintLength = 11

/** It never changes: `evolve` tells by it, in every log there is, which keys nodes assigned. */
const pattern = /^~(~?)([0-9a-z]{1,10})\.[0-9a-z-]{1,36}\.([A-Za-z0-9_-]{0,11})$/

/** A key for a write that came without one; `unique` is of digits, lower-case letters and `-`, and never given twice. */
export const make = (options: {
  readonly isOfNode?: boolean
  readonly afterIndex: number
  readonly unique: string
  readonly fingerprint?: string | undefined
}): string => {
  const key = `${options.isOfNode === true ? "~~" : "~"}${options.afterIndex.toString(36)}.${options.unique}.${beginningOf(options.fingerprint ?? "")}`
  invariant(pattern.test(key), "an assigned key would not be known as one")
  return key
}

/**
 * Gives keys to commands that have none, for as long as a node runs: `life` tells that from every other time that it or
 * another node did. A key says which request it is of, so that the fingerprint is not needed beside it.
 */
export const giver = (options: { readonly life: string; readonly isOfNode: boolean }) => {
  let count = 0
  return <O extends Origin>(origin: O, afterIndex: number): O => {
    if (origin.key !== undefined) return origin
    const { fingerprint, ...rest } = origin
    const unique = `${options.life}-${(count++).toString(36)}`
    return { ...rest, assignedKey: make({ ...options, afterIndex, unique, fingerprint }) } as O
  }
}

/**
 * What tells one life of a node from all others, of it and of other nodes: who the node is, in 48 bits of a digest, and
 * how often it has started. It leaves room in a key for any count.
 */
export const lifeOf = (node: { readonly nodeId: string; readonly instanceId: string }, life: number): string => {
  const who = createHash("sha256").update(JSON.stringify([node.nodeId, node.instanceId]))
  return `${who.digest("hex").slice(0, 12)}-${life.toString(36)}`
}

/** What a key says, if it is one that a node may have assigned. */
export const parse = (key: string): AssignedKey | undefined => {
  const [, node, index, fingerprint] = (key.startsWith("~") && pattern.exec(key)) || []
  return index === undefined || fingerprint === undefined
    ? undefined
    : { isOfNode: node === "~", afterIndex: Number.parseInt(index, 36), fingerprint }
}

/** Whether a request of this fingerprint is the one that the key was assigned to. */
export const isOf = (key: AssignedKey, fingerprint: string): boolean => key.fingerprint === beginningOf(fingerprint)

const beginningOf = (fingerprint: string): string => fingerprint.slice(0, fingerprintLength)
