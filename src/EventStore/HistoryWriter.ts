/** Writes entries into a file of history: blocks that may be compressed, their index, the end. HistoryFormat.ts has the bytes. */
import { Effect } from "effect"
import { invariant } from "../Invariant.ts"
import { compress, plain } from "./Compression.ts"
import type { HistoryRange } from "./History.ts"
import {
  encodeBlock,
  encodeEntries,
  encodeHistoryEnd,
  encodeHistoryHeader,
  HISTORY_BLOCK_BYTES,
  type HistoryFile,
  historyEntryBytes
} from "./HistoryFormat.ts"
import type { LogEntry } from "./LogEntry.ts"
import { LogFailed, type LogStore } from "./LogStore.ts"
import type { NamedFiles } from "./NamedFiles.ts"
import { rests, SYNCED_AT_ONCE_BYTES } from "./Pace.ts"

/** A file ends once its entries have so many bytes, before compression. */
const fileRawMaxBytes = 16 * 1024 * 1024
/** What is read of the log at a time. */
const readMaxBytes = 1024 * 1024

/** Makes the writer of files under temporary names. They are durable when it returns. */
export const make = (files: NamedFiles, options: { readonly isCompressed: boolean }) => {
  /** Writes one file from `fromIndex` on. It ends at `toIndex`, or earlier if it is full. */
  return Effect.fnUntraced(function* (
    temporary: string,
    { fromIndex, toIndex }: HistoryRange,
    read: LogStore["Service"]["read"],
    rawMaxBytes = fileRawMaxBytes
  ) {
    const file = yield* files.openToWrite(temporary)
    yield* file.truncate(0)
    const blocks: Array<{ firstIndex: number; offset: number }> = []
    let offset = 0
    let unsyncedBytes = 0
    let rawBytes = 0
    let nextIndex = fromIndex
    let pending: Array<LogEntry> = []
    let pendingBytes = 0
    const rest = yield* rests
    const put = Effect.fnUntraced(function* (bytes: Uint8Array) {
      yield* file.write(bytes, offset)
      offset += bytes.length
      unsyncedBytes += bytes.length
      if (unsyncedBytes < SYNCED_AT_ONCE_BYTES) return
      yield* file.sync
      unsyncedBytes = 0
    })
    const putBlock = Effect.fnUntraced(function* () {
      const raw = encodeEntries(pending)
      const firstIndex = pending[0]!.index
      const { codec, stored } = options.isCompressed ? yield* compress(raw) : plain(raw)
      const head = { rawBytes: raw.length, firstIndex, count: pending.length, codec }
      blocks.push({ firstIndex, offset })
      rawBytes += raw.length
      pending = []
      pendingBytes = 0
      yield* put(encodeBlock(stored, head, offset))
      yield* rest
    })
    yield* put(encodeHistoryHeader(fromIndex))
    while (nextIndex <= toIndex && rawBytes + pendingBytes < rawMaxBytes) {
      const entries = yield* read({ fromIndex: nextIndex, toIndex, maxBytes: readMaxBytes })
      if (entries.length === 0) {
        return yield* new LogFailed({ message: `Cannot keep entry ${nextIndex} in the history: the log has none` })
      }
      for (const entry of entries) {
        invariant(entry.index === nextIndex, `entry ${entry.index} is kept where ${nextIndex} was expected`)
        pending.push(entry)
        pendingBytes += historyEntryBytes(entry)
        nextIndex += 1
        if (pendingBytes >= HISTORY_BLOCK_BYTES) yield* putBlock()
      }
    }
    if (pending.length > 0) yield* putBlock()
    const kept = { fromIndex, toIndex: nextIndex - 1 }
    yield* put(encodeHistoryEnd({ blocks, endOffset: offset }, kept))
    yield* file.sync
    return { ...kept, fileBytes: offset } satisfies HistoryFile
  }, Effect.scoped)
}
