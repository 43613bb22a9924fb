/**
 * The idempotency key that a node gives to a write without one. Pure. C17; docs/http.md, "Problems". A client learns of
 * it only if the outcome of its write is unknown. The cluster remembers a number of such keys, not for a time. Each key
 * says after which entry it was given, so the cluster can tell a forgotten key from one that never came.
 *
 * `~<index>.<unique>.<fingerprint>`, or `~~` for a write to a node's own log: the index in that log, in base 36; a part
 * that no other key has; and the beginning of the request's fingerprint. By the fingerprint a node recognises another
 * request with this key, even if no node remembers the first.
 */
import { createHash } from "node:crypto"
import { invariant } from "../Invariant.ts"
import type { Origin } from "./Command.ts"

/** The content of an assigned key. */
export interface AssignedKey {
  /** Whether one node remembers the key, in its own log, and not the cluster. */
  readonly isOfNode: boolean
  /** An index that was committed when the node gave the key. If the write gets an entry, that entry follows it. */
  readonly afterIndex: number
  readonly fingerprint: string
}

/** 66 bits. A client that finds two requests with one digest deceives only itself. */
const fingerprintLength = 11

/** It never changes: by it `evolve` recognises assigned keys in every log. */
const pattern = /^~(~?)([0-9a-z]{1,10})\.[0-9a-z-]{1,36}\.([A-Za-z0-9_-]{0,11})$/

/** Makes a key for a write without one. `unique` has digits, lower-case letters and `-`, and is never given twice. */
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
 * Gives keys to commands that have none, during one life of a node. `life` differs from that of every other life, of
 * this node and of others. A key holds the fingerprint of its request, so the command needs none beside it.
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
 * The name of one life of a node: 48 bits of a digest of the node, and the number of its starts. It leaves room in a key
 * for any count.
 */
export const lifeOf = (node: { readonly nodeId: string; readonly instanceId: string }, life: number): string => {
  const who = createHash("sha256").update(JSON.stringify([node.nodeId, node.instanceId]))
  return `${who.digest("hex").slice(0, 12)}-${life.toString(36)}`
}

/** Reads a key. Undefined if no node can have assigned it. */
export const parse = (key: string): AssignedKey | undefined => {
  const [, node, index, fingerprint] = (key.startsWith("~") && pattern.exec(key)) || []
  return index === undefined || fingerprint === undefined
    ? undefined
    : { isOfNode: node === "~", afterIndex: Number.parseInt(index, 36), fingerprint }
}

/** Whether a node assigned the key to the request with this fingerprint. */
export const isOf = (key: AssignedKey, fingerprint: string): boolean => key.fingerprint === beginningOf(fingerprint)

const beginningOf = (fingerprint: string): string => fingerprint.slice(0, fingerprintLength)
