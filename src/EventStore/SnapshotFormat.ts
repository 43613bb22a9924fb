/** The bytes of a snapshot file: header, checked chunks, trailer with a digest; and back. Pure. The layout is in FORMAT.md. */
import { createHash } from "node:crypto"
import { invariant } from "../Invariant.ts"
import { checksum, getUint64, setUint64, viewOf } from "./Bytes.ts"
import { codecs, plain, type Stored } from "./Compression.ts"

export const SNAPSHOT_HEADER_BYTES = 40
export const SNAPSHOT_TRAILER_BYTES = 64
/**
 * The content of a chunk as this version writes it. Encoding it keeps the thread for half a millisecond. Readers take
 * any up to {@link CHUNK_BYTES_MAX}.
 */
export const SNAPSHOT_CHUNK_BYTES = 64 * 1024

/** By version, the bytes of a chunk before its content. Since version 2 the content may be compressed. */
const CHUNK_HEAD_BYTES = { 1: 8, 2: 16 } as const
type Version = keyof typeof CHUNK_HEAD_BYTES
/** No longer field is believed, so that a flipped bit cannot make a reader ask for gigabytes. */
const CHUNK_BYTES_MAX = 1024 * 1024
const CONFIGURATION_BYTES_MAX = 1024 * 1024
const MAGIC = new TextEncoder().encode("LITHSNAP")

/** What a snapshot stands for: all entries through `index`, the last of which is of `term`, and the membership there (§7). */
export interface SnapshotMetadata {
  readonly index: number
  readonly term: number
  /** The configuration in force at `index`, as consensus encodes it. */
  readonly configuration: Uint8Array
}

/** What is in a snapshot. */
export interface SnapshotContent {
  /** Pulled only as far as the next chunk needs: it must be of state that does not change meanwhile, of a clone. */
  readonly content: Iterable<Uint8Array>
  /** Whether the content may be compressed. Releases of format 2 and before cannot read that. False unless told. */
  readonly isCompressed?: boolean
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
  /** 1 to {@link SNAPSHOT_CHUNK_BYTES} bytes of content. Only version 2 holds them as they are stored. */
  readonly chunk: (content: Uint8Array, stored?: Stored) => Uint8Array
  readonly end: () => { readonly trailer: Uint8Array; readonly info: SnapshotInfo }
}

export function makeEncoder(metadata: SnapshotMetadata, version: Version = 1): SnapshotEncoder {
  const header = encodeHeader(metadata, version)
  const headBytes = CHUNK_HEAD_BYTES[version]
  const hash = createHash("sha256").update(header)
  let offset = header.length
  let contentBytes = 0
  return {
    header,
    chunk: (content, { codec, stored } = plain(content)) => {
      invariant(content.length > 0 && content.length <= SNAPSHOT_CHUNK_BYTES, "a snapshot's chunk is empty or too long")
      invariant(version > 1 || codec === "plain", "a snapshot of version 1 is not compressed")
      const bytes = new Uint8Array(headBytes + padded(stored.length))
      bytes.set(stored, headBytes)
      const view = viewOf(bytes)
      view.setUint32(0, stored.length, true)
      if (version > 1) {
        view.setUint32(8, content.length, true)
        view.setUint8(12, codecs.indexOf(codec))
      }
      view.setUint32(4, placedChecksum(offset, [bytes.subarray(0, 4), bytes.subarray(8)]), true)
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

function encodeHeader({ index, term, configuration }: SnapshotMetadata, version: Version): Uint8Array {
  invariant(configuration.length <= CONFIGURATION_BYTES_MAX, "a configuration is longer than a snapshot holds")
  const bytes = new Uint8Array(SNAPSHOT_HEADER_BYTES + padded(configuration.length))
  const view = viewOf(bytes)
  bytes.set(MAGIC, 0)
  view.setUint32(8, version, true)
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
  version: Version
  /** Of all bytes so far. Absent if the file was verified before: then its digest counts as right. */
  readonly hash: Hash | undefined
}

export function beginScan({ isVerified = false }: { readonly isVerified?: boolean } = {}): SnapshotScan {
  const hash = isVerified ? undefined : createHash("sha256")
  return { offset: 0, contentBytes: 0, metadata: undefined, version: 1, hash }
}

/** The next piece of a snapshot, whose bytes were passed; `Short` asks for so many at least. */
export type Scanned =
  | { readonly _tag: "Short"; readonly neededBytes: number }
  | { readonly _tag: "Header" }
  /** Content of `rawBytes` as it is stored: a view on the bytes that were passed. */
  | ({ readonly _tag: "Content"; readonly rawBytes: number } & Stored)
  /** The trailer: nothing may follow it. */
  | { readonly _tag: "End"; readonly info: SnapshotInfo }
  | { readonly _tag: "Damaged"; readonly what: string }

/** Reads one piece from `bytes`, which begin at `scan.offset` and may reach further than it. */
export function scanNext(scan: SnapshotScan, bytes: Uint8Array): Scanned {
  if (scan.metadata === undefined) return scanHeader(scan, bytes)
  const headBytes = CHUNK_HEAD_BYTES[scan.version]
  if (bytes.length < headBytes) return { _tag: "Short", neededBytes: headBytes }
  const view = viewOf(bytes)
  const storedBytes = view.getUint32(0, true)
  if (storedBytes === 0) return scanTrailer(scan, scan.metadata, bytes)
  if (storedBytes > CHUNK_BYTES_MAX) return { _tag: "Damaged", what: `a chunk of ${storedBytes} bytes` }
  const lengthBytes = headBytes + padded(storedBytes)
  if (bytes.length < lengthBytes) return { _tag: "Short", neededBytes: lengthBytes }
  const chunk = bytes.subarray(0, lengthBytes)
  const sum = placedChecksum(scan.offset, [chunk.subarray(0, 4), chunk.subarray(8)])
  if (view.getUint32(4, true) !== sum) return { _tag: "Damaged", what: "chunk checksum differs" }
  const rawBytes = scan.version > 1 ? view.getUint32(8, true) : storedBytes
  const codec = codecs[scan.version > 1 ? view.getUint8(12) : 0]
  if (codec === undefined || rawBytes > CHUNK_BYTES_MAX)
    return { _tag: "Damaged", what: "a chunk of a form unknown here" }
  scan.hash?.update(chunk)
  scan.offset += lengthBytes
  scan.contentBytes += rawBytes
  return { _tag: "Content", rawBytes, codec, stored: chunk.subarray(headBytes, headBytes + storedBytes) }
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
  if (version !== 1 && version !== 2) return { _tag: "Damaged", what: `snapshot version ${version} is unknown here` }
  const index = getUint64(view, 16)
  const term = getUint64(view, 24)
  if (index === undefined || term === undefined) return { _tag: "Damaged", what: "a field is out of range" }
  scan.metadata = {
    index,
    term,
    configuration: header.slice(SNAPSHOT_HEADER_BYTES, SNAPSHOT_HEADER_BYTES + configurationBytes)
  }
  scan.version = version
  scan.hash?.update(header)
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
  const digest = scan.hash?.copy().update(trailer.subarray(8, 32)).digest() ?? Buffer.from(trailer.subarray(32, 64))
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
