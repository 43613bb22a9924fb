/**
 * The log of a simulated node as bytes in segments: the real records, batches, marks and recovery (EventStore) over files
 * in memory, with crashes and damage. It simulates the calls of FileLog.ts to the operating system: a write and its sync
 * are one, or only some blocks of a batch reach the disk; a segment's file appears and disappears at once.
 */
import { checksum } from "../../EventStore/Bytes.ts"
import { enterSegment, firstSegmentAfter } from "../../EventStore/Compaction.ts"
import { batchOf, beginningAt, type LogBatch } from "../../EventStore/LogBatch.ts"
import type { LogEntry, LogWrite } from "../../EventStore/LogEntry.ts"
import { type LogIndex, termAt } from "../../EventStore/LogIndex.ts"
import { bodyBytes, decodeRecord, type RecordBody, recordBytes } from "../../EventStore/Record.ts"
import { emptyRecovery, readSegment, refusalOfChain } from "../../EventStore/Recovery.ts"
import {
  decodeSegmentSalt,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader
} from "../../EventStore/Segment.ts"
import { encodeBatch, isEntered, type SegmentFile } from "../../EventStore/SegmentFile.ts"
import { takeRecord } from "../../EventStore/takeRecord.ts"
import { invariant } from "../../Invariant.ts"

/** Small, so that a run fills many segments. */
const segmentSizeBytes = 4096
/** The size of a block, which a disk writes whole. */
const blockBytes = 512
const sealBytes = recordBytes(0)

export interface Files {
  readonly segments: Map<number, Uint8Array>
  held: LogIndex
  batch: number
  active: SegmentFile
  /** Where the last batch of the active segment begins; at its header if there is none. */
  lastBatchOffset: number
}

export const make = (): Files => {
  const segments = new Map<number, Uint8Array>()
  const active = makeSegment(segments, { number: 1, baseIndex: 1, baseTerm: 0, previousChecksum: 0 }, segmentSizeBytes)
  const { held } = emptyRecovery()
  enterSegment(held, active.header)
  return { segments, held, batch: 0, active, lastBatchOffset: SEGMENT_HEADER_BYTES }
}

const makeSegment = (
  segments: Files["segments"],
  place: Pick<SegmentHeader, "number" | "baseIndex" | "baseTerm" | "previousChecksum">,
  sizeBytes: number
): SegmentFile => {
  const { number } = place
  // Each segment has a different salt, and every run the same salts.
  const salt = new Uint8Array(8).fill(number & 255).fill((number >> 8) + 1, 4)
  const header: SegmentHeader = { ...place, sizeBytes, salt, clusterId: undefined }
  const bytes = new Uint8Array(sizeBytes)
  bytes.set(encodeSegmentHeader(header))
  segments.set(number, bytes)
  return { header, file: number, endOffset: SEGMENT_HEADER_BYTES, checksum: 0 }
}

/** The blocks of a batch that reach the disk: all of them, or those whose bit is set, 32 at a time. */
type Blocks = "all" | number

/** Writes a batch, and syncs. */
export const append = (files: Files, writes: ReadonlyArray<LogWrite>): void => {
  const batch = batchOf(writes, files.held)
  if (batch.bodies.length > 0) appendBatch(files, batch, "all")
}

/** The node crashes within the write of a batch. Call `recover` before the next write. */
export const tear = (files: Files, writes: ReadonlyArray<LogWrite>, blocks: number): void => {
  const batch = batchOf(writes, files.held)
  if (batch.bodies.length > 0) appendBatch(files, batch, blocks)
}

/** Notes in the log that all of it so far is durable: from then on earlier damage is no torn tail. */
export const mark = (files: Files): void => {
  appendBatch(files, { bodies: [{ _tag: "DurableThrough", batch: files.batch }], restarts: false }, "all")
}

/** Removes the segments that hold nothing above `throughIndex`. */
export const compact = (files: Files, throughIndex: number): void => {
  const { held } = files
  const firstSegment = firstSegmentAfter(held, throughIndex)
  if (held.snapshot === undefined || firstSegment <= held.neededSegment) return
  const body: RecordBody = { _tag: "SnapshotMark", mark: held.snapshot, restarts: false, firstSegment }
  appendBatch(files, { bodies: [body], restarts: false }, "all")
  removeBelow(files)
}

const appendBatch = (files: Files, batch: LogBatch, blocks: Blocks): void => {
  const headOf = (): RecordBody => ({ _tag: "HardState", hardState: files.held.hardState })
  const sizeOf = (bodies: ReadonlyArray<RecordBody>) => bodies.reduce((sum, body) => sum + bodyBytes(body), 0)
  const isFull = (): boolean => {
    const neededBytes = sizeOf(batch.bodies) + (isEntered(files.active) ? 0 : bodyBytes(headOf()))
    return files.active.endOffset + neededBytes + sealBytes > files.active.header.sizeBytes
  }
  if ((batch.restarts && isEntered(files.active)) || isFull()) {
    const neededBytes = SEGMENT_HEADER_BYTES + bodyBytes(headOf()) + sizeOf(batch.bodies) + sealBytes
    // Half of the crashes on the way to another segment come while this one is sealed.
    const isSealTorn = blocks !== "all" && blocks < 0
    roll(files, Math.max(segmentSizeBytes, Math.ceil(neededBytes / 4096) * 4096), isSealTorn ? blocks : "all")
    if (isSealTorn) return
  }
  const bodies = batch.restarts ? beginningAt(batch, files.active.header.number) : batch.bodies
  writeBatch(files, isEntered(files.active) ? bodies : [headOf(), ...bodies], blocks)
  if (batch.restarts && blocks === "all") removeBelow(files)
}

/** Enters the next segment, then seals the last one. */
const roll = (files: Files, sizeBytes: number, blocks: Blocks): void => {
  const { active, held } = files
  const seal: RecordBody = { _tag: "Seal", lastIndex: held.lastIndex }
  const sealed = encodeBatch(active, { number: files.batch + 1, bodies: [seal], sizeBytes: sealBytes })
  const place = {
    number: active.header.number + 1,
    baseIndex: held.lastIndex + 1,
    baseTerm: termAt(held, held.lastIndex) ?? 0,
    previousChecksum: checksum(sealed.bytes, active.checksum)
  }
  const next = makeSegment(files.segments, place, sizeBytes)
  writeBatch(files, [seal], blocks)
  if (blocks !== "all") return
  held.anchorNext = true
  enterSegment(held, next.header)
  files.active = next
  files.lastBatchOffset = SEGMENT_HEADER_BYTES
}

const writeBatch = (files: Files, bodies: ReadonlyArray<RecordBody>, blocks: Blocks): void => {
  const { active, held, segments } = files
  const sizeBytes = bodies.reduce((sum, body) => sum + bodyBytes(body), 0)
  const { bytes, offsets } = encodeBatch(active, { number: files.batch + 1, bodies, sizeBytes })
  const target = segments.get(active.header.number)
  invariant(target !== undefined, `segment ${active.header.number} is not there`)
  if (blocks !== "all") {
    writeBlocks(target, bytes, active.endOffset, blocks)
    return
  }
  target.set(bytes, active.endOffset)
  files.lastBatchOffset = active.endOffset
  files.batch += 1
  for (const [position, body] of bodies.entries()) {
    takeRecord(held, body, { segment: active.header.number, offset: offsets[position]! })
  }
  active.endOffset += bytes.length
  active.checksum = checksum(bytes, active.checksum)
}

const writeBlocks = (target: Uint8Array, bytes: Uint8Array, offset: number, blocks: number): void => {
  for (let at = 0; at < bytes.length; ) {
    const block = Math.floor((offset + at) / blockBytes)
    const end = Math.min((block + 1) * blockBytes - offset, bytes.length)
    if ((blocks >>> (block % 32)) & 1) target.set(bytes.subarray(at, end), offset + at)
    at = end
  }
}

const removeBelow = ({ held, segments }: Files): void => {
  for (const number of [...segments.keys()]) if (number < held.neededSegment) segments.delete(number)
}

/**
 * Flips one bit at this share of the bytes that are proven durable. It leaves out the batches of the last segment: damage
 * in the last batch looks like a torn tail until a mark follows.
 */
export const flip = (files: Files, share: number): void => flipIn(files, SEGMENT_HEADER_BYTES, share)

/**
 * Flips one bit at this share of all bytes that a later batch proves durable: in the last segment too, before its last
 * batch.
 */
export const rot = (files: Files, share: number): void => flipIn(files, files.lastBatchOffset, share)

/** Flips one bit at this share of the bytes. Of the last segment only the first `activeBytes` count. */
const flipIn = ({ active, segments }: Files, activeBytes: number, share: number): void => {
  const places = [...segments].map(([number, bytes]) => {
    return { bytes, lengthBytes: number === active.header.number ? activeBytes : endOf(bytes) }
  })
  let bits = Math.floor(share * 8 * places.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0))
  for (const { bytes, lengthBytes } of places) {
    if (bits < 8 * lengthBytes) {
      bytes[bits >> 3] = bytes[bits >> 3]! ^ (1 << (bits & 7))
      return
    }
    bits -= 8 * lengthBytes
  }
}

/**
 * A copy of damaged files, cut where the damage begins, as LogCut.ts does it. It has no entries if nothing before the
 * damage can be used, or if no snapshot covers what came before the log.
 */
export const cut = (files: Files, isCovered: (index: number) => boolean): Files => {
  const copy: Files = {
    ...files,
    segments: new Map([...files.segments].map(([number, bytes]) => [number, bytes.slice()]))
  }
  const recovery = emptyRecovery()
  const numbers = [...copy.segments.keys()].sort((a, b) => a - b)
  for (const [position, number] of numbers.entries()) {
    if (readSegment(recovery, copy.segments.get(number)!, position === numbers.length - 1)._tag === "Corrupt") break
  }
  const { held, last } = recovery
  if (last === undefined) return make()
  for (const number of numbers) if (number > last.header.number) copy.segments.delete(number)
  copy.segments.get(last.header.number)!.fill(0, last.endOffset)
  if (last.sealed) {
    const baseIndex = held.lastIndex + 1
    const place = { number: last.header.number + 1, baseIndex, baseTerm: termAt(held, held.lastIndex) ?? 0 }
    makeSegment(copy.segments, { ...place, previousChecksum: last.checksum }, segmentSizeBytes)
  }
  if (recover(copy) !== undefined) return make()
  return copy.held.firstIndex === 1 || isCovered(copy.held.firstIndex - 1) ? copy : make()
}

const endOf = (bytes: Uint8Array): number => bytes.findLastIndex((byte) => byte !== 0) + 1

/** The entries of recovered files, by index, without those that were truncated or are before a restart. */
export const entriesOf = ({ active, held, segments }: Files): ReadonlyMap<number, LogEntry> => {
  const entries = new Map<number, LogEntry>()
  for (const { number } of held.segments) {
    const bytes = segments.get(number)!
    const salt = decodeSegmentSalt(bytes)
    const endOffset = number === active.header.number ? active.endOffset : bytes.length
    for (let offset = SEGMENT_HEADER_BYTES; offset < endOffset; ) {
      const decoded = decodeRecord(bytes, offset, { salt, offset })
      if (decoded._tag !== "Record") break
      const { body } = decoded.record
      if (body._tag === "Entry") entries.set(body.entry.index, body.entry)
      offset += decoded.lengthBytes
    }
  }
  return entries
}

/** Reads the files after a stop as FileLogRecovery.ts does: cuts off a torn tail, and refuses damage that no crash leaves. */
export const recover = (files: Files): string | undefined => {
  const recovery = emptyRecovery()
  const numbers = [...files.segments.keys()].sort((a, b) => a - b)
  for (const [position, number] of numbers.entries()) {
    const bytes = files.segments.get(number)!
    const read = readSegment(recovery, bytes, position === numbers.length - 1)
    if (read._tag === "Corrupt") return `segment ${number} at ${read.offset}: ${read.what}`
    if (read._tag === "Leftover") files.segments.delete(number)
    if (read._tag === "TornTail") bytes.fill(0, read.offset)
  }
  const refusal = refusalOfChain(recovery)
  if (refusal !== undefined) return `segment ${refusal.segment}: ${refusal.what}`
  const { batch, held, last } = recovery
  invariant(last !== undefined, "a log without a segment was recovered")
  files.held = held
  files.batch = batch ?? 0
  files.active = { header: last.header, file: last.header.number, endOffset: last.endOffset, checksum: last.checksum }
  files.lastBatchOffset = last.lastBatchOffset ?? SEGMENT_HEADER_BYTES
  return undefined
}
