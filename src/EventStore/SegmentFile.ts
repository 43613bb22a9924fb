/** The segment that takes batches: its file, its end, and how a batch is encoded, written and synced. Layout in FORMAT.md. */
import { Effect, Random } from "effect"
import { checksum, viewOf } from "./Bytes.ts"
import type { FileSystem } from "./FileSystem.ts"
import { openFile, syncData, syncDataThen, writeAll, writeAllNow, writeFileAtomically } from "./Files.ts"
import type { LogFailed } from "./LogStore.ts"
import { encodeRecord, type RecordBody } from "./Record.ts"
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader, segmentName } from "./Segment.ts"

export interface SegmentFile {
  readonly header: SegmentHeader
  readonly file: number
  endOffset: number
  /** The running checksum of its records. */
  checksum: number
}

/** Eight random bytes, so that older bytes on this place of the disk do not pass for records. */
export const newSalt = Effect.gen(function* () {
  const salt = new Uint8Array(8)
  for (let at = 0; at < salt.length; at++) salt[at] = yield* Random.nextIntBetween(0, 256)
  return salt
})

/** Makes the first segment of a log, durably when it returns. */
export const makeFirstSegment = Effect.fnUntraced(function* (
  directory: string,
  options: { readonly sizeBytes: number; readonly clusterId: string | undefined }
) {
  const salt = yield* newSalt
  const header: SegmentHeader = { number: 1, baseIndex: 1, baseTerm: 0, previousChecksum: 0, salt, ...options }
  const zeros = new Uint8Array(header.sizeBytes - SEGMENT_HEADER_BYTES)
  yield* writeFileAtomically({ directory, name: segmentName(1), parts: [encodeSegmentHeader(header), zeros] })
  return header
})

/** Opens a segment, to write behind its last batch. */
export const openSegmentFile = Effect.fnUntraced(function* (
  directory: string,
  header: SegmentHeader,
  written: { readonly endOffset: number; readonly checksum: number } = {
    endOffset: SEGMENT_HEADER_BYTES,
    checksum: 0
  }
) {
  const file = yield* openFile(`${directory}/${segmentName(header.number)}`, "r+")
  return { header, file, endOffset: written.endOffset, checksum: written.checksum } satisfies SegmentFile
})

/** Whether the segment has a batch. The first one repeats the hard state. */
export const isEntered = ({ endOffset }: SegmentFile) => endOffset > SEGMENT_HEADER_BYTES

/** Encodes a batch for the end of `segment`. Returns its bytes, and the offset of each record in the file. */
export function encodeBatch(
  segment: SegmentFile,
  batch: { readonly number: number; readonly bodies: ReadonlyArray<RecordBody>; readonly sizeBytes: number }
): { readonly bytes: Uint8Array; readonly offsets: ReadonlyArray<number> } {
  const { bodies, number, sizeBytes } = batch
  const bytes = new Uint8Array(sizeBytes)
  const target = { bytes, view: viewOf(bytes) }
  const offsets: Array<number> = []
  const last = bodies.length - 1
  let at = 0
  for (let position = 0; position <= last; position++) {
    const offset = segment.endOffset + at
    offsets.push(offset)
    const record = { batch: number, endsBatch: position === last, body: bodies[position]! }
    at += encodeRecord(record, { target, at, place: { salt: segment.header.salt, offset } })
  }
  return { bytes, offsets }
}

/** Writes the bytes of a batch, and syncs. */
export const writeBatchBytes = Effect.fnUntraced(function* (segment: SegmentFile, bytes: Uint8Array) {
  yield* writeAll(segment.file, bytes, segment.endOffset)
  yield* syncData(segment.file)
  advance(segment, bytes)
})

/**
 * {@link writeBatchBytes} without an Effect: this thread writes, another one syncs. `done` is called once the sync has
 * returned, with the failure if there is one.
 */
export const writeBatchNow = (
  system: FileSystem,
  segment: SegmentFile,
  bytes: Uint8Array,
  done: (failure: LogFailed | undefined) => void
): void => {
  const unwritten = writeAllNow(system, segment.file, bytes, segment.endOffset)
  if (unwritten !== undefined) {
    done(unwritten)
    return
  }
  syncDataThen(system, segment.file, (failure) => {
    if (failure === undefined) advance(segment, bytes)
    done(failure)
  })
}

/** These bytes are durable: the next batch stands behind them. */
const advance = (segment: SegmentFile, bytes: Uint8Array): void => {
  segment.endOffset += bytes.length
  segment.checksum = checksum(bytes, segment.checksum)
}
