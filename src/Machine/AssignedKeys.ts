/**
 * The latest of the keys that nodes assigned, and the index of the entry of each. Pure but for what it owns. C17.
 * They are held in generations, and the oldest is forgotten as a whole: every write notes a key, and that must cost no
 * more than an entry of a map, however many are held.
 *
 * Clones share the maps. Each sees in them no more than what it noted, by count and by index, and goes on in a copy once
 * another has gone on in the map that they share.
 */
import type { Limits } from "./Limits.ts"
import * as StateElements from "./StateElements.ts"
import * as StateHash from "./StateHash.ts"

/** Names and indexes in the order of their entries; not changed any more. */
interface Generation {
  readonly indexes: ReadonlyMap<string, number>
  readonly lastIndex: number
  /** Of all of them, so that they leave the state's hash in one step. */
  readonly hash: StateHash.StateHash
}

/** How many are held: by the log, since forgetting is part of the state (Limits.ts). */
export type Bounds = Pick<Limits, "generationSize" | "generationsMax">

export interface AssignedKeys {
  /** Full, oldest first. */
  full: ReadonlyArray<Generation>
  /** The first `openCount` of it, of indexes up to `lastIndex`. */
  open: Map<string, number>
  openCount: number
  openHash: StateHash.StateHash
  lastIndex: number
  /** The index of the last entry whose key is forgotten; 0 if none is. */
  horizonIndex: number
}

/** None yet. */
export const make = (): AssignedKeys => ({
  full: [],
  open: new Map(),
  openCount: 0,
  openHash: StateHash.make(),
  lastIndex: 0,
  horizonIndex: 0
})

/** The same, to go on by itself. */
export const clone = (keys: AssignedKeys): AssignedKeys => ({ ...keys, openHash: StateHash.clone(keys.openHash) })

/** The index of the entry of a key, while it is held; it is none that is not after `afterIndex`. */
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
 * A key has its entry at `index`, above all before. The key becomes an element of the state's `hash`, if one is kept: in
 * all calls for the same keys, or in none.
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

/** Holds a key in the generation that fills. Of a snapshot too, which says where each generation ends. */
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

/** An element of the state, and of the generation with which it leaves. */
const count = (keys: AssignedKeys, text: string, hash: StateHash.StateHash): void => {
  const element = StateHash.of(text)
  StateHash.plus(hash, element)
  StateHash.plus(keys.openHash, element)
}

/** All that are held, in the order of their entries, and whether a generation ends with one. */
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
