/**
 * Things by id, in blocks of some dozens that lie side by side: a tree holds the blocks, each under the least id that may
 * be in it. Pure. A block never changes, so a change copies one block and the path to it. It takes half of the memory of
 * a tree whose leaves hold an id and a thing each.
 */
import { invariant } from "../Invariant.ts"
import * as OrderedMap from "./OrderedMap.ts"

/** Blocks in the order of their ids. Owned and changed in place; a clone of the tree changes independently. */
export type Blocks<B> = OrderedMap.OrderedMap<string, B>

/** How blocks of one kind are cut and joined. */
export interface Kind<B> {
  readonly idsOf: (block: B) => ReadonlyArray<string>
  /** The part from one position to before another. */
  readonly partOf: (block: B, begin: number, end: number) => B
  /** Two neighbours as one block, if they can be one. */
  readonly joined: (lower: B, upper: B) => B | undefined
}

/** A block of so many is full. */
export const blockMax = 64
/** A block of so few is joined to a neighbour, if both fill no more than half a block. */
const fewMax = blockMax / 4

/** No id comes before it: the first block stands under it, also if nothing is in it. */
const firstId = ""

/** A tree of blocks, of which all but the first have ids. */
export const make = <B>({ idsOf }: Pick<Kind<B>, "idsOf">, blocks: readonly [B, ...Array<B>]): Blocks<B> =>
  OrderedMap.ofSorted(
    blocks.map((block, at) => (at === 0 ? firstId : idsOf(block)[0]!)),
    blocks
  )

/** The block that an id is in, or would be in, with its key. */
export const blockOf = <B>(blocks: Blocks<B>, id: string): readonly [string, B] => {
  const found = blocks.getPairOrNextLower(id)
  invariant(found !== undefined, "a tree of blocks has no first one")
  return found
}

/** Where an id is among ids, or would be. */
export const positionOf = (ids: ReadonlyArray<string>, id: string): number => {
  let low = 0
  let high = ids.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ids[middle]! < id) low = middle + 1
    else high = middle
  }
  return low
}

/** Sets a block that has got one more, at a position. */
export const grow = <B>(blocks: Blocks<B>, { idsOf, partOf }: Kind<B>, key: string, block: B, at: number): void => {
  const ids = idsOf(block)
  const count = ids.length
  if (count <= blockMax) {
    blocks.set(key, block)
    return
  }
  // Ids that come in order fill one block after another.
  const cut = at === count - 1 ? at : count >>> 1
  blocks.set(key, partOf(block, 0, cut))
  blocks.set(ids[cut]!, partOf(block, cut, count))
}

/** Sets a block that has lost one. */
export const shrink = <B>(blocks: Blocks<B>, { idsOf, joined }: Kind<B>, key: string, block: B): void => {
  const count = idsOf(block).length
  if (count === 0 && key !== firstId) {
    blocks.delete(key)
    return
  }
  blocks.set(key, block)
  if (count > fewMax) return
  const fits = (other: B) => count + idsOf(other).length <= blockMax / 2
  const lower = blocks.nextLowerPair(key)
  const below = lower !== undefined && fits(lower[1]) ? joined(lower[1], block) : undefined
  if (lower !== undefined && below !== undefined) {
    blocks.delete(key)
    blocks.set(lower[0], below)
    return
  }
  const upper = blocks.nextHigherPair(key)
  const above = upper !== undefined && fits(upper[1]) ? joined(block, upper[1]) : undefined
  if (upper !== undefined && above !== undefined) {
    blocks.delete(upper[0])
    blocks.set(key, above)
  }
}

/** A block of {@link walk}, with the positions in it from `begin` to before `end`. */
export interface Stretch<B> {
  readonly block: B
  readonly begin: number
  readonly end: number
}

/** The blocks with their ids in a direction: from an id on, or from the end where the direction begins. */
export function* walk<B>(
  blocks: Blocks<B>,
  { idsOf }: Pick<Kind<B>, "idsOf">,
  direction: "asc" | "desc",
  fromId?: string
): Generator<Stretch<B>> {
  if (direction === "asc") {
    const from = fromId === undefined ? undefined : blockOf(blocks, fromId)[0]
    for (const [, block] of blocks.entries(from)) {
      const ids = idsOf(block)
      const begin = fromId !== undefined && ids.length > 0 && ids[0]! < fromId ? positionOf(ids, fromId) : 0
      yield { block, begin, end: ids.length }
    }
    return
  }
  for (const [, block] of blocks.entriesReversed(fromId)) {
    const ids = idsOf(block)
    const last = ids[ids.length - 1]
    if (fromId === undefined || last === undefined || last <= fromId) yield { block, begin: 0, end: ids.length }
    else {
      const at = positionOf(ids, fromId)
      yield { block, begin: 0, end: ids[at] === fromId ? at + 1 : at }
    }
  }
}
