/** Reads entries from the files of a history, block by block, with the checksums verified. HistoryFormat.ts has the bytes. */
import { Effect, Schema, Scope } from "effect"
import { decompress } from "./Compression.ts"
import {
  type BlockIndex,
  decodeBlock,
  decodeEntries,
  decodeHistoryEnd,
  HISTORY_HEADER_BYTES,
  HISTORY_TRAILER_BYTES,
  type HistoryFile,
  historyName,
  indexOffset,
  refusalOfHeader
} from "./HistoryFormat.ts"
import type { LogEntry } from "./LogEntry.ts"
import type { LogFailed } from "./LogStore.ts"
import type { NamedFiles, ReadAt } from "./NamedFiles.ts"

/** A file of history holds other bytes than those that were written. */
export class HistoryDamaged extends Schema.TaggedError<HistoryDamaged>()("HistoryDamaged", {
  name: Schema.String,
  what: Schema.String
}) {}

/** What is kept in memory of files that were read: a walk through history reads the same blocks again. */
const indexesMaxCount = 64
const blocksMaxBytes = 8 * 1024 * 1024

/** A block with its entries decoded. */
interface Block {
  readonly entries: ReadonlyArray<LogEntry>
  readonly rawBytes: number
}

/** The position of the last block that begins at or below `index`. */
const blockAt = ({ blocks }: BlockIndex, index: number): number => {
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (blocks[middle]!.firstIndex <= index) low = middle + 1
    else high = middle
  }
  return Math.max(0, low - 1)
}

/** Drops the oldest of a map until its size is within a bound. */
const dropOldest = <A>(held: Map<string, A>, isOver: () => boolean, onDrop: (dropped: A) => void = () => {}): void => {
  for (const [key, value] of held) {
    if (!isOver()) return
    held.delete(key)
    onDrop(value)
  }
}

export const make = (files: NamedFiles) => {
  const indexes = new Map<string, BlockIndex>()
  const blocks = new Map<string, Block>()
  let blocksBytes = 0

  const readIndex = Effect.fnUntraced(function* (file: HistoryFile, readAt: ReadAt) {
    const name = historyName(file)
    const header = yield* readAt({ offset: 0, lengthBytes: HISTORY_HEADER_BYTES })
    const refusal = refusalOfHeader(header, file.fromIndex)
    if (refusal !== undefined) return yield* new HistoryDamaged({ name, what: refusal })
    const trailerAt = file.fileBytes - HISTORY_TRAILER_BYTES
    // One byte more than there should be.
    const trailer = yield* readAt({ offset: trailerAt, lengthBytes: HISTORY_TRAILER_BYTES + 1 })
    if (trailer.length > HISTORY_TRAILER_BYTES) return yield* new HistoryDamaged({ name, what: "bytes follow its end" })
    const offset = indexOffset(trailer, file)
    if (typeof offset === "string") return yield* new HistoryDamaged({ name, what: offset })
    const end = decodeHistoryEnd(yield* readAt({ offset, lengthBytes: file.fileBytes - offset }), offset)
    if (typeof end === "string") return yield* new HistoryDamaged({ name, what: end })
    return end
  })

  const readBlock = Effect.fnUntraced(function* (
    file: HistoryFile,
    index: BlockIndex,
    position: number,
    readAt: ReadAt
  ) {
    const name = historyName(file)
    const { firstIndex, offset } = index.blocks[position]!
    const next = index.blocks[position + 1]
    const endOffset = next?.offset ?? index.endOffset
    const block = decodeBlock(yield* readAt({ offset, lengthBytes: endOffset - offset }), offset)
    if (typeof block === "string") return yield* new HistoryDamaged({ name, what: `${block}, at offset ${offset}` })
    const raw = yield* decompress(block, block.rawBytes)
    const entries = raw === undefined ? undefined : decodeEntries(raw, block)
    const isWhole = firstIndex + block.count === (next?.firstIndex ?? file.toIndex + 1)
    if (entries === undefined || block.firstIndex !== firstIndex || !isWhole) {
      return yield* new HistoryDamaged({ name, what: `the block at offset ${offset} is not what its index says` })
    }
    return { entries, rawBytes: block.rawBytes } satisfies Block
  })

  /** Runs `use` with the file's bytes, opened once and only if they are asked for. */
  const withFile = <A, E>(name: string, use: (readAt: ReadAt) => Effect.Effect<A, E>) =>
    Effect.scoped(
      Effect.suspend(() => {
        let opened: ReadAt | undefined
        return Effect.flatMap(Effect.scope, (scope) =>
          use((range) =>
            opened === undefined
              ? Effect.flatMap(Scope.provide(files.openToRead(name), scope), (readAt) => {
                  opened = readAt
                  return readAt(range)
                })
              : opened(range)
          )
        )
      })
    )

  const indexOf = Effect.fnUntraced(function* (file: HistoryFile, readAt: ReadAt) {
    const name = historyName(file)
    const index = indexes.get(name) ?? (yield* readIndex(file, readAt))
    indexes.delete(name)
    indexes.set(name, index)
    dropOldest(indexes, () => indexes.size > indexesMaxCount)
    return index
  })

  const blockOf = Effect.fnUntraced(function* (file: HistoryFile, index: BlockIndex, position: number, readAt: ReadAt) {
    const key = `${historyName(file)}:${position}`
    const held = blocks.get(key)
    if (held !== undefined) {
      blocks.delete(key)
      blocks.set(key, held)
      return held
    }
    const block = yield* readBlock(file, index, position, readAt)
    if (!blocks.has(key)) blocksBytes += block.rawBytes
    blocks.set(key, block)
    dropOldest(
      blocks,
      () => blocksBytes > blocksMaxBytes,
      ({ rawBytes }) => {
        blocksBytes -= rawBytes
      }
    )
    return block
  })

  return {
    /** Entries of one file from `fromIndex` on, which is in it: at least one, then as many as fit in `maxBytes`. */
    read: (
      file: HistoryFile,
      range: { readonly fromIndex: number; readonly toIndex: number; readonly maxBytes: number }
    ): Effect.Effect<ReadonlyArray<LogEntry>, LogFailed | HistoryDamaged> =>
      withFile(
        historyName(file),
        Effect.fnUntraced(function* (readAt) {
          const index = yield* indexOf(file, readAt)
          const found: Array<LogEntry> = []
          let payloadBytes = 0
          for (let at = blockAt(index, range.fromIndex); at < index.blocks.length; at++) {
            const { entries } = yield* blockOf(file, index, at, readAt)
            for (const entry of entries) {
              if (entry.index < range.fromIndex) continue
              payloadBytes += entry.payload.length
              const isOver = entry.index > range.toIndex || (found.length > 0 && payloadBytes > range.maxBytes)
              if (isOver) return found
              found.push(entry)
            }
          }
          return found
        })
      ),
    /** Verifies every byte of a file, with `rest` after each block. */
    verify: (file: HistoryFile, rest: Effect.Effect<void>): Effect.Effect<void, LogFailed | HistoryDamaged> =>
      withFile(
        historyName(file),
        Effect.fnUntraced(function* (readAt) {
          const index = yield* readIndex(file, readAt)
          for (let at = 0; at < index.blocks.length; at++) {
            yield* readBlock(file, index, at, readAt)
            yield* rest
          }
        })
      ),
    /** Forgets what is in memory of a file. */
    forget: (file: HistoryFile): void => {
      const name = historyName(file)
      indexes.delete(name)
      for (const [key, block] of blocks) {
        if (!key.startsWith(`${name}:`)) continue
        blocks.delete(key)
        blocksBytes -= block.rawBytes
      }
    }
  }
}
