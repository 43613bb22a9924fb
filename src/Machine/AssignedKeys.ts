/**
 * The latest of the keys that nodes assigned, and the index of the entry of each. Pure but for what it owns. RAFT.md C17.
 * They are held in generations, and the oldest is forgotten as a whole: every write notes a key, and that must cost no
 * more than an entry of a map, however many are held.
 *
 * Clones share the maps. Each sees in them no more than what it noted, by count and by index, and goes on in a copy once
 * another has gone on in the map that they share.
 */
import * as StateHash from "./StateHash.ts"

/** Names and indexes in the order of their entries; not changed any more. */
interface Generation {
  readonly indexes: ReadonlyMap<string, number>
  readonly lastIndex: number
  /** Of all of them, so that they leave the state's hash in one step. */
  readonly hash: StateHash.StateHash
}

/** How many are held: equal on all nodes, since forgetting is part of the state. */
export interface Bounds {
  readonly generationSize: number
  /** Full generations that are held besides the one that fills. */
  readonly generationsMax: number
}

/**
 * 50,000 at least. At 5,000 writes a second they reach back ten seconds: four times as long as a request may take until
 * its client is told that its outcome is unknown.
 */
export const defaultBounds: Bounds = { generationSize: 5_000, generationsMax: 10 }

export interface AssignedKeys {
  readonly bounds: Bounds
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
export const make = (bounds: Bounds = defaultBounds): AssignedKeys => ({
  bounds,
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

/** A key has its entry at `index`, above all before. `hash` is that of the state, of which the key becomes an element. */
export const note = (keys: AssignedKeys, name: string, index: number, hash: StateHash.StateHash): void => {
  if (findOpen(keys, name) !== undefined) return
  if (keys.open.size !== keys.openCount) keys.open = new Map(firstOf(keys.open, keys.openCount))
  keys.open.set(name, index)
  keys.openCount++
  keys.lastIndex = index
  const element = StateHash.of(`assigned ${index} ${name}`)
  StateHash.plus(hash, element)
  StateHash.plus(keys.openHash, element)
  if (keys.openCount < keys.bounds.generationSize) return
  keys.full = [...keys.full, { indexes: keys.open, lastIndex: index, hash: keys.openHash }]
  keys.open = new Map()
  keys.openCount = 0
  keys.openHash = StateHash.make()
  const [oldest, ...others] = keys.full
  if (oldest === undefined || others.length < keys.bounds.generationsMax) return
  StateHash.minus(hash, oldest.hash)
  keys.full = others
  keys.horizonIndex = oldest.lastIndex
}

/** All that are held, in the order of their entries: noted one after another they make the same generations again. */
export function* entries(keys: AssignedKeys): Generator<readonly [name: string, index: number]> {
  for (const { indexes } of keys.full) yield* indexes
  yield* firstOf(keys.open, keys.openCount)
}

function* firstOf<K, V>(map: ReadonlyMap<K, V>, count: number): Generator<readonly [K, V]> {
  let left = count
  for (const entry of map) {
    if (left-- === 0) return
    yield entry
  }
}
