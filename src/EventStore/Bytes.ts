/** Integers and checksums as the log's files hold them: little-endian, CRC-32 (ISO-HDLC). Pure. */
import { crc32 } from "node:zlib"
import { invariant } from "../Invariant.ts"

const TWO_32 = 0x1_0000_0000

/** The CRC-32 of `bytes`, continued from `seed`. */
export function checksum(bytes: Uint8Array, seed = 0): number {
  return crc32(bytes, seed)
}

/** A view on exactly the bytes of an array that may be part of a larger buffer. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Writes a 64-bit integer. Integers of a log stay below 2^53, so a JavaScript number holds them exactly. */
export function setUint64(view: DataView, offset: number, value: number): void {
  invariant(Number.isSafeInteger(value) && value >= 0, `a 64-bit field cannot hold ${value}`)
  view.setUint32(offset, value % TWO_32, true)
  view.setUint32(offset + 4, Math.floor(value / TWO_32), true)
}

/** Reads a 64-bit integer; undefined from 2^53 on, since no log writes that. */
export function getUint64(view: DataView, offset: number): number | undefined {
  const value = view.getUint32(offset + 4, true) * TWO_32 + view.getUint32(offset, true)
  return Number.isSafeInteger(value) ? value : undefined
}

const ZEROS = new Uint8Array(64 * 1024)

/** Whether nobody wrote anything from `fromOffset` on: files are zero-filled ahead. */
export function isZeroFrom(bytes: Uint8Array, fromOffset: number): boolean {
  for (let offset = fromOffset; offset < bytes.length; offset += ZEROS.length) {
    const part = bytes.subarray(offset, offset + ZEROS.length)
    if (Buffer.compare(part, ZEROS.subarray(0, part.length)) !== 0) return false
  }
  return true
}
