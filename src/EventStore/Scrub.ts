/**
 * Reads sealed segments again and again while a node runs, at a bounded rate, and fails at the first damage. Unread data
 * could rot unseen until the other copies have rotted too. Recovery reads it at each start. docs/raft.md, Disk.
 */
import { Effect } from "effect"
import { readAt, withFile } from "./Files.ts"
import { LogCorrupt, type LogFailed } from "./LogStore.ts"
import { decodeHeader, decodeRecord, RECORD_HEADER_BYTES, recordBytes } from "./Record.ts"
import { decodeSegmentHead, SEGMENT_HEADER_BYTES, segmentName } from "./Segment.ts"

/** How many bytes it reads and verifies without a pause for other work. */
const chunkBytes = 256 * 1024
/** The pause between two chunks: it reads about a mebibyte in a second. */
export const scrubPauseMsDefault = 250
/** The time between two passes, in pauses: some four minutes. */
const passPausesCount = 1_000

export interface ScrubOptions {
  readonly directory: string
  /** The sealed segments of the log, oldest first, without those that are compacted away. */
  readonly sealed: () => ReadonlyArray<number>
  readonly pauseMs: number
}

const corrupt = (number: number, found: { readonly offset: number; readonly index: number; readonly what: string }) => {
  const file = segmentName(number)
  const { index, offset, what } = found
  const message = `The log has changed on disk: "${file}" at offset ${offset}, entry ${index}: ${what}`
  return new LogCorrupt({ message, file, offset, index })
}

/** Verifies every byte of one segment that has a checksum. */
const scrubSegment = (
  { directory, pauseMs }: ScrubOptions,
  number: number
): Effect.Effect<void, LogFailed | LogCorrupt> =>
  withFile(
    `${directory}/${segmentName(number)}`,
    "r",
    Effect.fnUntraced(function* (file) {
      const header = decodeSegmentHead(yield* readAt(file, { offset: 0, lengthBytes: SEGMENT_HEADER_BYTES }))
      if (typeof header === "string") return yield* corrupt(number, { offset: 0, index: 1, what: header })
      const { salt } = header
      let index = header.baseIndex
      let offset = SEGMENT_HEADER_BYTES
      let neededBytes = RECORD_HEADER_BYTES
      for (;;) {
        const wantedBytes = Math.max(chunkBytes, neededBytes)
        const chunk = yield* readAt(file, { offset, lengthBytes: wantedBytes })
        for (let at = 0; ; ) {
          const place = { salt, offset: offset + at }
          const isHeaderIn = at + RECORD_HEADER_BYTES <= chunk.length
          const head = isHeaderIn ? decodeHeader(chunk, at, place) : undefined
          const lengthBytes = head === undefined ? RECORD_HEADER_BYTES : recordBytes(head.payloadBytes)
          if (at + lengthBytes > chunk.length && chunk.length === wantedBytes) {
            offset += at
            neededBytes = lengthBytes
            break
          }
          const decoded = decodeRecord(chunk, at, place)
          if (decoded._tag !== "Record") {
            return yield* corrupt(number, { offset: place.offset, index, what: decoded.what })
          }
          const { body } = decoded.record
          if (body._tag === "Seal") return
          if (body._tag === "Entry") index = body.entry.index + 1
          if (body._tag === "TruncateFrom") index = body.fromIndex
          at += decoded.lengthBytes
        }
        yield* Effect.sleep(pauseMs)
      }
    })
  )

/** Verifies the sealed segments again and again. It never succeeds. */
export const scrub = (options: ScrubOptions): Effect.Effect<never, LogFailed | LogCorrupt> =>
  Effect.gen(function* () {
    const { pauseMs, sealed } = options
    const numbers = sealed()
    for (const number of numbers) {
      yield* Effect.catchTag(scrubSegment(options, number), "LogFailed", (failure) =>
        // Compaction has removed this segment meanwhile.
        sealed().includes(number) ? Effect.fail(failure) : Effect.void
      )
      yield* Effect.sleep(pauseMs)
    }
    yield* Effect.sleep(numbers.length === 0 ? pauseMs : pauseMs * passPausesCount)
  }).pipe(Effect.forever)
