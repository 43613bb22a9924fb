/**
 * The ids that one value of an index names, in order. Pure. One id is kept as it is, few in an array, many in blocks: most
 * values of a unique field name one id, and all values of a status name many. A set never changes; a change makes
 * another one, which shares what it can.
 */
import * as Blocks from "./Blocks.ts"

/** At least one id. */
export type IdSet = string | ReadonlyArray<string> | Blocks.Blocks<ReadonlyArray<string>>

/** More ids than one block holds are in several. */
const fewMax = Blocks.blockMax

const kind: Blocks.Kind<ReadonlyArray<string>> = {
  idsOf: (ids) => ids,
  partOf: (ids, begin, end) => ids.slice(begin, end),
  joined: (lower, upper) => [...lower, ...upper]
}

/** A set of ids that are in order and distinct. */
export const ofSorted = (ids: ReadonlyArray<string>): IdSet => {
  if (ids.length === 1) return ids[0]!
  if (ids.length <= fewMax) return ids
  const [first = [], ...others] = cut(ids)
  return Blocks.make(kind, [first, ...others])
}

const cut = (ids: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> =>
  Array.from({ length: Math.ceil(ids.length / fewMax) }, (_, at) => ids.slice(at * fewMax, (at + 1) * fewMax))

/** The set with one id more. */
export const add = (ids: IdSet | undefined, id: string): IdSet => {
  if (ids === undefined) return id
  if (typeof ids === "string") return ids === id ? ids : ids < id ? [ids, id] : [id, ids]
  if (isFew(ids)) {
    const at = Blocks.positionOf(ids, id)
    return ids[at] === id ? ids : ofSorted(ids.toSpliced(at, 0, id))
  }
  const [key, block] = Blocks.blockOf(ids, id)
  const at = Blocks.positionOf(block, id)
  if (block[at] === id) return ids
  const next = ids.clone()
  Blocks.grow(next, kind, key, block.toSpliced(at, 0, id), at)
  return next
}

/** The set without an id; undefined if nothing is left. */
export const remove = (ids: IdSet | undefined, id: string): IdSet | undefined => {
  if (ids === undefined || ids === id) return undefined
  if (typeof ids === "string") return ids
  if (isFew(ids)) {
    const at = Blocks.positionOf(ids, id)
    return ids[at] === id ? ofSorted(ids.toSpliced(at, 1)) : ids
  }
  const [key, block] = Blocks.blockOf(ids, id)
  const at = Blocks.positionOf(block, id)
  if (block[at] !== id) return ids
  const next = ids.clone()
  Blocks.shrink(next, kind, key, block.toSpliced(at, 1))
  if (next.size > 2) return next
  // A set between the two sizes stays what it is, so that one that grows and shrinks there is not remade each time.
  const rest = next.valuesArray().flat()
  return rest.length > fewMax / 2 ? next : ofSorted(rest)
}

/** The ids in a direction, after one of them or from the first. */
export function* walk(ids: IdSet, direction: "asc" | "desc", afterId?: string): Generator<string> {
  if (typeof ids === "string") {
    const isAfter = afterId === undefined || (direction === "asc" ? ids > afterId : ids < afterId)
    if (isAfter) yield ids
    return
  }
  const blocks = isFew(ids) ? [stretchOf(ids, direction, afterId)] : Blocks.walk(ids, kind, direction, afterId)
  for (const { begin, block, end } of blocks) {
    for (let step = 0; step < end - begin; step++) {
      const id = block[direction === "asc" ? begin + step : end - 1 - step]!
      if (id !== afterId) yield id
    }
  }
}

/** The part of few ids that a walk meets. */
const stretchOf = (
  ids: ReadonlyArray<string>,
  direction: "asc" | "desc",
  afterId: string | undefined
): Blocks.Stretch<ReadonlyArray<string>> => {
  if (afterId === undefined) return { block: ids, begin: 0, end: ids.length }
  const at = Blocks.positionOf(ids, afterId)
  if (direction === "asc") return { block: ids, begin: at, end: ids.length }
  return { block: ids, begin: 0, end: at }
}

const isFew = (ids: Exclude<IdSet, string>): ids is ReadonlyArray<string> => Array.isArray(ids)
