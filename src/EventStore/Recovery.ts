/**
 * Reads a log's segments after any stop, and tells a torn tail from corruption. Pure.
 *
 * A log writes batch n + 1 only after the sync of batch n has returned. So a crash may leave damage in the last batch,
 * while damage in a batch before a later record is damage to durable bytes: nobody may cut that off.
 */
import { invariant } from "../Invariant.ts"
import { checksum, isZeroFrom } from "./Bytes.ts"
import { enterSegment } from "./Compaction.ts"
import { emptyLogIndex, type LogIndex } from "./LogIndex.ts"
import { decodeHeader, decodeRecord, RECORD_HEADER_BYTES, type RecordBody } from "./Record.ts"
import { decodeSegmentHeader, isOfUnknownFormat, SEGMENT_HEADER_BYTES, type SegmentHeader } from "./Segment.ts"
import { refusalOf, takeRecord } from "./takeRecord.ts"

/** The state of a log after the segments read so far. {@link readSegment} advances it. */
export interface Recovery {
  readonly held: LogIndex
  /** The cluster of all segments. A segment from before the node was formed names none. */
  clusterId: string | undefined
  /** The last whole batch; unknown at the beginning of a log whose first segments are compacted away. */
  batch: number | undefined
  /** The first segment of those that were read. */
  first: number | undefined
  last:
    | {
        readonly header: SegmentHeader
        /** The place of the next batch. */
        readonly endOffset: number
        /** The place of the last whole batch; undefined if the segment has none. */
        readonly lastBatchOffset: number | undefined
        readonly checksum: number
        readonly sealed: boolean
      }
    | undefined
}

/** The result of reading a segment. After `Corrupt`, nobody may use the recovery. */
export type SegmentRead =
  | { readonly _tag: "Clean" }
  /** From `offset` on there are bytes of a batch that the log never acknowledged. The caller keeps and zeroes them. */
  | { readonly _tag: "TornTail"; readonly offset: number; readonly what: string }
  /** The crash came before the log entered this segment. The one before it goes on, and the caller sets this aside. */
  | { readonly _tag: "Leftover" }
  | {
      readonly _tag: "Corrupt"
      readonly offset: number
      readonly index: number
      readonly what: string
      /**
       * Whether bytes changed or are missing. Otherwise all of them are intact, and say what no log of this node says:
       * they are of a later format, of another cluster, or contradict each other.
       */
      readonly isDamage: boolean
    }

export function emptyRecovery(clusterId?: string): Recovery {
  return { held: emptyLogIndex(), clusterId, batch: undefined, first: undefined, last: undefined }
}

/** Reads the next segment. `bytes` is its whole file. */
export function readSegment(recovery: Recovery, bytes: Uint8Array, isLast: boolean): SegmentRead {
  const { held, last } = recovery
  const corrupt = (offset: number, what: string, isDamage = true): SegmentRead => {
    return { _tag: "Corrupt", offset, index: held.lastIndex + 1, what, isDamage }
  }
  const header = decodeSegmentHeader(bytes)
  if (typeof header === "string") return corrupt(0, header, !isOfUnknownFormat(bytes))
  if (last !== undefined && header.number !== last.header.number + 1)
    return corrupt(0, `segment ${header.number} where ${last.header.number + 1} was expected`)
  if (last !== undefined && !last.sealed) {
    if (isLast && laterBatchOffset(bytes, SEGMENT_HEADER_BYTES, header.salt, 0) === undefined)
      return { _tag: "Leftover" }
    return corrupt(0, "the segment before this one has lost its end")
  }
  const foreign = foreignOf(recovery, header)
  if (foreign !== undefined) return corrupt(0, foreign, false)
  if (last !== undefined || header.number === 1) {
    // In a compacted log, nothing is left to compare the first segment with.
    if (header.previousChecksum !== (last?.checksum ?? 0)) return corrupt(0, "the segment before this one has changed")
    if (header.baseIndex !== held.lastIndex + 1)
      return corrupt(0, `the segment starts at entry ${header.baseIndex}`, false)
  }
  recovery.clusterId ??= header.clusterId
  recovery.first ??= header.number
  if (header.number === 1) recovery.batch = 0
  enterSegment(held, header)

  const batches = readBatches(recovery, bytes, header)
  recovery.last = { header, ...batches }
  if (batches.refusal !== undefined) return corrupt(batches.damageOffset, batches.refusal, false)
  if (batches.what === undefined) return { _tag: "Clean" }
  if (batches.sealed) return corrupt(batches.damageOffset, "bytes follow the seal")
  const provenAt = laterBatchOffset(bytes, batches.damageOffset, header.salt, (recovery.batch ?? 0) + 1)
  if (provenAt !== undefined)
    return corrupt(batches.damageOffset, `${batches.what}, and offset ${provenAt} proves it was synced`)
  return { _tag: "TornTail", offset: batches.endOffset, what: batches.what }
}

/** Says why a segment does not belong to this log's cluster, or undefined if it does. */
function foreignOf({ clusterId, last }: Recovery, header: SegmentHeader): string | undefined {
  if (header.clusterId === clusterId) return undefined
  if (header.clusterId !== undefined) {
    return clusterId === undefined ? undefined : `the segment is of cluster ${header.clusterId}, not of ${clusterId}`
  }
  return last?.header.clusterId === undefined ? undefined : "the segment names no cluster, and the one before it does"
}

/**
 * Says what is wrong with all segments together, once the last one is read. Segments before the first one may be missing
 * only if a snapshot mark says that the log needs none of them, and the snapshot replaces all of their entries.
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
  /** The end of the last whole batch. */
  readonly endOffset: number
  readonly lastBatchOffset: number | undefined
  readonly checksum: number
  readonly sealed: boolean
  /** Says what ended the reading before the unwritten rest, and where. */
  readonly what: string | undefined
  readonly damageOffset: number
  /** Says that intact records contradict each other, or have a later format: no crash does that. */
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
    // A batch counts whole or not at all, since the log acknowledges it only after its sync.
    for (const { body, offset: at } of pending) {
      const refusal = refusalOf(body, held)
      if (refusal !== undefined) return ended(undefined, refusal)
      takeRecord(held, body, { segment: header.number, offset: at })
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
  // The type byte of a record is never zero, so the unwritten rest begins only where it is.
  if (offset + RECORD_HEADER_BYTES <= bytes.length && bytes[offset + 4] !== 0) return false
  return isZeroFrom(bytes, offset)
}

/** The offset, from `fromOffset` on, of an intact header of a batch after `batch`. The header alone proves that batch. */
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
