/**
 * The rows of a table by id, in the order of ids, with a constant-time, copy-on-write clone. Pure. D5.
 * They are in blocks (Blocks.ts, RowBlock.ts). A page of a snapshot is a block as it was read; the first change of one of
 * its rows cuts it into blocks that have the records as they are.
 */
import * as Blocks from "./Blocks.ts"
import type { Row } from "./Row.ts"
import * as RowBlock from "./RowBlock.ts"

const kind: Blocks.Kind<RowBlock.RowBlock> = {
  idsOf: ({ ids }) => ids,
  partOf: RowBlock.partOf,
  joined: (lower, upper) =>
    RowBlock.isListed(lower) && RowBlock.isListed(upper) ? RowBlock.joined(lower, upper) : undefined
}

/** Rows by id. Owned and changed in place. */
export class RowMap {
  /** The number of rows. */
  size: number
  private readonly blocks: Blocks.Blocks<RowBlock.RowBlock>

  constructor(blocks: Blocks.Blocks<RowBlock.RowBlock>, size: number) {
    this.blocks = blocks
    this.size = size
  }

  /** A copy that changes independently. */
  clone(): RowMap {
    return new RowMap(this.blocks.clone(), this.size)
  }

  /** The row under an id. Each call makes the row anew. The record of a row that was set is the same object each time. */
  get(id: string): Row | undefined {
    const [, block] = Blocks.blockOf(this.blocks, id)
    const at = Blocks.positionOf(block.ids, id)
    return block.ids[at] === id ? RowBlock.rowAt(block, at) : undefined
  }

  /** Whether there is a row under an id. */
  has(id: string): boolean {
    const [, { ids }] = Blocks.blockOf(this.blocks, id)
    return ids[Blocks.positionOf(ids, id)] === id
  }

  /** Sets the row of an id, in place of the former one if there is one. */
  set(id: string, row: Row): void {
    const [key, block] = this.listedOf(id)
    const at = Blocks.positionOf(block.ids, id)
    if (block.ids[at] === id) this.blocks.set(key, RowBlock.withReplaced(block, at, row))
    else {
      this.size++
      Blocks.grow(this.blocks, kind, key, RowBlock.withInserted(block, at, id, row), at)
    }
  }

  /** Removes the row of an id, and tells whether there was one. */
  delete(id: string): boolean {
    if (!this.has(id)) return false
    const [key, block] = this.listedOf(id)
    this.size--
    Blocks.shrink(this.blocks, kind, key, RowBlock.without(block, Blocks.positionOf(block.ids, id)))
    return true
  }

  /** The rows in the order of their ids, from an id on or from the first. The map must not change meanwhile. */
  *entries(fromId?: string): Generator<[string, Row]> {
    for (const { begin, block, end } of Blocks.walk(this.blocks, kind, "asc", fromId)) {
      for (let at = begin; at < end; at++) yield [block.ids[at]!, RowBlock.rowAt(block, at)]
    }
  }

  /** The rows in reverse order, from an id down or from the last. The map must not change meanwhile. */
  *entriesReversed(fromId?: string): Generator<[string, Row]> {
    for (const { begin, block, end } of Blocks.walk(this.blocks, kind, "desc", fromId)) {
      for (let at = end - 1; at >= begin; at--) yield [block.ids[at]!, RowBlock.rowAt(block, at)]
    }
  }

  /** The rows in the order of their ids, in blocks. */
  inBlocks(): Iterable<RowBlock.RowBlock> {
    return this.blocks.values()
  }

  /** The ids in order. */
  *keys(): Generator<string> {
    for (const { ids } of this.blocks.values()) yield* ids
  }

  /** The rows in the order of their ids. */
  *values(): Generator<Row> {
    for (const [, row] of this.entries()) yield row
  }

  /** The block that an id is in, or would be in, once it has its records as they are. */
  private listedOf(id: string): readonly [string, RowBlock.ListedBlock] {
    const [key, block] = Blocks.blockOf(this.blocks, id)
    if (RowBlock.isListed(block)) return [key, block]
    for (const [at, part] of cut(block).entries()) this.blocks.set(at === 0 ? key : part.ids[0]!, part)
    return this.listedOf(id)
  }
}

/** A map of rows that are in order, in blocks of which each has some. */
export const ofBlocks = (blocks: ReadonlyArray<RowBlock.RowBlock>): RowMap => {
  const [first = RowBlock.empty, ...others] = blocks
  const size = blocks.reduce((sum, { ids }) => sum + ids.length, 0)
  return new RowMap(Blocks.make(kind, [first, ...others]), size)
}

/** A map without a row. */
export const make = (): RowMap => ofBlocks([])

/** Cuts a block into blocks that are not too large to be changed. */
export const cut = (block: RowBlock.RowBlock): ReadonlyArray<RowBlock.ListedBlock> => {
  const parts: Array<RowBlock.ListedBlock> = []
  for (let begin = 0; begin < block.ids.length; begin += Blocks.blockMax) {
    parts.push(RowBlock.partOf(block, begin, Math.min(begin + Blocks.blockMax, block.ids.length)))
  }
  return parts
}
