/**
 * The ids that one value of an index names, in order. Pure. One id is kept as it is, few in an array, many in a tree: most
 * values of a unique field name one id, and all values of a status name many. A set never changes; a change makes
 * another one, which shares what it can.
 */
import * as OrderedMap from "./OrderedMap.ts"

/** At least one id. */
export type IdSet = string | ReadonlyArray<string> | OrderedMap.OrderedMap<string, undefined>

/** From here on an array would cost more to copy than the path of a tree. */
const fewMax = 32

/** A set of ids that are in order and distinct. */
export const ofSorted = (ids: ReadonlyArray<string>): IdSet => {
  if (ids.length === 1) return ids[0]!
  return ids.length <= fewMax ? ids : OrderedMap.ofSorted(ids, new Array<undefined>(ids.length))
}

/** The set with one id more. */
export const add = (ids: IdSet | undefined, id: string): IdSet => {
  if (ids === undefined) return id
  if (typeof ids === "string") return ids === id ? ids : ids < id ? [ids, id] : [id, ids]
  if (!isFew(ids)) {
    const tree = ids.clone()
    tree.set(id, undefined)
    return tree
  }
  const at = indexOf(ids, id)
  return ids[at] === id ? ids : ofSorted(ids.toSpliced(at, 0, id))
}

/** The set without an id; undefined if nothing is left. */
export const remove = (ids: IdSet | undefined, id: string): IdSet | undefined => {
  if (ids === undefined || ids === id) return undefined
  if (typeof ids === "string") return ids
  if (isFew(ids)) {
    const at = indexOf(ids, id)
    return ids[at] === id ? ofSorted(ids.toSpliced(at, 1)) : ids
  }
  const tree = ids.clone()
  tree.delete(id)
  // A set between the two sizes stays what it is, so that one that grows and shrinks there is not remade each time.
  return tree.size > fewMax / 2 ? tree : ofSorted(tree.keysArray())
}

/** The ids in a direction, after one of them or from the first. */
export function* walk(ids: IdSet, direction: "asc" | "desc", afterId?: string): Generator<string> {
  const isAfter = (id: string) => afterId === undefined || (direction === "asc" ? id > afterId : id < afterId)
  if (typeof ids === "string") {
    if (isAfter(ids)) yield ids
  } else if (isFew(ids)) {
    for (const id of direction === "asc" ? ids : ids.toReversed()) if (isAfter(id)) yield id
  } else {
    for (const [id] of direction === "asc" ? ids.entries(afterId) : ids.entriesReversed(afterId)) {
      if (isAfter(id)) yield id
    }
  }
}

const isFew = (ids: Exclude<IdSet, string>): ids is ReadonlyArray<string> => Array.isArray(ids)

/** Where an id is, or would be. */
const indexOf = (ids: ReadonlyArray<string>, id: string): number => {
  let low = 0
  let high = ids.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ids[middle]! < id) low = middle + 1
    else high = middle
  }
  return low
}
