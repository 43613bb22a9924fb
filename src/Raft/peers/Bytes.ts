/** Writes and reads the fields of a frame, in order and big endian. Wire.ts has the frames. Pure; never throws. */

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** Bytes that nobody has cleared, since all of them are written before they are read; small ones share a pool. */
const allocate = (count: number): Uint8Array<ArrayBuffer> => {
  const { buffer, byteOffset } = Buffer.allocUnsafe(count)
  // A view that is no Buffer: `slice` copies it, as of all typed arrays.
  return new Uint8Array(buffer, byteOffset, count)
}

/** Writes fields. It trusts its own node: readers check the numbers. */
export class ByteWriter {
  private bytes: Uint8Array<ArrayBuffer>
  private used = 0

  /** `expectedBytes` saves it from growing, and is no limit. */
  constructor(expectedBytes = 256) {
    this.bytes = allocate(expectedBytes)
  }

  /** How many bytes it has written. */
  get length(): number {
    return this.used
  }

  /** Makes room for `count` bytes and gives their offset. It may replace `bytes`, so call it before you use them. */
  private reserve(count: number): number {
    const start = this.used
    this.used += count
    if (this.used > this.bytes.length) {
      const grown = allocate(Math.max(this.used, this.bytes.length * 2))
      grown.set(this.bytes)
      this.bytes = grown
    }
    return start
  }

  u8(value: number): this {
    const start = this.reserve(1)
    this.bytes[start] = value
    return this
  }

  u32(value: number): this {
    return this.putU32(this.reserve(4), value)
  }

  /** Writes a number over four bytes that are written already: a length that is known only now. */
  putU32(at: number, value: number): this {
    const { bytes } = this
    bytes[at] = value >>> 24
    bytes[at + 1] = value >>> 16
    bytes[at + 2] = value >>> 8
    bytes[at + 3] = value
    return this
  }

  /** A safe integer in eight bytes: terms, indexes and ids stay below 2^53. */
  u53(value: number): this {
    const start = this.reserve(8)
    return this.putU32(start, Math.floor(value / 0x1_0000_0000)).putU32(start + 4, value)
  }

  /** A length of four bytes, then the bytes themselves, untouched. */
  blob(value: Uint8Array): this {
    return this.u32(value.length).raw(value)
  }

  /** The bytes alone. */
  raw(value: Uint8Array): this {
    const start = this.reserve(value.length)
    this.bytes.set(value, start)
    return this
  }

  string(value: string): this {
    return this.blob(encoder.encode(value))
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.used)
  }
}

/** The field that could not be read, its offset, and what was found there. */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly field: string
  readonly offset: number
  readonly found: string
}

/** The number in the four bytes at `at`. */
export const u32At = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0

/**
 * Reads fields. The first one that fails sets {@link failure}, and every later read returns a neutral value. So a
 * decoder reads straight on and asks once, at the end. A loop over a count asks in each round.
 */
export class ByteReader {
  private readonly bytes: Uint8Array
  private offset = 0
  failure: Malformed | undefined = undefined

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  fail(field: string, found: string, offset: number = this.offset): Malformed {
    this.failure ??= { _tag: "Malformed", field, offset, found }
    return this.failure
  }

  /** Moves past `count` bytes and gives their offset; fails and gives undefined if fewer are left. */
  private take(field: string, count: number): number | undefined {
    if (this.failure !== undefined) return undefined
    const start = this.offset
    const left = this.bytes.length - start
    if (left < count) {
      this.fail(field, `${left} bytes where ${count} are needed`)
      return undefined
    }
    this.offset = start + count
    return start
  }

  u8(field: string): number {
    const start = this.take(field, 1)
    return start === undefined ? 0 : this.bytes[start]!
  }

  u32(field: string): number {
    const start = this.take(field, 4)
    return start === undefined ? 0 : u32At(this.bytes, start)
  }

  u53(field: string): number {
    const start = this.take(field, 8)
    if (start === undefined) return 0
    const high = u32At(this.bytes, start)
    if (high > 0x1f_ffff) {
      this.fail(field, "a number past 2^53 - 1", start)
      return 0
    }
    return high * 0x1_0000_0000 + u32At(this.bytes, start + 4)
  }

  boolean(field: string): boolean {
    const start = this.offset
    const value = this.u8(field)
    if (value > 1) this.fail(field, `${value} where 0 or 1 is needed`, start)
    return value === 1
  }

  /** A view on the received bytes, not a copy: nobody rewrites an entry's payload. */
  blob(field: string, lengthMaxBytes: number): Uint8Array {
    const at = this.offset
    const length = this.u32(field)
    if (length > lengthMaxBytes) this.fail(field, `a length of ${length} past the limit of ${lengthMaxBytes}`, at)
    const start = this.take(field, length)
    return start === undefined ? new Uint8Array(0) : this.bytes.subarray(start, start + length)
  }

  string(field: string, lengthMaxBytes: number): string {
    const at = this.offset
    const bytes = this.blob(field, lengthMaxBytes)
    if (this.failure !== undefined) return ""
    const value = decoder.decode(bytes)
    // The decoder replaces bytes that are not UTF-8; such a string would not encode back to the same bytes.
    if (value.includes("\uFFFD") && !sameBytes(encoder.encode(value), bytes))
      this.fail(field, "bytes that are not UTF-8", at)
    return value
  }

  end(): void {
    if (this.failure === undefined && this.offset < this.bytes.length) {
      this.fail("end", `${this.bytes.length - this.offset} bytes after the last field`)
    }
  }
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, offset) => byte === b[offset])
