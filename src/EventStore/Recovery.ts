/**
 * Reads a log's segments after a stop of any kind, and tells a torn tail from corruption. Pure.
 *
 * Batch n + 1 is written only after the sync of batch n returned. So damage in the last batch is what a crash leaves,
 * while damage in a batch that a later record follows struck bytes that were durable: that is never cut off.
 */
import { invariant } from "../Invariant.ts"
import { checksum, isZeroFrom } from "./Bytes.ts"
import { enterSegment } from "./Compaction.ts"
import { emptyLogIndex, index, type LogIndex, refusalOf } from "./LogIndex.ts"
import { decodeHeader, decodeRecord, RECORD_HEADER_BYTES, type RecordBody } from "./Record.ts"
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from "./Segment.ts"

/** The state of a log after the segments read so far; {@link readSegment} advances it. */
export interface Recovery {
  readonly held: LogIndex
  /** The cluster that all segments belong to; one that was made before the node was formed carries none. */
  clusterId: string | undefined
  /** The last whole batch. Unknown at the beginning of a log whose first segments were compacted away. */
  batch: number | undefined
  /** The first segment that was read. */
  first: number | undefined
  last:
    | {
        readonly header: SegmentHeader
        /** Where the next batch goes. */
        readonly endOffset: number
        /** Where the last whole batch starts; undefined when the segment has none. */
        readonly lastBatchOffset: number | undefined
        readonly checksum: number
        readonly sealed: boolean
      }
    | undefined
}

/** What a segment turned out to be. After `Corrupt` the recovery must not be used. */
export type SegmentRead =
  | { readonly _tag: "Clean" }
  /** Bytes of a batch that was never acknowledged, from `offset` on: to be kept aside and zeroed. */
  | { readonly _tag: "TornTail"; readonly offset: number; readonly what: string }
  /** Made, but not entered before the crash: the segment before it goes on, and this one is set aside. */
  | { readonly _tag: "Leftover" }
  | { readonly _tag: "Corrupt"; readonly offset: number; readonly index: number; readonly what: string }

export function emptyRecovery(clusterId?: string): Recovery {
  return { held: emptyLogIndex(), clusterId, batch: undefined, first: undefined, last: undefined }
}

/** Reads the next segment, all of whose file is `bytes`. */
export function readSegment(recovery: Recovery, bytes: Uint8Array, isLast: boolean): SegmentRead {
  const { held, last } = recovery
  const corrupt = (offset: number, what: string): SegmentRead => {
    return { _tag: "Corrupt", offset, index: held.lastIndex + 1, what }
  }
  const header = decodeSegmentHeader(bytes)
  if (typeof header === "string") return corrupt(0, header)
  if (last !== undefined && header.number !== last.header.number + 1)
    return corrupt(0, `segment ${header.number} where ${last.header.number + 1} was expected`)
  if (last !== undefined && !last.sealed) {
    if (isLast && laterBatchOffset(bytes, SEGMENT_HEADER_BYTES, header.salt, 0) === undefined)
      return { _tag: "Leftover" }
    return corrupt(0, "the segment before this one has lost its end")
  }
  const foreign = foreignOf(recovery, header)
  if (foreign !== undefined) return corrupt(0, foreign)
  if (last !== undefined || header.number === 1) {
    // Of a log that was compacted, nothing is there any more that the first of these could be compared with.
    if (header.previousChecksum !== (last?.checksum ?? 0)) return corrupt(0, "the segment before this one has changed")
    if (header.baseIndex !== held.lastIndex + 1) return corrupt(0, `the segment starts at entry ${header.baseIndex}`)
  }
  recovery.clusterId ??= header.clusterId
  recovery.first ??= header.number
  if (header.number === 1) recovery.batch = 0
  enterSegment(held, header)

  const batches = readBatches(recovery, bytes, header)
  recovery.last = { header, ...batches }
  if (batches.refusal !== undefined) return corrupt(batches.damageOffset, batches.refusal)
  if (batches.what === undefined) return { _tag: "Clean" }
  if (batches.sealed) return corrupt(batches.damageOffset, "bytes follow the seal")
  const provenAt = laterBatchOffset(bytes, batches.damageOffset, header.salt, (recovery.batch ?? 0) + 1)
  if (provenAt !== undefined)
    return corrupt(batches.damageOffset, `${batches.what}, and offset ${provenAt} proves it was synced`)
  return { _tag: "TornTail", offset: batches.endOffset, what: batches.what }
}

/** Why a segment is not of this log's cluster; undefined when it is. */
function foreignOf({ clusterId, last }: Recovery, header: SegmentHeader): string | undefined {
  if (header.clusterId === clusterId) return undefined
  if (header.clusterId !== undefined) {
    return clusterId === undefined ? undefined : `the segment is of cluster ${header.clusterId}, not of ${clusterId}`
  }
  return last?.header.clusterId === undefined ? undefined : "the segment names no cluster, and the one before it does"
}

/**
 * What is wrong with all that was read together, once the last segment is read: segments before the first one may be
 * missing only where a snapshot mark says that they are of no use, and the snapshot stands for all of their entries.
 */
export function refusalOfChain({
  first,
  held,
  last
}: Recovery): { readonly segment: number; readonly what: string } | undefined {
  if (first === undefined || last === undefined) return undefined
  if (last.sealed) return { segment: last.header.number + 1, what: "the segment is missing" }
  if (first > held.neededSegment)
    return { segment: first - 1, what: "the segment is missing, and no snapshot mark stands for it" }
  const markedIndex = held.snapshot?.index ?? 0
  if (markedIndex >= held.firstIndex - 1) return undefined
  return { segment: first, what: `the log begins at entry ${held.firstIndex}, its snapshot mark is at ${markedIndex}` }
}

interface Batches {
  /** Behind the last whole batch. */
  readonly endOffset: number
  readonly lastBatchOffset: number | undefined
  readonly checksum: number
  readonly sealed: boolean
  /** What ended the reading before the unwritten rest, and where. */
  readonly what: string | undefined
  readonly damageOffset: number
  /** Set when intact records contradict each other or are of a later format: no crash does that. */
  readonly refusal: string | undefined
}

function readBatches(recovery: Recovery, bytes: Uint8Array, header: SegmentHeader): Batches {
  const { held } = recovery
  let endOffset = SEGMENT_HEADER_BYTES
  let lastBatchOffset: number | undefined
  let sum = 0
  let sealed = false
  let offset = endOffset
  let pendingBatch: number | undefined
  let pending: Array<{ readonly body: RecordBody; readonly offset: number }> = []
  const ended = (what: string | undefined, refusal?: string): Batches => {
    return { endOffset, lastBatchOffset, checksum: sum, sealed, what, damageOffset: offset, refusal }
  }
  for (;;) {
    if (isUnwritten(bytes, offset)) return ended(pending.length === 0 ? undefined : "the last batch is not whole")
    const decoded = decodeRecord(bytes, offset, { salt: header.salt, offset })
    if (decoded._tag === "Damaged") return ended(decoded.what)
    if (decoded._tag === "Unknown") return ended(undefined, decoded.what)
    const { record, lengthBytes } = decoded
    if (sealed) return ended(undefined, "a record follows the seal")
    const batch = recovery.batch === undefined ? (pendingBatch ?? record.batch) : recovery.batch + 1
    pendingBatch = batch
    if (record.batch !== batch) return ended(undefined, `batch ${record.batch} where ${batch} was expected`)
    pending.push({ body: record.body, offset })
    offset += lengthBytes
    if (!record.endsBatch) continue
    // A batch counts whole or not at all: nothing of it was acknowledged before its sync returned.
    for (const { body, offset: at } of pending) {
      const refusal = refusalOf(body, held)
      if (refusal !== undefined) return ended(undefined, refusal)
      index(held, body, { segment: header.number, offset: at })
      if (body._tag === "Seal") sealed = true
    }
    pending = []
    sum = checksum(bytes.subarray(endOffset, offset), sum)
    lastBatchOffset = endOffset
    endOffset = offset
    recovery.batch = batch
  }
}

function isUnwritten(bytes: Uint8Array, offset: number): boolean {
  // The type byte of a record is never zero: only where it is can the unwritten rest begin.
  if (offset + RECORD_HEADER_BYTES <= bytes.length && bytes[offset + 4] !== 0) return false
  return isZeroFrom(bytes, offset)
}

/** Where, from `fromOffset` on, an intact header of a batch after `batch` stands. Its payload may be lost: the header alone proves. */
export function laterBatchOffset(
  bytes: Uint8Array,
  fromOffset: number,
  salt: Uint8Array,
  batch: number
): number | undefined {
  invariant(fromOffset % 8 === 0, "records start at multiples of eight")
  for (let offset = fromOffset; offset + RECORD_HEADER_BYTES <= bytes.length; offset += 8) {
    const header = decodeHeader(bytes, offset, { salt, offset })
    if (header !== undefined && header.batch > batch) return offset
  }
  return undefined
}
