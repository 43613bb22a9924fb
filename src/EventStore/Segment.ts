/** The header of a segment file, and its name. Pure. FORMAT.md has the layout, Record.ts the records behind it. */
import { invariant } from "../Invariant.ts"
import { checksum, getUint64, setUint64, viewOf } from "./Bytes.ts"

export const SEGMENT_HEADER_BYTES = 128
export const SEGMENT_SIZE_BYTES_DEFAULT = 16 * 1024 * 1024
export const FORMAT_VERSION = 1

/** The header of a segment. Segments are numbered from 1 without a gap. */
export interface SegmentHeader {
  readonly number: number
  /** The index of the next entry when the segment was made. */
  readonly baseIndex: number
  /** The whole file, zero-filled ahead. A file of another size is damaged. */
  readonly sizeBytes: number
  /** The running checksum of all records of the segment before it, with its seal; 0 for the first. */
  readonly previousChecksum: number
  /** Eight random bytes that the checksum of every record here covers. */
  readonly salt: Uint8Array
  readonly clusterId: string | undefined
  /** The term of the entry before `baseIndex`, which may be compacted away; 0 before the first. */
  readonly baseTerm: number
}

const MAGIC = new TextEncoder().encode("LITHAIR\n")
const SALT_BYTES = 8
const CLUSTER_ID_OFFSET = 56
const CLUSTER_ID_BYTES_MAX = 56

/** The name of a segment's file: its number in decimal, so that names sort as segments do. */
export function segmentName(number: number): string {
  return `${String(number).padStart(12, "0")}.log`
}

/** The number in a segment's name; undefined for other files. */
export function segmentNumber(name: string): number | undefined {
  return /^\d{12}\.log$/.test(name) ? Number(name.slice(0, 12)) : undefined
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES)
  const view = viewOf(bytes)
  const clusterId = new TextEncoder().encode(header.clusterId ?? "")
  invariant(clusterId.length <= CLUSTER_ID_BYTES_MAX, "a cluster id is longer than a segment header holds")
  invariant(header.salt.length === SALT_BYTES, "a segment's salt is not eight bytes")
  bytes.set(MAGIC, 0)
  view.setUint32(8, FORMAT_VERSION, true)
  setUint64(view, 16, header.number)
  setUint64(view, 24, header.baseIndex)
  setUint64(view, 32, header.sizeBytes)
  view.setUint32(40, header.previousChecksum, true)
  bytes.set(header.salt, 48)
  bytes.set(clusterId, CLUSTER_ID_OFFSET)
  setUint64(view, 112, header.baseTerm)
  view.setUint32(124, checksum(bytes.subarray(0, 124)), true)
  return bytes
}

/** Reads the header of a segment, or says what is wrong with it or with the size of its file. */
export function decodeSegmentHeader(bytes: Uint8Array): SegmentHeader | string {
  const header = decodeSegmentHead(bytes)
  if (typeof header === "string" || bytes.length === header.sizeBytes) return header
  return `the file has ${bytes.length} bytes, its header says ${header.sizeBytes}`
}

/** Whether the header is intact, and of another format than this code knows: nothing is damaged then. */
export function isOfUnknownFormat(bytes: Uint8Array): boolean {
  if (bytes.length < SEGMENT_HEADER_BYTES) return false
  const view = viewOf(bytes)
  if (view.getUint32(124, true) !== checksum(bytes.subarray(0, 124))) return false
  return MAGIC.some((byte, at) => bytes[at] !== byte) || view.getUint32(8, true) !== FORMAT_VERSION
}

/** Reads the header of a file, and looks at nothing else of it. */
export function decodeSegmentHead(bytes: Uint8Array): SegmentHeader | string {
  if (bytes.length < SEGMENT_HEADER_BYTES) return "the file is shorter than a segment header"
  const head = bytes.subarray(0, SEGMENT_HEADER_BYTES)
  const view = viewOf(head)
  if (view.getUint32(124, true) !== checksum(head.subarray(0, 124))) return "segment header checksum differs"
  if (MAGIC.some((byte, at) => head[at] !== byte)) return "this is no segment of a Lithair log"
  const version = view.getUint32(8, true)
  if (version !== FORMAT_VERSION) return `format version ${version} is unknown here, ${FORMAT_VERSION} is known`
  const number = getUint64(view, 16)
  const baseIndex = getUint64(view, 24)
  const sizeBytes = getUint64(view, 32)
  const baseTerm = getUint64(view, 112)
  if (number === undefined || baseIndex === undefined || sizeBytes === undefined || baseTerm === undefined) {
    return "a field is out of range"
  }
  const idField = head.subarray(CLUSTER_ID_OFFSET, CLUSTER_ID_OFFSET + CLUSTER_ID_BYTES_MAX)
  const idEnd = idField.indexOf(0)
  const clusterId = new TextDecoder().decode(idEnd < 0 ? idField : idField.subarray(0, idEnd))
  return {
    number,
    baseIndex,
    sizeBytes,
    previousChecksum: view.getUint32(40, true),
    // This copies the salt. A view, such as `slice` of a `Buffer`, would keep the whole segment in memory.
    salt: new Uint8Array(head.subarray(48, 48 + SALT_BYTES)),
    clusterId: clusterId === "" ? undefined : clusterId,
    baseTerm
  }
}

/** Reads only the salt, of a header that recovery has verified. */
export function decodeSegmentSalt(header: Uint8Array): Uint8Array {
  return new Uint8Array(header.subarray(48, 48 + SALT_BYTES))
}
