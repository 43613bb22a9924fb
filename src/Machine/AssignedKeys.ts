/**
 * The latest dated keys (DatedKey.ts) that a log of format 1 or 2 remembers, each with the index of its entry. Pure but for
 * what it owns. C17. From format 3 on it is empty: DatedKeys.ts holds them. Every write notes a key, so keys are held in
 * generations, and the oldest generation is forgotten as a whole.
 *
 * Clones share the maps. A clone sees only the keys that it noted itself, by their count and index. Once another clone
 * has added to the shared map, it goes on in a copy.
 */
import type { Limits } from "./Limits.ts"
import * as StateElements from "./StateElements.ts"
import * as StateHash from "./StateHash.ts"

/** A full generation, which changes no more: names and indexes in the order of their entries. */
interface Generation {
  readonly indexes: ReadonlyMap<string, number>
  readonly lastIndex: number
  /** The hash of all its elements, so that they leave the state's hash in one step. */
  readonly hash: StateHash.StateHash
}

/** How many keys are held. The log says so, since forgetting is part of the state (Limits.ts). */
export type Bounds = Pick<Limits, "generationSize" | "generationsMax">

export interface AssignedKeys {
  /** Full, oldest first. */
  full: ReadonlyArray<Generation>
  /** The generation that fills: the first `openCount` keys of it, with indexes up to `lastIndex`. */
  open: Map<string, number>
  openCount: number
  openHash: StateHash.StateHash
  lastIndex: number
  /** The index of the last entry whose key is forgotten; 0 if none is. */
  horizonIndex: number
}

/** No keys. */
export const make = (): AssignedKeys => ({
  full: [],
  open: new Map(),
  openCount: 0,
  openHash: StateHash.make(),
  lastIndex: 0,
  horizonIndex: 0
})

/** A copy that changes independently. */
export const clone = (keys: AssignedKeys): AssignedKeys => ({ ...keys, openHash: StateHash.clone(keys.openHash) })

/** The index of a key's entry, undefined if the key is not held. The entry must come after `afterIndex`. */
export const find = (keys: AssignedKeys, name: string, afterIndex: number): number | undefined => {
  const index = findOpen(keys, name)
  if (index !== undefined) return index
  for (let at = keys.full.length - 1; at >= 0 && keys.full[at]!.lastIndex > afterIndex; at--) {
    const found = keys.full[at]!.indexes.get(name)
    if (found !== undefined) return found
  }
  return undefined
}

const findOpen = ({ lastIndex, open }: AssignedKeys, name: string): number | undefined => {
  const index = open.get(name)
  return index !== undefined && index <= lastIndex ? index : undefined
}

/**
 * Notes a key with its entry at `index`, which is above all before. If a `hash` of the state is kept, the key becomes one
 * of its elements; pass it in all calls for the same keys, or in none.
 */
export const note = (
  keys: AssignedKeys,
  { index, name }: { readonly name: string; readonly index: number },
  { generationSize, generationsMax }: Bounds,
  hash: StateHash.StateHash | undefined
): void => {
  if (findOpen(keys, name) !== undefined) return
  hold(keys, name, index, hash)
  if (keys.openCount < generationSize) return
  endGeneration(keys, hash)
  while (keys.full.length > generationsMax) forgetOldest(keys, hash)
}

/** Holds a key in the generation that fills. A restore uses it too: a snapshot says where each generation ends. */
export const hold = (keys: AssignedKeys, name: string, index: number, hash: StateHash.StateHash | undefined): void => {
  if (keys.open.size !== keys.openCount) keys.open = new Map(firstOf(keys.open, keys.openCount))
  keys.open.set(name, index)
  keys.openCount++
  keys.lastIndex = index
  if (hash !== undefined) count(keys, StateElements.assignedKey(name, index), hash)
}

/** Ends the generation that fills. */
export const endGeneration = (keys: AssignedKeys, hash: StateHash.StateHash | undefined): void => {
  if (hash !== undefined) count(keys, StateElements.generation(keys.lastIndex), hash)
  keys.full = [...keys.full, { indexes: keys.open, lastIndex: keys.lastIndex, hash: keys.openHash }]
  keys.open = new Map()
  keys.openCount = 0
  keys.openHash = StateHash.make()
}

const forgetOldest = (keys: AssignedKeys, hash: StateHash.StateHash | undefined): void => {
  const [oldest, ...others] = keys.full
  if (oldest === undefined) return
  if (hash !== undefined) {
    StateHash.minus(hash, oldest.hash)
    StateHash.remove(hash, StateElements.horizon(keys.horizonIndex))
    StateHash.add(hash, StateElements.horizon(oldest.lastIndex))
  }
  keys.full = others
  keys.horizonIndex = oldest.lastIndex
}

/** Forgets all keys, and has no horizon any more. */
export const forgetAll = (keys: AssignedKeys, hash: StateHash.StateHash | undefined): void => {
  if (hash !== undefined) {
    for (const generation of keys.full) StateHash.minus(hash, generation.hash)
    StateHash.minus(hash, keys.openHash)
    StateHash.remove(hash, StateElements.horizon(keys.horizonIndex))
    StateHash.add(hash, StateElements.horizon(0))
  }
  Object.assign(keys, make())
}

/** Counts an element of the state, and of the generation with which it will leave. */
const count = (keys: AssignedKeys, text: string, hash: StateHash.StateHash): void => {
  const element = StateHash.of(text)
  StateHash.plus(hash, element)
  StateHash.plus(keys.openHash, element)
}

/** All keys in the order of their entries, and whether a generation ends with one. */
export function* entries(
  keys: AssignedKeys
): Generator<{ readonly name: string; readonly index: number; readonly endsGeneration: boolean }> {
  for (const { indexes, lastIndex } of keys.full) {
    for (const [name, index] of indexes) yield { name, index, endsGeneration: index === lastIndex }
  }
  for (const [name, index] of firstOf(keys.open, keys.openCount)) yield { name, index, endsGeneration: false }
}

function* firstOf<K, V>(map: ReadonlyMap<K, V>, count: number): Generator<readonly [K, V]> {
  let left = count
  for (const entry of map) {
    if (left-- === 0) return
    yield entry
  }
}
