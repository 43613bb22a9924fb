/** The bytes of a snapshot file: header, checked chunks, trailer with a digest; and back. Pure. The layout is in FORMAT.md. */
import { createHash } from "node:crypto"
import { invariant } from "../Invariant.ts"
import { checksum, getUint64, setUint64, viewOf } from "./Bytes.ts"

export const SNAPSHOT_HEADER_BYTES = 40
export const SNAPSHOT_TRAILER_BYTES = 64
/**
 * The content of a chunk as this version writes it. Encoding it keeps the thread for half a millisecond. Readers take
 * any up to {@link CHUNK_BYTES_MAX}.
 */
export const SNAPSHOT_CHUNK_BYTES = 64 * 1024

const CHUNK_HEAD_BYTES = 8
/** No longer field is believed, so that a flipped bit cannot make a reader ask for gigabytes. */
const CHUNK_BYTES_MAX = 1024 * 1024
const CONFIGURATION_BYTES_MAX = 1024 * 1024
const SNAPSHOT_VERSION = 1
const MAGIC = new TextEncoder().encode("LITHSNAP")

/** What a snapshot stands for: all entries through `index`, the last of which is of `term`, and the membership there (§7). */
export interface SnapshotMetadata {
  readonly index: number
  readonly term: number
  /** The configuration in force at `index`, as consensus encodes it. */
  readonly configuration: Uint8Array
}

/** A whole snapshot. `digest` is SHA-256 in hexadecimal, and stands for every byte of the file. */
export interface SnapshotInfo extends SnapshotMetadata {
  readonly contentBytes: number
  readonly fileBytes: number
  readonly digest: string
}

type Hash = ReturnType<typeof createHash>

const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8

/** The checksum of a chunk or trailer: it holds the offset too, so that none passes for another. */
function placedChecksum(offset: number, parts: ReadonlyArray<Uint8Array>): number {
  const place = new Uint8Array(8)
  setUint64(viewOf(place), 0, offset)
  return parts.reduce((sum, part) => checksum(part, sum), checksum(place))
}

/** Gives the bytes of one snapshot in order; what it gives is what the file holds. */
export interface SnapshotEncoder {
  readonly header: Uint8Array
  /** 1 to {@link SNAPSHOT_CHUNK_BYTES} bytes of content. */
  readonly chunk: (content: Uint8Array) => Uint8Array
  readonly end: () => { readonly trailer: Uint8Array; readonly info: SnapshotInfo }
}

export function makeEncoder(metadata: SnapshotMetadata): SnapshotEncoder {
  const header = encodeHeader(metadata)
  const hash = createHash("sha256").update(header)
  let offset = header.length
  let contentBytes = 0
  return {
    header,
    chunk: (content) => {
      invariant(content.length > 0 && content.length <= SNAPSHOT_CHUNK_BYTES, "a snapshot's chunk is empty or too long")
      const bytes = new Uint8Array(CHUNK_HEAD_BYTES + padded(content.length))
      bytes.set(content, CHUNK_HEAD_BYTES)
      const view = viewOf(bytes)
      view.setUint32(0, content.length, true)
      view.setUint32(4, placedChecksum(offset, [bytes.subarray(0, 4), bytes.subarray(CHUNK_HEAD_BYTES)]), true)
      hash.update(bytes)
      offset += bytes.length
      contentBytes += content.length
      return bytes
    },
    end: () => {
      const trailer = new Uint8Array(SNAPSHOT_TRAILER_BYTES)
      const view = viewOf(trailer)
      setUint64(view, 8, contentBytes)
      setUint64(view, 16, metadata.index)
      setUint64(view, 24, metadata.term)
      const digest = hash.update(trailer.subarray(8, 32)).digest()
      trailer.set(digest, 32)
      view.setUint32(4, placedChecksum(offset, [trailer.subarray(8)]), true)
      const fileBytes = offset + trailer.length
      return { trailer, info: { ...metadata, contentBytes, fileBytes, digest: digest.toString("hex") } }
    }
  }
}

function encodeHeader({ index, term, configuration }: SnapshotMetadata): Uint8Array {
  invariant(configuration.length <= CONFIGURATION_BYTES_MAX, "a configuration is longer than a snapshot holds")
  const bytes = new Uint8Array(SNAPSHOT_HEADER_BYTES + padded(configuration.length))
  const view = viewOf(bytes)
  bytes.set(MAGIC, 0)
  view.setUint32(8, SNAPSHOT_VERSION, true)
  view.setUint32(12, configuration.length, true)
  setUint64(view, 16, index)
  setUint64(view, 24, term)
  bytes.set(configuration, SNAPSHOT_HEADER_BYTES)
  view.setUint32(36, headerChecksum(bytes), true)
  return bytes
}

const headerChecksum = (header: Uint8Array): number =>
  checksum(header.subarray(SNAPSHOT_HEADER_BYTES), checksum(header.subarray(0, 36)))

/** How far the reading of a snapshot has come; {@link scanNext} advances it. All before `offset` is intact. */
export interface SnapshotScan {
  offset: number
  contentBytes: number
  metadata: SnapshotMetadata | undefined
  readonly hash: Hash
}

export function beginScan(): SnapshotScan {
  return { offset: 0, contentBytes: 0, metadata: undefined, hash: createHash("sha256") }
}

/** The next piece of a snapshot, whose bytes were passed; `Short` asks for so many at least. */
export type Scanned =
  | { readonly _tag: "Short"; readonly neededBytes: number }
  | { readonly _tag: "Header" }
  /** A view on the bytes that were passed. */
  | { readonly _tag: "Content"; readonly content: Uint8Array }
  /** The trailer: nothing may follow it. */
  | { readonly _tag: "End"; readonly info: SnapshotInfo }
  | { readonly _tag: "Damaged"; readonly what: string }

/** Reads one piece from `bytes`, which begin at `scan.offset` and may reach further than it. */
export function scanNext(scan: SnapshotScan, bytes: Uint8Array): Scanned {
  if (scan.metadata === undefined) return scanHeader(scan, bytes)
  if (bytes.length < CHUNK_HEAD_BYTES) return { _tag: "Short", neededBytes: CHUNK_HEAD_BYTES }
  const view = viewOf(bytes)
  const contentBytes = view.getUint32(0, true)
  if (contentBytes === 0) return scanTrailer(scan, scan.metadata, bytes)
  if (contentBytes > CHUNK_BYTES_MAX) return { _tag: "Damaged", what: `a chunk of ${contentBytes} bytes` }
  const lengthBytes = CHUNK_HEAD_BYTES + padded(contentBytes)
  if (bytes.length < lengthBytes) return { _tag: "Short", neededBytes: lengthBytes }
  const chunk = bytes.subarray(0, lengthBytes)
  const sum = placedChecksum(scan.offset, [chunk.subarray(0, 4), chunk.subarray(CHUNK_HEAD_BYTES)])
  if (view.getUint32(4, true) !== sum) return { _tag: "Damaged", what: "chunk checksum differs" }
  scan.hash.update(chunk)
  scan.offset += lengthBytes
  scan.contentBytes += contentBytes
  return { _tag: "Content", content: chunk.subarray(CHUNK_HEAD_BYTES, CHUNK_HEAD_BYTES + contentBytes) }
}

function scanHeader(scan: SnapshotScan, bytes: Uint8Array): Scanned {
  if (bytes.length < SNAPSHOT_HEADER_BYTES) return { _tag: "Short", neededBytes: SNAPSHOT_HEADER_BYTES }
  const view = viewOf(bytes)
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) return { _tag: "Damaged", what: "this is no snapshot of Lithair" }
  const configurationBytes = view.getUint32(12, true)
  if (configurationBytes > CONFIGURATION_BYTES_MAX) return { _tag: "Damaged", what: "the configuration is too long" }
  const lengthBytes = SNAPSHOT_HEADER_BYTES + padded(configurationBytes)
  if (bytes.length < lengthBytes) return { _tag: "Short", neededBytes: lengthBytes }
  const header = bytes.subarray(0, lengthBytes)
  if (view.getUint32(36, true) !== headerChecksum(header)) return { _tag: "Damaged", what: "header checksum differs" }
  const version = view.getUint32(8, true)
  if (version !== SNAPSHOT_VERSION) return { _tag: "Damaged", what: `snapshot version ${version} is unknown here` }
  const index = getUint64(view, 16)
  const term = getUint64(view, 24)
  if (index === undefined || term === undefined) return { _tag: "Damaged", what: "a field is out of range" }
  scan.metadata = {
    index,
    term,
    configuration: header.slice(SNAPSHOT_HEADER_BYTES, SNAPSHOT_HEADER_BYTES + configurationBytes)
  }
  scan.hash.update(header)
  scan.offset += lengthBytes
  return { _tag: "Header" }
}

function scanTrailer(scan: SnapshotScan, metadata: SnapshotMetadata, bytes: Uint8Array): Scanned {
  if (bytes.length < SNAPSHOT_TRAILER_BYTES) return { _tag: "Short", neededBytes: SNAPSHOT_TRAILER_BYTES }
  const trailer = bytes.subarray(0, SNAPSHOT_TRAILER_BYTES)
  const view = viewOf(trailer)
  const sum = placedChecksum(scan.offset, [trailer.subarray(8)])
  if (view.getUint32(4, true) !== sum) return { _tag: "Damaged", what: "trailer checksum differs" }
  // A copy of the hash: the scan is as it was, should its caller come back here.
  const digest = scan.hash.copy().update(trailer.subarray(8, 32)).digest()
  if (digest.some((byte, at) => byte !== trailer[32 + at])) return { _tag: "Damaged", what: "digest differs" }
  const isSame =
    getUint64(view, 8) === scan.contentBytes &&
    getUint64(view, 16) === metadata.index &&
    getUint64(view, 24) === metadata.term
  if (!isSame) return { _tag: "Damaged", what: "header and trailer differ" }
  const { contentBytes, offset } = scan
  const fileBytes = offset + SNAPSHOT_TRAILER_BYTES
  return { _tag: "End", info: { ...metadata, contentBytes, fileBytes, digest: digest.toString("hex") } }
}

/** The file of a snapshot; names sort as indexes do. */
export function snapshotName({ index, term }: { readonly index: number; readonly term: number }): string {
  return `${String(index).padStart(16, "0")}-${term}.snapshot`
}

/** What a name says, or undefined for a file that is no whole snapshot. */
export function parseSnapshotName(name: string): { readonly index: number; readonly term: number } | undefined {
  const [, index, term] = /^(\d{16})-(\d{1,16})\.snapshot$/.exec(name) ?? []
  return index === undefined || term === undefined ? undefined : { index: Number(index), term: Number(term) }
}
