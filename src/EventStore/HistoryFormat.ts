/**
 * The bytes of a history file: a header, blocks of entries that may be compressed, an index of the blocks, a trailer; and
 * back. Pure. The layout is in FORMAT.md.
 */
import { invariant } from "../Invariant.ts"
import { checksum, getUint64, setUint64, viewOf } from "./Bytes.ts"
import { type Codec, codecs } from "./Compression.ts"
import type { EntryType, LogEntry } from "./LogEntry.ts"

export const HISTORY_HEADER_BYTES = 32
export const HISTORY_TRAILER_BYTES = 64
const BLOCK_HEAD_BYTES = 32
const ENTRY_HEAD_BYTES = 16
const INDEXED_BYTES = 16
/** A block ends once its entries have so many bytes. One step of a walk through a record's history reads one block. */
export const HISTORY_BLOCK_BYTES = 64 * 1024
/** No longer field is believed: an entry has at most 8 MiB. */
const BLOCK_BYTES_MAX = 64 * 1024 * 1024
const VERSION = 1
const MAGIC = new TextEncoder().encode("LITHHIST")
const ENTRY_TYPES: ReadonlyArray<EntryType> = ["noop", "transaction", "configuration"]

/** A file of history: it holds the entries `fromIndex`..`toIndex`, all of them, in so many bytes. */
export interface HistoryFile {
  readonly fromIndex: number
  readonly toIndex: number
  readonly fileBytes: number
}

const digits = (index: number): string => String(index).padStart(16, "0")

/** Tells all of a file but its entries, so that a start reads names only. Names sort as files do. */
export const historyName = ({ fileBytes, fromIndex, toIndex }: HistoryFile): string =>
  `${digits(fromIndex)}-${digits(toIndex)}-${fileBytes}.history`

/** The file of that name; undefined for other files. */
export const parseHistoryName = (name: string): HistoryFile | undefined => {
  const [, from, to, bytes] = /^(\d{16})-(\d{16})-(\d{1,16})\.history$/.exec(name) ?? []
  const file = { fromIndex: Number(from), toIndex: Number(to), fileBytes: Number(bytes) }
  const isOne = historyName(file) === name && file.fromIndex >= 1 && file.fromIndex <= file.toIndex
  return isOne ? file : undefined
}

/** The name of the empty file that says through which erasure the files of a folder are rewritten. */
export const erasedName = (throughIndex: number): string => `erased-through-${digits(throughIndex)}`

/** The erasure in such a name; undefined for other files. */
export const parseErasedName = (name: string): number | undefined => {
  const [, through] = /^erased-through-(\d{16})$/.exec(name) ?? []
  return through === undefined ? undefined : Number(through)
}

export const encodeHistoryHeader = (fromIndex: number): Uint8Array => {
  const bytes = new Uint8Array(HISTORY_HEADER_BYTES)
  const view = viewOf(bytes)
  bytes.set(MAGIC, 0)
  view.setUint32(8, VERSION, true)
  setUint64(view, 16, fromIndex)
  view.setUint32(28, checksum(bytes.subarray(0, 28)), true)
  return bytes
}

/** Says what is wrong with a file's header, or undefined. */
export const refusalOfHeader = (bytes: Uint8Array, fromIndex: number): string | undefined => {
  if (bytes.length < HISTORY_HEADER_BYTES) return "the file is shorter than its header"
  const view = viewOf(bytes)
  if (view.getUint32(28, true) !== checksum(bytes.subarray(0, 28))) return "header checksum differs"
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) return "this is no file of history"
  const version = view.getUint32(8, true)
  if (version !== VERSION) return `format version ${version} is unknown here, ${VERSION} is known`
  return getUint64(view, 16) === fromIndex ? undefined : "it is another file than its name says"
}

/** The bytes that an entry takes in its block before compression. */
export const historyEntryBytes = ({ payload }: LogEntry): number => ENTRY_HEAD_BYTES + payload.length

/** The entries of a block as bytes, before compression. They follow each other without a gap. */
export const encodeEntries = (entries: ReadonlyArray<LogEntry>): Uint8Array => {
  let lengthBytes = 0
  for (const entry of entries) lengthBytes += historyEntryBytes(entry)
  const bytes = new Uint8Array(lengthBytes)
  const view = viewOf(bytes)
  let at = 0
  for (const { payload, term, type } of entries) {
    view.setUint32(at, payload.length, true)
    view.setUint8(at + 4, ENTRY_TYPES.indexOf(type))
    setUint64(view, at + 8, term)
    bytes.set(payload, at + ENTRY_HEAD_BYTES)
    at += ENTRY_HEAD_BYTES + payload.length
  }
  return bytes
}

/** The entries of a block; undefined if the bytes are no such entries. Payloads are views on `bytes`. */
export const decodeEntries = (
  bytes: Uint8Array,
  { count, firstIndex }: Pick<BlockHead, "count" | "firstIndex">
): ReadonlyArray<LogEntry> | undefined => {
  const view = viewOf(bytes)
  const entries: Array<LogEntry> = []
  let at = 0
  while (at + ENTRY_HEAD_BYTES <= bytes.length) {
    const endAt = at + ENTRY_HEAD_BYTES + view.getUint32(at, true)
    const type = ENTRY_TYPES[view.getUint8(at + 4)]
    const term = getUint64(view, at + 8)
    if (type === undefined || term === undefined || endAt > bytes.length) return undefined
    const payload = bytes.subarray(at + ENTRY_HEAD_BYTES, endAt)
    entries.push({ index: firstIndex + entries.length, term, type, payload })
    at = endAt
  }
  return at === bytes.length && entries.length === count ? entries : undefined
}

/** The head of a block. */
export interface BlockHead {
  readonly storedBytes: number
  readonly rawBytes: number
  readonly firstIndex: number
  readonly count: number
  readonly codec: Codec
}

const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8

/** The bytes of a block in its file. */
export const blockBytes = ({ storedBytes }: Pick<BlockHead, "storedBytes">): number =>
  BLOCK_HEAD_BYTES + padded(storedBytes)

const headChecksum = (head: Uint8Array, offset: number): number => {
  const place = new Uint8Array(8)
  setUint64(viewOf(place), 0, offset)
  return checksum(head.subarray(0, 28), checksum(place))
}

/** A block for `offset` of its file. */
export const encodeBlock = (stored: Uint8Array, head: Omit<BlockHead, "storedBytes">, offset: number): Uint8Array => {
  invariant(stored.length > 0 && head.rawBytes <= BLOCK_BYTES_MAX, "a block of history is empty or too long")
  const bytes = new Uint8Array(blockBytes({ storedBytes: stored.length }))
  const view = viewOf(bytes)
  bytes.set(stored, BLOCK_HEAD_BYTES)
  view.setUint32(0, stored.length, true)
  view.setUint32(4, head.rawBytes, true)
  setUint64(view, 8, head.firstIndex)
  view.setUint32(16, head.count, true)
  view.setUint8(20, codecs.indexOf(head.codec))
  view.setUint32(24, checksum(bytes.subarray(BLOCK_HEAD_BYTES)), true)
  view.setUint32(28, headChecksum(bytes, offset), true)
  return bytes
}

/** The block at the beginning of `bytes`, which stand at `offset` of the file; or what is wrong with it. */
export const decodeBlock = (
  bytes: Uint8Array,
  offset: number
): (BlockHead & { readonly stored: Uint8Array }) | string => {
  if (bytes.length < BLOCK_HEAD_BYTES) return "the file ends in a block"
  const view = viewOf(bytes)
  if (view.getUint32(28, true) !== headChecksum(bytes, offset)) return "block header checksum differs"
  const storedBytes = view.getUint32(0, true)
  const rawBytes = view.getUint32(4, true)
  const firstIndex = getUint64(view, 8)
  const codec = codecs[view.getUint8(20)]
  if (codec === undefined) return "a block of a format unknown here"
  if (firstIndex === undefined || rawBytes > BLOCK_BYTES_MAX) return "a field is out of range"
  const endAt = blockBytes({ storedBytes })
  if (endAt > bytes.length) return "the file ends in a block"
  if (checksum(bytes.subarray(BLOCK_HEAD_BYTES, endAt)) !== view.getUint32(24, true)) return "block checksum differs"
  const stored = bytes.subarray(BLOCK_HEAD_BYTES, BLOCK_HEAD_BYTES + storedBytes)
  return { storedBytes, rawBytes, firstIndex, count: view.getUint32(16, true), codec, stored }
}

/** Where the blocks of a file begin, ascending, and the end of the last. */
export interface BlockIndex {
  readonly blocks: ReadonlyArray<{ readonly firstIndex: number; readonly offset: number }>
  readonly endOffset: number
}

/** The bytes behind the last block of a file. */
export const encodeHistoryEnd = (
  { blocks, endOffset }: BlockIndex,
  { fromIndex, toIndex }: Pick<HistoryFile, "fromIndex" | "toIndex">
): Uint8Array => {
  const bytes = new Uint8Array(blocks.length * INDEXED_BYTES + HISTORY_TRAILER_BYTES)
  const view = viewOf(bytes)
  for (const [at, { firstIndex, offset }] of blocks.entries()) {
    setUint64(view, at * INDEXED_BYTES, firstIndex)
    setUint64(view, at * INDEXED_BYTES + 8, offset)
  }
  const trailerAt = blocks.length * INDEXED_BYTES
  setUint64(view, trailerAt + 8, endOffset)
  setUint64(view, trailerAt + 16, blocks.length)
  setUint64(view, trailerAt + 24, fromIndex)
  setUint64(view, trailerAt + 32, toIndex)
  view.setUint32(trailerAt + 4, endChecksum(bytes), true)
  return bytes
}

/** Covers all but the field that holds it. */
const endChecksum = (end: Uint8Array): number => {
  const trailerAt = end.length - HISTORY_TRAILER_BYTES
  return checksum(end.subarray(trailerAt + 8), checksum(end.subarray(0, trailerAt + 4)))
}

/** Where the index of a file begins, by its last bytes; or what is wrong with them. Only {@link decodeHistoryEnd} proves it. */
export const indexOffset = (trailer: Uint8Array, file: HistoryFile): number | string => {
  if (trailer.length < HISTORY_TRAILER_BYTES) return "the file is shorter than its name says"
  const view = viewOf(trailer)
  const offset = getUint64(view, 8)
  const count = getUint64(view, 16)
  const isRight =
    offset !== undefined &&
    count !== undefined &&
    offset + count * INDEXED_BYTES + HISTORY_TRAILER_BYTES === file.fileBytes &&
    getUint64(view, 24) === file.fromIndex &&
    getUint64(view, 32) === file.toIndex
  return isRight ? offset : "the trailer contradicts the file's name"
}

/** The index of a file, from all bytes behind its last block; or what is wrong with them. */
export const decodeHistoryEnd = (bytes: Uint8Array, endOffset: number): BlockIndex | string => {
  const trailerAt = bytes.length - HISTORY_TRAILER_BYTES
  const view = viewOf(bytes)
  if (view.getUint32(trailerAt + 4, true) !== endChecksum(bytes)) return "index checksum differs"
  const blocks = Array.from({ length: trailerAt / INDEXED_BYTES }, (_, at) => ({
    firstIndex: getUint64(view, at * INDEXED_BYTES) ?? 0,
    offset: getUint64(view, at * INDEXED_BYTES + 8) ?? 0
  }))
  return { blocks, endOffset }
}
