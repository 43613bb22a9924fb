/**
 * The dated keys (DatedKey.ts) that a log of format 3 remembers, each with the index of its entry. Pure but for what it
 * owns. C17. Every write notes one, so that must cost no more than an entry of a map, however many there are.
 *
 * Each bucket of holders (KeyDigest.ts) has its keys in generations. Over the bound, the largest bucket forgets its oldest
 * generation as a whole. The index of the last key that a bucket has forgotten is its horizon: a key of that bucket which
 * is not held, and was made before the horizon, may have been done. So a holder that floods the memory makes keys of its
 * own bucket expire, and no others.
 *
 * Clones share buckets until they change one: a bucket is changed in place by its owner alone, since every write of a
 * cluster notes a key. They share the maps in them even longer. A clone sees only the keys that it noted itself, by their
 * count and index. Once another clone has added to the shared map, it goes on in a copy.
 */
import type { KeyLimits } from "./Limits.ts"
import * as OrderedMap from "./OrderedMap.ts"
import * as StateElements from "./StateElements.ts"
import * as StateHash from "./StateHash.ts"

/** A full generation, which changes no more: digests and indexes in the order of their entries. */
interface Generation {
  readonly indexes: ReadonlyMap<string, number>
  readonly lastIndex: number
  /** The hash of all its elements, so that they leave the state's hash in one step. */
  readonly hash: StateHash.StateHash
}

/** The {@link DatedKeys} that may change a bucket, from one clone to the next. It is compared, and has no content. */
type Owner = object

/** The keys of some holders. */
interface Bucket {
  readonly owner: Owner
  /** Full, oldest first. */
  full: ReadonlyArray<Generation>
  /** The generation that fills: the first `openCount` keys of it, with indexes up to `lastIndex`. */
  open: Map<string, number>
  openCount: number
  openHash: StateHash.StateHash
  lastIndex: number
  /** The number of keys in all generations. */
  count: number
  /** The index of the last entry whose key is forgotten; 0 if none is. */
  horizonIndex: number
}

export interface DatedKeys {
  readonly buckets: OrderedMap.OrderedMap<number, Bucket>
  /** Owns the buckets that are not shared with a clone. */
  owner: Owner
  /** The number of keys in all buckets. */
  count: number
  /** No bucket's horizon is below it: a log of an older format had one horizon for all. */
  floorIndex: number
}

/** A key as it is held. */
export interface HeldKey {
  readonly bucket: number
  readonly digest: string
  readonly index: number
}

/** No keys. */
export const make = (floorIndex = 0): DatedKeys => ({ buckets: OrderedMap.make(), owner: {}, count: 0, floorIndex })

/** A copy that changes independently. From now on neither owns the buckets that both have. */
export const clone = (keys: DatedKeys): DatedKeys => {
  keys.owner = {}
  return { ...keys, owner: {}, buckets: keys.buckets.clone() }
}

const noBucket = (owner: Owner): Bucket => ({
  owner,
  full: [],
  open: new Map(),
  openCount: 0,
  openHash: StateHash.make(),
  lastIndex: 0,
  count: 0,
  horizonIndex: 0
})

/** A bucket, to change it. */
const bucketToChange = ({ buckets, owner }: DatedKeys, bucket: number): Bucket => {
  const held = buckets.get(bucket)
  if (held?.owner === owner) return held
  const own = held === undefined ? noBucket(owner) : { ...held, owner, openHash: StateHash.clone(held.openHash) }
  buckets.set(bucket, own)
  return own
}

/** The index of a key's entry, undefined if the key is not held. The entry must come after `afterIndex`. */
export const find = (
  keys: DatedKeys,
  { afterIndex, bucket, digest }: { readonly bucket: number; readonly digest: string; readonly afterIndex: number }
): number | undefined => {
  const held = keys.buckets.get(bucket)
  if (held === undefined) return undefined
  const index = findOpen(held, digest)
  if (index !== undefined) return index
  for (let at = held.full.length - 1; at >= 0 && held.full[at]!.lastIndex > afterIndex; at--) {
    const found = held.full[at]!.indexes.get(digest)
    if (found !== undefined) return found
  }
  return undefined
}

const findOpen = ({ lastIndex, open }: Bucket, digest: string): number | undefined => {
  const index = open.get(digest)
  return index !== undefined && index <= lastIndex ? index : undefined
}

/** The index up to which keys of a bucket are forgotten. */
export const horizonOf = (keys: DatedKeys, bucket: number): number =>
  Math.max(keys.floorIndex, keys.buckets.get(bucket)?.horizonIndex ?? 0)

/** The most generations that one entry makes a log forget: two, so that an excess goes little by little. */
const forgottenMaxCount = 2

/**
 * Notes a key with its entry, whose index is above all before. If a `hash` of the state is kept, the key becomes one of its
 * elements; pass it in all calls for the same keys, or in none.
 */
export const note = (keys: DatedKeys, key: HeldKey, limits: KeyLimits, hash: StateHash.StateHash | undefined): void => {
  const own = bucketToChange(keys, key.bucket)
  if (findOpen(own, key.digest) !== undefined) return
  holdIn(keys, own, key, hash)
  if (own.openCount >= generationSizeOf(own.count, limits)) endGenerationOf(own, key.bucket, hash)
  for (let forgotten = 0; forgotten < forgottenMaxCount && keys.count > limits.datedKeysMax; forgotten++) {
    forgetOldest(keys, hash)
  }
}

/** The parts of a bucket, and of the bound, that a generation is: so a bucket forgets a small part of itself at once. */
const generationsPerBucket = 16
const leastGenerationsInAll = 16_384

const generationSizeOf = (count: number, { datedGenerationSize, datedKeysMax }: KeyLimits): number =>
  Math.min(
    datedGenerationSize,
    Math.max(1, Math.floor(datedKeysMax / leastGenerationsInAll), Math.ceil(count / generationsPerBucket))
  )

/** Holds a key in the generation that fills. A restore uses it too: a snapshot says where each generation ends. */
export const hold = (keys: DatedKeys, key: HeldKey, hash: StateHash.StateHash | undefined): void =>
  holdIn(keys, bucketToChange(keys, key.bucket), key, hash)

const holdIn = (
  keys: DatedKeys,
  own: Bucket,
  { bucket, digest, index }: HeldKey,
  hash: StateHash.StateHash | undefined
): void => {
  if (own.open.size !== own.openCount) own.open = new Map(firstOf(own.open, own.openCount))
  own.open.set(digest, index)
  own.openCount++
  own.lastIndex = index
  own.count++
  keys.count++
  if (hash !== undefined) StateHash.addToBoth(hash, own.openHash, StateElements.datedKey(bucket, digest, index))
}

/** Ends the generation of a bucket that fills. */
export const endGeneration = (keys: DatedKeys, bucket: number, hash: StateHash.StateHash | undefined): void => {
  if (keys.buckets.has(bucket)) endGenerationOf(bucketToChange(keys, bucket), bucket, hash)
}

const endGenerationOf = (own: Bucket, bucket: number, hash: StateHash.StateHash | undefined): void => {
  const { full, lastIndex, open, openHash } = own
  if (hash !== undefined) StateHash.addToBoth(hash, openHash, StateElements.datedGeneration(bucket, lastIndex))
  own.full = [...full, { indexes: open, lastIndex, hash: openHash }]
  own.open = new Map()
  own.openCount = 0
  own.openHash = StateHash.make()
}

/** Sets the horizon of a bucket, when it is restored. */
export const setHorizon = (
  keys: DatedKeys,
  { bucket, horizonIndex }: { readonly bucket: number; readonly horizonIndex: number },
  hash: StateHash.StateHash
): void => {
  bucketToChange(keys, bucket).horizonIndex = horizonIndex
  StateHash.add(hash, StateElements.bucketHorizon(bucket, horizonIndex))
}

/** Has the largest bucket forget its oldest generation. Of two that are equally large, the first forgets. */
const forgetOldest = (keys: DatedKeys, hash: StateHash.StateHash | undefined): void => {
  const bucket = largestOf(keys)
  const own = bucketToChange(keys, bucket)
  const [oldest, ...others] = own.full
  const forgotten = oldest ?? { indexes: { size: own.openCount }, hash: own.openHash, lastIndex: own.lastIndex }
  if (hash !== undefined) {
    StateHash.minus(hash, forgotten.hash)
    if (own.horizonIndex > 0) StateHash.remove(hash, StateElements.bucketHorizon(bucket, own.horizonIndex))
    StateHash.add(hash, StateElements.bucketHorizon(bucket, forgotten.lastIndex))
  }
  if (oldest === undefined) {
    own.open = new Map()
    own.openCount = 0
    own.openHash = StateHash.make()
  } else own.full = others
  own.count -= forgotten.indexes.size
  own.horizonIndex = forgotten.lastIndex
  keys.count -= forgotten.indexes.size
}

const largestOf = ({ buckets }: DatedKeys): number => {
  let largest = 0
  let count = 0
  for (const [bucket, each] of buckets.entries()) {
    if (each.count <= count) continue
    largest = bucket
    count = each.count
  }
  return largest
}

/** The horizons of buckets that have forgotten keys. */
export function* horizons(keys: DatedKeys): Generator<{ readonly bucket: number; readonly horizonIndex: number }> {
  for (const [bucket, { horizonIndex }] of keys.buckets.entries()) {
    if (horizonIndex > 0) yield { bucket, horizonIndex }
  }
}

/** All keys, bucket after bucket, those of one in the order of their entries, and whether a generation ends with one. */
export function* entries(keys: DatedKeys): Generator<HeldKey & { readonly endsGeneration: boolean }> {
  for (const [bucket, { full, open, openCount }] of keys.buckets.entries()) {
    for (const { indexes, lastIndex } of full) {
      for (const [digest, index] of indexes) yield { bucket, digest, index, endsGeneration: index === lastIndex }
    }
    for (const [digest, index] of firstOf(open, openCount)) yield { bucket, digest, index, endsGeneration: false }
  }
}

function* firstOf<K, V>(map: ReadonlyMap<K, V>, count: number): Generator<readonly [K, V]> {
  let left = count
  for (const entry of map) {
    if (left-- === 0) return
    yield entry
  }
}
