/**
 * The outcomes of requests with an idempotency key, so that a copy is answered and not done again. Pure. They are part
 * of the tables: they survive leaders, restarts and snapshots. Raft diss. 6.3; C17.
 *
 * Of a dated key (DatedKey.ts) only the index of its entry is held, and the oldest are forgotten (DatedKeys.ts). Any other
 * key is opaque: it is held until it expires. An outcome that is not kept is read from the log.
 *
 * From format 3 on, a key is held as a digest of its name, and its holder is in one of many buckets: one holder has no
 * more of the room for opaque keys than it leaves thrice to others. Before, keys are held by their names (AssignedKeys.ts).
 */
import type { Answer } from "./Answer.ts"
import * as AssignedKeys from "./AssignedKeys.ts"
import { type Keyed, keyedOf } from "./Command.ts"
import * as DatedKey from "./DatedKey.ts"
import * as DatedKeys from "./DatedKeys.ts"
import { isFormatActive, keyBuckets } from "./Format.ts"
import { bucketOf, digestOf } from "./KeyDigest.ts"
import { keyLimitsOf } from "./Limits.ts"
import type { Rejection } from "./Rejection.ts"
import { isKeyClosed, type KeptOutcome, type Session } from "./Session.ts"
import * as StateElements from "./StateElements.ts"
import { count, discount, hashOf, type Tables } from "./Tables.ts"
import type { Transaction } from "./Transaction.ts"

export const nameOf = ({ key, principal }: Keyed): string =>
  // JSON marks where the principal ends, so that no principal's key can look like another's.
  `${principal === undefined ? "" : JSON.stringify(principal)} ${key}`

/**
 * The knowledge of a key. `Logged`: the entry at `index` has the outcome. `Expired`: it may have been done, and is
 * forgotten.
 */
export type Known =
  | {
      readonly _tag: "Kept"
      readonly index: number
      readonly fingerprint: string | undefined
      readonly command: string
      readonly outcome: KeptOutcome
    }
  | { readonly _tag: "Logged"; readonly index: number; readonly fingerprint: string | undefined }
  | { readonly _tag: "Expired" }

/**
 * A key that this log dates; undefined if the key is opaque to it. The dates of a node's own log and of the cluster's
 * count different entries. Before format 3 the cluster's log takes both.
 */
export const datedIn = (tables: Tables, key: string): DatedKey.DatedKey | undefined => {
  const dated = DatedKey.parse(key)
  if (dated === undefined || dated.isOfNode === tables.isOfNode) return dated
  return dated.isOfNode && !isFormatActive(tables, keyBuckets) ? dated : undefined
}

/** The outcome under a key, at that age of the log; undefined if there is none, or an opaque key has expired. */
export const find = (
  tables: Tables,
  keyed: Keyed,
  logAgeMs: number,
  dated = datedIn(tables, keyed.key)
): Known | undefined => {
  if (dated !== undefined) return findDated(tables, keyed, dated)
  const session = tables.sessions.get(isFormatActive(tables, keyBuckets) ? digestOf(nameOf(keyed)) : nameOf(keyed))
  if (session === undefined || isExpired(tables, session, logAgeMs)) return undefined
  const { command, fingerprint, index, outcome } = session
  return outcome === undefined
    ? { _tag: "Logged", index, fingerprint }
    : { _tag: "Kept", index, fingerprint, command, outcome: JSON.parse(outcome) }
}

const findDated = (tables: Tables, keyed: Keyed, { afterIndex }: DatedKey.DatedKey): Known | undefined => {
  const name = nameOf(keyed)
  const bucket = bucketOf(keyed.principal)
  const isBucketed = isFormatActive(tables, keyBuckets)
  const index = isBucketed
    ? DatedKeys.find(tables.datedKeys, { bucket, digest: digestOf(name), afterIndex })
    : AssignedKeys.find(tables.assignedKeys, name, afterIndex)
  if (index !== undefined) return { _tag: "Logged", index, fingerprint: undefined }
  const horizonIndex = isBucketed ? DatedKeys.horizonOf(tables.datedKeys, bucket) : tables.assignedKeys.horizonIndex
  // An entry with this key comes after its date, so only one up to the horizon can be forgotten.
  return afterIndex < horizonIndex ? { _tag: "Expired" } : undefined
}

/** Whether a request is the one that first came with this key. A dated key names its request itself. */
export const isCopy = (
  known: { readonly fingerprint: string | undefined },
  { fingerprint, key }: { readonly key: string; readonly fingerprint?: string }
): boolean => {
  const dated = DatedKey.parse(key)
  return dated === undefined
    ? known.fingerprint === fingerprint
    : fingerprint === undefined || DatedKey.isOf(dated, fingerprint)
}

/** A bucket of holders may have so many times what it leaves free. So one that floods leaves a quarter to others. */
const shareOfFree = 3

/** The refusal of a new opaque key that has no room at that age of the log. */
export const refusalOfNew = (tables: Tables, { principal }: Keyed, logAgeMs: number): Rejection | undefined => {
  const { keyCounts, limits, sessions } = tables
  const isBucketed = isFormatActive(tables, keyBuckets)
  const max = isBucketed ? keyLimitsOf(limits).opaqueKeysMax : limits.keysMax
  const oldest = oldestOf(tables)
  // The entry with the new key makes room.
  if (oldest !== undefined && isExpired(tables, oldest.session, logAgeMs)) return undefined
  if (sessions.size >= max) return { _tag: "KeysExhausted" }
  if (!isBucketed) return undefined
  const own = keyCounts.get(bucketOf(principal)) ?? 0
  return own < shareOfFree * (max - sessions.size) ? undefined : { _tag: "KeyQuota" }
}

/** For `evolve`: drops expired keys, then notes the outcome of a transaction with a key. */
export const note = (tables: Tables, index: number, transaction: Transaction, answer: () => Answer): void => {
  dropExpired(tables, transaction.logAgeMs)
  const keyed = keyedOf(transaction)
  if (keyed === undefined) return
  const name = nameOf(keyed)
  const bucket = bucketOf(keyed.principal)
  const isBucketed = isFormatActive(tables, keyBuckets)
  const held = isBucketed ? digestOf(name) : name
  const isDated = transaction.assignedKey !== undefined || datedIn(tables, keyed.key) !== undefined
  if (!isDated) noteSession(tables, held, { index, bucket: isBucketed ? bucket : undefined }, transaction, answer)
  else if (!isBucketed) AssignedKeys.note(tables.assignedKeys, { name, index }, tables.limits, hashOf(tables))
  else DatedKeys.note(tables.datedKeys, { bucket, digest: held, index }, keyLimitsOf(tables.limits), hashOf(tables))
}

const noteSession = (
  tables: Tables,
  name: string,
  { bucket, index }: { readonly index: number; readonly bucket: number | undefined },
  { command, fingerprint, logAgeMs, outcome }: Transaction,
  answer: () => Answer
): void => {
  const held = tables.sessions.get(name)
  if (held !== undefined) drop(tables, name, held)
  const whole = outcome._tag === "Accepted" ? ({ _tag: "Accepted", answer: answer() } as const) : outcome
  const text = JSON.stringify(whole)
  const bytes = Buffer.byteLength(text)
  const hasRoom =
    bytes <= tables.limits.outcomeMaxBytes &&
    (bucket === undefined || tables.outcomesBytes + bytes <= keyLimitsOf(tables.limits).outcomesMaxBytes)
  // A closed key is kept whatever the limit: otherwise a copy would be compared with a request that never was.
  const isKept = hasRoom || (whole._tag === "Rejected" && isKeyClosed(whole))
  const kept = { fingerprint, index, logAgeMs, command, outcome: isKept ? text : undefined }
  const session: Session = bucket === undefined ? kept : { ...kept, bucket }
  put(tables, name, session)
  count(tables, () => StateElements.session(name, session))
}

/** Forgets the outcome that the entry at `index` left. A copy is answered from that entry then. */
export const forgetOutcome = (tables: Tables, index: number): void => {
  const name = tables.sessionOrder.get(index)
  const held = name === undefined ? undefined : tables.sessions.get(name)
  if (name === undefined || held?.outcome === undefined) return
  drop(tables, name, held)
  const session: Session = { ...held, outcome: undefined }
  put(tables, name, session)
  count(tables, () => StateElements.session(name, session))
}

/** The most expired keys that one entry drops, from format 3 on: many may expire at once. */
const droppedMaxCount = 16

const dropExpired = (tables: Tables, logAgeMs: number): void => {
  const maxCount = isFormatActive(tables, keyBuckets) ? droppedMaxCount : Number.POSITIVE_INFINITY
  for (let dropped = 0; dropped < maxCount; dropped++) {
    const oldest = oldestOf(tables)
    if (oldest === undefined || !isExpired(tables, oldest.session, logAgeMs)) return
    drop(tables, oldest.name, oldest.session)
  }
}

/** Adds a session without its element of the state hash. */
export const put = (tables: Tables, name: string, session: Session): void => {
  tables.sessions.set(name, session)
  tables.sessionOrder.set(session.index, name)
  tally(tables, session, 1)
}

const drop = (tables: Tables, name: string, session: Session): void => {
  tables.sessions.delete(name)
  tables.sessionOrder.delete(session.index)
  tally(tables, session, -1)
  discount(tables, () => StateElements.session(name, session))
}

/** Counts the keys of each bucket, and the bytes of all outcomes. */
const tally = (tables: Tables, { bucket, outcome }: Session, by: 1 | -1): void => {
  if (bucket === undefined) return
  const held = (tables.keyCounts.get(bucket) ?? 0) + by
  if (held === 0) tables.keyCounts.delete(bucket)
  else tables.keyCounts.set(bucket, held)
  if (outcome !== undefined) tables.outcomesBytes += by * Buffer.byteLength(outcome)
}

/** Holds all keys as format 3 does, once it is active. Each bucket has the horizon that all of them had together. */
export const bucketAll = (tables: Tables): void => {
  const opaque = [...tables.sessions.entries()]
  for (const [name, session] of opaque) drop(tables, name, session)
  for (const [name, session] of opaque) {
    const digest = digestOf(name)
    const bucketed = { ...session, bucket: bucketOf(principalIn(name)) }
    put(tables, digest, bucketed)
    count(tables, () => StateElements.session(digest, bucketed))
  }
  const hash = hashOf(tables)
  const dated = [...AssignedKeys.entries(tables.assignedKeys)]
  const { horizonIndex } = tables.assignedKeys
  AssignedKeys.forgetAll(tables.assignedKeys, hash)
  tables.datedKeys.floorIndex = horizonIndex
  count(tables, () => StateElements.horizonFloor(horizonIndex))
  for (const { index, name } of dated) {
    const key = { bucket: bucketOf(principalIn(name)), digest: digestOf(name), index }
    DatedKeys.note(tables.datedKeys, key, keyLimitsOf(tables.limits), hash)
  }
}

/** The principal in a name ({@link nameOf}). */
const principalIn = (name: string): string | undefined => {
  const [text] = /^"(?:[^"\\]|\\.)*"/.exec(name) ?? []
  return text === undefined ? undefined : JSON.parse(text)
}

const oldestOf = (tables: Tables): { readonly name: string; readonly session: Session } | undefined => {
  const index = tables.sessionOrder.minKey()
  const name = index === undefined ? undefined : tables.sessionOrder.get(index)
  const session = name === undefined ? undefined : tables.sessions.get(name)
  return name === undefined || session === undefined ? undefined : { name, session }
}

const isExpired = ({ limits }: Tables, session: Session, logAgeMs: number): boolean =>
  logAgeMs - session.logAgeMs > limits.keyLifetimeMs
