/** An ordered map with a constant-time, copy-on-write clone. Pure. D5. */
import type * as SortedBTree from "sorted-btree"
import { EmptyBTree } from "sorted-btree"
import { bulkLoad } from "sorted-btree/extended/bulkLoad.js"

/** Keys are in the order that the map was made with. */
export type OrderedMap<K, V> = SortedBTree.default<K, V>

/** The class is reached through an instance: Node, Bun and Deno disagree on the default export of a CommonJS package. */
const Tree = EmptyBTree.constructor as unknown as new <K, V>(
  entries: undefined,
  compare: (a: K, b: K) => number
) => OrderedMap<K, V>

const compareScalars = (a: string | number, b: string | number): number => (a < b ? -1 : a > b ? 1 : 0)

/** An empty map, whose keys are all strings, ordered by code unit, or all numbers. */
export const make = <K extends string | number, V>(): OrderedMap<K, V> => new Tree<K, V>(undefined, compareScalars)

/** An empty map in an order of its own, which must be total. */
export const makeBy = <K, V>(compare: (a: K, b: K) => number): OrderedMap<K, V> => new Tree<K, V>(undefined, compare)

/** As many keys as a node of a map holds. */
const nodeSize = 32

/** A map of keys that are strings or numbers, distinct and in order, in a tenth of the time that adding each would take. */
export const ofSorted = <K extends string | number, V>(
  keys: ReadonlyArray<K>,
  values: ReadonlyArray<V>
): OrderedMap<K, V> => ofSortedBy(keys, values, compareScalars)

/** The same in an order of its own. */
export const ofSortedBy = <K, V>(
  keys: ReadonlyArray<K>,
  values: ReadonlyArray<V>,
  compare: (a: K, b: K) => number
): OrderedMap<K, V> => bulkLoad(keys as Array<K>, values as Array<V>, nodeSize, compare, 1)
