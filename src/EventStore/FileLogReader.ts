/** Reads entries by index from the segments' files, in chunks, from the nearest anchor on. FileLogRecovery.ts reads at a start. */
import { Effect } from "effect"
import { closeFile, openFile, readAt } from "./Files.ts"
import type { LogEntry } from "./LogEntry.ts"
import { type Anchor, anchorBelow, type LogIndex } from "./LogIndex.ts"
import { compactedAway, LogCorrupt } from "./LogStore.ts"
import { decodeHeader, decodeRecord, RECORD_HEADER_BYTES, recordBytes } from "./Record.ts"
import { decodeSegmentSalt, SEGMENT_HEADER_BYTES, segmentName } from "./Segment.ts"

const CHUNK_BYTES = 256 * 1024

interface OpenSegment {
  readonly number: number
  readonly name: string
  readonly file: number
  readonly salt: Uint8Array
}

const openSegment = (directory: string, number: number) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      const name = segmentName(number)
      const file = yield* openFile(`${directory}/${name}`, "r")
      return { number, name, file }
    }),
    ({ file }) => Effect.orDie(closeFile(file))
  ).pipe(
    Effect.flatMap((opened) =>
      Effect.map(readAt(opened.file, { offset: 0, lengthBytes: SEGMENT_HEADER_BYTES }), (head): OpenSegment => {
        return { ...opened, salt: decodeSegmentSalt(head) }
      })
    )
  )

interface Range {
  readonly fromIndex: number
  readonly toIndex: number
  readonly maxBytes: number
}

interface HeldLog {
  readonly directory: string
  readonly held: LogIndex
}

const readHeld = Effect.fnUntraced(function* (log: HeldLog, range: Range) {
  const toIndex = Math.min(range.toIndex, log.held.lastIndex)
  const entries: Array<LogEntry> = []
  if (range.fromIndex < 1 || range.fromIndex > toIndex) return entries
  if (range.fromIndex < log.held.firstIndex) return yield* compactedAway(range.fromIndex, log.held)
  const first = anchorBelow(log.held.anchors, range.fromIndex)
  const last = anchorBelow(log.held.anchors, toIndex)
  // This copies the anchors, since an append may truncate them while this waits for the disk.
  const anchors: ReadonlyArray<Anchor> = log.held.anchors.slice(first, last + 1)
  let payloadBytes = 0
  let segment: OpenSegment | undefined
  let chunk: Uint8Array = new Uint8Array(0)
  let chunkOffset = 0

  for (const [position, anchor] of anchors.entries()) {
    if (segment?.number !== anchor.segment) {
      segment = yield* openSegment(log.directory, anchor.segment)
      chunk = new Uint8Array(0)
    }
    const { file, salt, name } = segment
    // Between here and the next anchor, entries from its index on are truncated ones.
    const endIndex = Math.min(toIndex, (anchors[position + 1]?.index ?? Number.POSITIVE_INFINITY) - 1)
    let offset = anchor.offset
    let nextIndex = anchor.index
    while (nextIndex <= endIndex) {
      const place = { salt, offset }
      let at = offset - chunkOffset
      const isHeaderIn = at >= 0 && at + RECORD_HEADER_BYTES <= chunk.length
      const header = isHeaderIn ? decodeHeader(chunk, at, place) : undefined
      const needed = header === undefined ? RECORD_HEADER_BYTES : recordBytes(header.payloadBytes)
      if (!isHeaderIn || at + needed > chunk.length) {
        chunk = yield* readAt(file, { offset, lengthBytes: Math.max(CHUNK_BYTES, needed) })
        chunkOffset = offset
        at = 0
        const payload = decodeHeader(chunk, 0, place)?.payloadBytes ?? 0
        if (recordBytes(payload) > chunk.length) {
          chunk = yield* readAt(file, { offset, lengthBytes: recordBytes(payload) })
        }
      }
      const decoded = decodeRecord(chunk, at, place)
      if (decoded._tag !== "Record") {
        const message = `Cannot read entry ${nextIndex} in "${name}" at offset ${offset}: ${decoded.what}`
        return yield* new LogCorrupt({ message, file: name, offset, index: nextIndex })
      }
      offset += decoded.lengthBytes
      const { body } = decoded.record
      if (body._tag !== "Entry") continue
      if (body.entry.index !== nextIndex) {
        const message = `Cannot read entry ${nextIndex} in "${name}": found entry ${body.entry.index}`
        return yield* new LogCorrupt({ message, file: name, offset, index: nextIndex })
      }
      nextIndex += 1
      if (body.entry.index < range.fromIndex) continue
      payloadBytes += body.entry.payload.length
      if (entries.length > 0 && payloadBytes > range.maxBytes) return entries
      // This copies the payload, so that an entry in memory does not keep its whole chunk there.
      entries.push({ ...body.entry, payload: body.entry.payload.slice() })
    }
  }
  return entries
}, Effect.scoped)

/** Reads as {@link LogStore} promises. `held` may grow or be truncated meanwhile, so this looks at the range first. */
export const readEntries = (log: HeldLog, range: Range) =>
  Effect.catchTag(readHeld(log, range), "LogFailed", (failure) =>
    // Compaction removed its segment between the look and the opening.
    Effect.fail(range.fromIndex < log.held.firstIndex ? compactedAway(range.fromIndex, log.held) : failure)
  )
