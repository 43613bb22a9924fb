/**
 * The bytes of a backup archive: a header, checked frames, and an end with the digest of all before it; and back. Pure.
 * FORMAT.md has the layout. What a manifest says is in Backup/Manifest.ts, and what a snapshot holds in
 * Machine/Snapshot.ts.
 */
import { createHash } from "node:crypto"
import { invariant } from "../Invariant.ts"
import { checksum, getUint64, setUint64, viewOf } from "./Bytes.ts"
import type { EntryType, LogEntry } from "./LogEntry.ts"

const ARCHIVE_HEADER_BYTES = 16
const FRAME_HEAD_BYTES = 12
const ENTRY_HEAD_BYTES = 24
const ARCHIVE_VERSION = 1
const MAGIC = new TextEncoder().encode("LITHARCH")
const DIGEST_BYTES = 32

/** The payload of a frame as this version writes it. A single larger entry makes a larger frame. */
export const ARCHIVE_FRAME_BYTES = 64 * 1024
/** No longer frame is believed: the largest entry, with room for its head. */
const FRAME_BYTES_MAX = 9 * 1024 * 1024

const kinds = { manifest: 1, snapshot: 2, entries: 3, end: 4 } as const
const entryTypes: ReadonlyArray<EntryType> = ["noop", "transaction", "configuration"]

/** One piece of an archive, in the order in which they stand: a manifest, snapshot pieces, entries, the end. */
export type ArchivePiece =
  | { readonly _tag: "Manifest"; readonly json: Uint8Array }
  /** A part of a snapshot's content, cut anywhere. */
  | { readonly _tag: "Snapshot"; readonly content: Uint8Array }
  /** Entries of the log, ascending and without a gap. */
  | { readonly _tag: "Entries"; readonly entries: ReadonlyArray<LogEntry> }
  /** The last piece. `digest` is SHA-256 in hexadecimal, and stands for every byte before its frame. */
  | { readonly _tag: "End"; readonly digest: string; readonly fileBytes: number }

/** Gives the bytes of one archive in order. */
export interface ArchiveEncoder {
  readonly begin: (manifest: Uint8Array) => Uint8Array
  /** 1 to {@link ARCHIVE_FRAME_BYTES} bytes of a snapshot's content. */
  readonly snapshot: (content: Uint8Array) => Uint8Array
  readonly entries: (entries: ReadonlyArray<LogEntry>) => Uint8Array
  readonly end: () => Uint8Array
}

/** The checksum of a frame. It holds the offset too, so that no frame passes for another. */
function frameChecksum(offset: number, frame: Uint8Array): number {
  const place = new Uint8Array(8)
  setUint64(viewOf(place), 0, offset)
  return checksum(frame.subarray(FRAME_HEAD_BYTES), checksum(frame.subarray(0, 8), checksum(place)))
}

/** Begins an archive. */
export function makeArchiveEncoder(): ArchiveEncoder {
  const hash = createHash("sha256")
  let offset = 0
  const put = (bytes: Uint8Array): Uint8Array => {
    hash.update(bytes)
    offset += bytes.length
    return bytes
  }
  const frame = (kind: number, payload: Uint8Array): Uint8Array => {
    invariant(payload.length > 0 && payload.length <= FRAME_BYTES_MAX, "an archive's frame is empty or too long")
    const bytes = new Uint8Array(FRAME_HEAD_BYTES + payload.length)
    const view = viewOf(bytes)
    view.setUint32(0, payload.length, true)
    view.setUint32(4, kind, true)
    bytes.set(payload, FRAME_HEAD_BYTES)
    view.setUint32(8, frameChecksum(offset, bytes), true)
    return bytes
  }
  return {
    begin: (manifest) => {
      const header = new Uint8Array(ARCHIVE_HEADER_BYTES)
      header.set(MAGIC, 0)
      viewOf(header).setUint32(8, ARCHIVE_VERSION, true)
      put(header)
      return Buffer.concat([header, put(frame(kinds.manifest, manifest))])
    },
    snapshot: (content) => put(frame(kinds.snapshot, content)),
    entries: (entries) => put(frame(kinds.entries, encodeEntries(entries))),
    end: () => frame(kinds.end, hash.copy().digest())
  }
}

/** The bytes that an entry takes in a frame. */
export const archivedEntryBytes = ({ payload }: LogEntry): number => ENTRY_HEAD_BYTES + payload.length

function encodeEntries(entries: ReadonlyArray<LogEntry>): Uint8Array {
  const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + archivedEntryBytes(entry), 0))
  const view = viewOf(bytes)
  let at = 0
  for (const { index, payload, term, type } of entries) {
    setUint64(view, at, index)
    setUint64(view, at + 8, term)
    view.setUint32(at + 16, entryTypes.indexOf(type), true)
    view.setUint32(at + 20, payload.length, true)
    bytes.set(payload, at + ENTRY_HEAD_BYTES)
    at += ENTRY_HEAD_BYTES + payload.length
  }
  return bytes
}

function decodeEntries(bytes: Uint8Array): ReadonlyArray<LogEntry> | undefined {
  const view = viewOf(bytes)
  const entries: Array<LogEntry> = []
  for (let at = 0; at < bytes.length; ) {
    if (at + ENTRY_HEAD_BYTES > bytes.length) return undefined
    const index = getUint64(view, at)
    const term = getUint64(view, at + 8)
    const type = entryTypes[view.getUint32(at + 16, true)]
    const end = at + ENTRY_HEAD_BYTES + view.getUint32(at + 20, true)
    if (index === undefined || term === undefined || type === undefined || end > bytes.length) return undefined
    entries.push({ index, term, type, payload: bytes.slice(at + ENTRY_HEAD_BYTES, end) })
    at = end
  }
  return entries
}

/** How far the reading of an archive has come; {@link scanArchive} advances it. All before `offset` is intact. */
export interface ArchiveScan {
  offset: number
  kind: number
  readonly hash: ReturnType<typeof createHash>
}

/** Begins at the first byte. */
export const beginArchiveScan = (): ArchiveScan => ({ offset: 0, kind: 0, hash: createHash("sha256") })

/** The next piece; `Short` asks for so many bytes at least. */
export type ArchiveScanned =
  | ArchivePiece
  | { readonly _tag: "Short"; readonly neededBytes: number }
  | { readonly _tag: "Damaged"; readonly what: string }

const damaged = (what: string): ArchiveScanned => ({ _tag: "Damaged", what })

/** Reads one piece from `bytes`, which begin at `scan.offset` and may reach further than it. */
export function scanArchive(scan: ArchiveScan, bytes: Uint8Array): ArchiveScanned {
  const headerBytes = scan.offset === 0 ? ARCHIVE_HEADER_BYTES : 0
  const neededBytes = headerBytes + FRAME_HEAD_BYTES
  if (bytes.length < neededBytes) return { _tag: "Short", neededBytes }
  const view = viewOf(bytes)
  if (scan.offset === 0) {
    if (MAGIC.some((byte, at) => bytes[at] !== byte)) return damaged("this is no archive of Lithair")
    const version = view.getUint32(8, true)
    if (version !== ARCHIVE_VERSION) return damaged(`archive version ${version} is unknown here`)
    if (view.getUint32(12, true) !== 0) return damaged("the header is not as this version writes it")
  }
  const payloadBytes = view.getUint32(headerBytes, true)
  const kind = view.getUint32(headerBytes + 4, true)
  if (payloadBytes === 0 || payloadBytes > FRAME_BYTES_MAX) return damaged(`a frame of ${payloadBytes} bytes`)
  const lengthBytes = neededBytes + payloadBytes
  if (bytes.length < lengthBytes) return { _tag: "Short", neededBytes: lengthBytes }
  const frame = bytes.subarray(headerBytes, lengthBytes)
  if (view.getUint32(headerBytes + 8, true) !== frameChecksum(scan.offset + headerBytes, frame))
    return damaged("frame checksum differs")
  const isNext = scan.kind === 0 ? kind === kinds.manifest : kind > kinds.manifest && kind >= scan.kind
  if (!isNext) return damaged(`a frame of kind ${kind} after one of kind ${scan.kind}`)
  const payload = frame.subarray(FRAME_HEAD_BYTES)
  if (kind === kinds.end) return endOf(scan, payload, lengthBytes)
  const piece = pieceOf(kind, payload)
  if (piece._tag === "Damaged") return piece
  scan.kind = kind
  scan.hash.update(bytes.subarray(0, lengthBytes))
  scan.offset += lengthBytes
  return piece
}

function endOf(scan: ArchiveScan, payload: Uint8Array, lengthBytes: number): ArchiveScanned {
  // A copy of the hash: the scan is as it was, should its caller come back here.
  const digest = scan.hash.copy().digest()
  if (payload.length !== DIGEST_BYTES || !digest.equals(payload)) return damaged("digest differs")
  return { _tag: "End", digest: digest.toString("hex"), fileBytes: scan.offset + lengthBytes }
}

function pieceOf(kind: number, payload: Uint8Array): Exclude<ArchiveScanned, { readonly _tag: "Short" | "End" }> {
  switch (kind) {
    case kinds.manifest:
      return { _tag: "Manifest", json: payload.slice() }
    case kinds.snapshot:
      return { _tag: "Snapshot", content: payload }
    case kinds.entries: {
      const entries = decodeEntries(payload)
      return entries === undefined
        ? { _tag: "Damaged", what: "entries that do not fit their frame" }
        : { _tag: "Entries", entries }
    }
    default:
      return { _tag: "Damaged", what: `a frame of the unknown kind ${kind}` }
  }
}
