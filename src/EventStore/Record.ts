/** Encodes and decodes one record of a segment. Pure. FORMAT.md has the layout; Recovery.ts reads records together. */
import { checksum, getUint64, setUint64, viewOf } from "./Bytes.ts"
import type { EntryType, HardState, LogEntry, SnapshotMark } from "./LogEntry.ts"

export const RECORD_HEADER_BYTES = 40

/** The content of a record. {@link Record} adds its batch. */
export type RecordBody =
  | { readonly _tag: "Entry"; readonly entry: LogEntry }
  | { readonly _tag: "HardState"; readonly hardState: HardState }
  | { readonly _tag: "TruncateFrom"; readonly fromIndex: number }
  | SnapshotMarkBody
  | { readonly _tag: "DurableThrough"; readonly batch: number }
  | { readonly _tag: "Seal"; readonly lastIndex: number }

/** A durable snapshot stands for all entries through `mark.index`. */
export interface SnapshotMarkBody {
  readonly _tag: "SnapshotMark"
  readonly mark: SnapshotMark
  /** Whether the log begins anew behind the mark: then no entry before this record is part of it. */
  readonly restarts: boolean
  /** The log needs no segment below this one: they may be missing. */
  readonly firstSegment: number
}

/** A body in its batch. The last record of a batch says so: a batch without it is torn. */
export interface Record {
  readonly batch: number
  readonly endsBatch: boolean
  readonly body: RecordBody
}

/** The place of a record. Its checksum covers salt and offset, so no payload and no old block passes for a record. */
export interface Place {
  readonly salt: Uint8Array
  readonly offset: number
}

/** The header of a record. Its own checksum proves it, even if the payload is damaged. */
export interface RecordHeader {
  readonly payloadBytes: number
  readonly type: number
  readonly flags: number
  readonly batch: number
  readonly index: number
  readonly term: number
  readonly payloadChecksum: number
}

const TYPE = { Entry: 1, HardState: 2, TruncateFrom: 3, SnapshotMark: 4, DurableThrough: 5, Seal: 6 } as const
const ENTRY_TYPES: ReadonlyArray<EntryType> = ["noop", "transaction", "configuration"]
const FLAG_ENDS_BATCH = 0x80
const FLAG_VOTED = 0x01
const FLAG_RESTARTS = 0x01
const SNAPSHOT_MARK_BYTES = 8
const NO_BYTES = new Uint8Array(0)
const utf8 = new TextEncoder()
const utf8Decoder = new TextDecoder("utf-8", { ignoreBOM: true })

interface Fields {
  readonly type: number
  readonly flags: number
  readonly index: number
  readonly term: number
  readonly payload: Uint8Array
}

function fieldsOf(body: RecordBody): Fields {
  switch (body._tag) {
    case "Entry": {
      const { index, term, type, payload } = body.entry
      return { type: TYPE.Entry, flags: ENTRY_TYPES.indexOf(type), index, term, payload }
    }
    case "HardState": {
      const { currentTerm, votedFor } = body.hardState
      const voted = votedFor !== undefined
      const payload = voted ? utf8.encode(votedFor) : NO_BYTES
      return { type: TYPE.HardState, flags: voted ? FLAG_VOTED : 0, index: 0, term: currentTerm, payload }
    }
    case "TruncateFrom":
      return { type: TYPE.TruncateFrom, flags: 0, index: body.fromIndex, term: 0, payload: NO_BYTES }
    case "SnapshotMark": {
      const payload = new Uint8Array(SNAPSHOT_MARK_BYTES)
      setUint64(viewOf(payload), 0, body.firstSegment)
      return { type: TYPE.SnapshotMark, flags: body.restarts ? FLAG_RESTARTS : 0, ...body.mark, payload }
    }
    case "DurableThrough":
      return { type: TYPE.DurableThrough, flags: 0, index: body.batch, term: 0, payload: NO_BYTES }
    case "Seal":
      return { type: TYPE.Seal, flags: 0, index: body.lastIndex, term: 0, payload: NO_BYTES }
  }
}

function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8
}

/** The bytes that a record with this payload takes, with its padding. */
export function recordBytes(payloadBytes: number): number {
  return RECORD_HEADER_BYTES + padded(payloadBytes)
}

/** The bytes that a record of this body takes. */
export function bodyBytes(body: RecordBody): number {
  return recordBytes(body._tag === "Entry" ? body.entry.payload.length : fieldsOf(body).payload.length)
}

const CHECKED_HEADER_BYTES = 36
const SEED_BYTES = 16
/** The seed and behind it the header. All records share this buffer, so that none needs one of its own. */
const checked = new Uint8Array(SEED_BYTES + CHECKED_HEADER_BYTES)
const checkedView = viewOf(checked)

function headerChecksum(source: Uint8Array, at: number, place: Place): number {
  checked.set(place.salt)
  setUint64(checkedView, 8, place.offset)
  for (let byte = 0; byte < CHECKED_HEADER_BYTES; byte++) checked[SEED_BYTES + byte] = source[at + byte]!
  return checksum(checked)
}

/** Bytes to write records into, with a view on exactly these bytes. */
export interface RecordTarget {
  readonly bytes: Uint8Array
  readonly view: DataView
}

/** Writes `record` into `target` at `at`, for `place` in its segment, and returns its length. */
export function encodeRecord(
  record: Record,
  options: { readonly target: RecordTarget; readonly at: number; readonly place: Place }
): number {
  const { type, flags, index, term, payload } = fieldsOf(record.body)
  const { at, place } = options
  const { bytes, view } = options.target
  const length = recordBytes(payload.length)
  const payloadAt = at + RECORD_HEADER_BYTES
  bytes.set(payload, payloadAt)
  bytes.fill(0, payloadAt + payload.length, at + length)
  view.setUint32(at, payload.length, true)
  view.setUint8(at + 4, type)
  view.setUint8(at + 5, flags | (record.endsBatch ? FLAG_ENDS_BATCH : 0))
  view.setUint16(at + 6, 0, true)
  setUint64(view, at + 8, record.batch)
  setUint64(view, at + 16, index)
  setUint64(view, at + 24, term)
  view.setUint32(at + 32, checksum(bytes.subarray(payloadAt, at + length)), true)
  view.setUint32(at + CHECKED_HEADER_BYTES, headerChecksum(bytes, at, place), true)
  return length
}

/** The header at `at` of `source`; undefined if there is none, or if it is damaged. */
export function decodeHeader(source: Uint8Array, at: number, place: Place): RecordHeader | undefined {
  if (at + RECORD_HEADER_BYTES > source.length) return undefined
  const type = source[at + 4]!
  if (type === 0 || type > TYPE.Seal) return undefined
  const view = viewOf(source.subarray(at, at + RECORD_HEADER_BYTES))
  if (view.getUint32(CHECKED_HEADER_BYTES, true) !== headerChecksum(source, at, place)) return undefined
  const batch = getUint64(view, 8)
  const index = getUint64(view, 16)
  const term = getUint64(view, 24)
  if (batch === undefined || index === undefined || term === undefined) return undefined
  return {
    payloadBytes: view.getUint32(0, true),
    type,
    flags: source[at + 5]!,
    batch,
    index,
    term,
    payloadChecksum: view.getUint32(32, true)
  }
}

/** The result of reading a record. `Unknown` is intact and has a later format: this version must not guess. */
export type DecodedRecord =
  | { readonly _tag: "Record"; readonly record: Record; readonly lengthBytes: number }
  | { readonly _tag: "Damaged"; readonly what: string }
  | { readonly _tag: "Unknown"; readonly what: string }

/** Reads the record at `at` of `source`. An entry's payload is a view on `source`, not a copy. */
export function decodeRecord(source: Uint8Array, at: number, place: Place): DecodedRecord {
  const header = decodeHeader(source, at, place)
  if (header === undefined) return { _tag: "Damaged", what: "header checksum differs" }
  const lengthBytes = recordBytes(header.payloadBytes)
  if (at + lengthBytes > source.length) return { _tag: "Damaged", what: "record reaches past the end of the segment" }
  // The checksum covers the padding too, and so every byte of a record.
  const body = source.subarray(at + RECORD_HEADER_BYTES, at + lengthBytes)
  if (checksum(body) !== header.payloadChecksum) return { _tag: "Damaged", what: "payload checksum differs" }
  const codec = source[at + 6]! | source[at + 7]!
  const decoded = codec === 0 ? bodyOf(header, body.subarray(0, header.payloadBytes)) : undefined
  if (decoded === undefined) return { _tag: "Unknown", what: `record type ${header.type} of a format unknown here` }
  const endsBatch = (header.flags & FLAG_ENDS_BATCH) !== 0
  return { _tag: "Record", record: { batch: header.batch, endsBatch, body: decoded }, lengthBytes }
}

function bodyOf(header: RecordHeader, payload: Uint8Array): RecordBody | undefined {
  const flags = header.flags & ~FLAG_ENDS_BATCH
  switch (header.type) {
    case TYPE.Entry: {
      const type = ENTRY_TYPES[flags]
      if (type === undefined) return undefined
      return { _tag: "Entry", entry: { index: header.index, term: header.term, type, payload } }
    }
    case TYPE.HardState: {
      const votedFor = flags === FLAG_VOTED ? utf8Decoder.decode(payload) : undefined
      return { _tag: "HardState", hardState: { currentTerm: header.term, votedFor } }
    }
    case TYPE.TruncateFrom:
      return { _tag: "TruncateFrom", fromIndex: header.index }
    case TYPE.SnapshotMark: {
      const firstSegment = payload.length === SNAPSHOT_MARK_BYTES ? getUint64(viewOf(payload), 0) : undefined
      if (firstSegment === undefined || (flags & ~FLAG_RESTARTS) !== 0) return undefined
      const mark = { index: header.index, term: header.term }
      return { _tag: "SnapshotMark", mark, restarts: flags === FLAG_RESTARTS, firstSegment }
    }
    case TYPE.DurableThrough:
      return { _tag: "DurableThrough", batch: header.index }
    case TYPE.Seal:
      return { _tag: "Seal", lastIndex: header.index }
    default:
      return undefined
  }
}
