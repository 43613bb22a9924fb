/** Fields of a frame, written and read in order. Not the frames (Wire.ts). Pure; big endian; nothing here throws on bad bytes. */

const text = new TextEncoder()

/** Bytes being written. Numbers are checked where they are read; a writer trusts its own node. */
export class ByteWriter {
  private bytes = new Uint8Array(256)
  private view = new DataView(this.bytes.buffer)
  private length = 0

  /** Where the next `count` bytes start. To be called before `bytes` or `view` are read, for it may replace both. */
  private reserve(count: number): number {
    const start = this.length
    this.length += count
    if (this.length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(this.length, this.bytes.length * 2))
      grown.set(this.bytes)
      this.bytes = grown
      this.view = new DataView(grown.buffer)
    }
    return start
  }

  u8(value: number): this {
    const start = this.reserve(1)
    this.view.setUint8(start, value)
    return this
  }

  u32(value: number): this {
    const start = this.reserve(4)
    this.view.setUint32(start, value)
    return this
  }

  /** A safe integer in eight bytes: terms, indexes and ids stay below 2^53. */
  u53(value: number): this {
    const start = this.reserve(8)
    this.view.setUint32(start, Math.floor(value / 0x1_0000_0000))
    this.view.setUint32(start + 4, value >>> 0)
    return this
  }

  /** A length of four bytes, then the bytes themselves, untouched. */
  blob(value: Uint8Array): this {
    this.u32(value.length)
    const start = this.reserve(value.length)
    this.bytes.set(value, start)
    return this
  }

  string(value: string): this {
    return this.blob(text.encode(value))
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length)
  }
}

/** What was wrong with received bytes, and where: `offset` is that of the field that could not be read. */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly field: string
  readonly offset: number
  readonly found: string
}

/**
 * Bytes being read. The first field that fails sets {@link failure}; every read after it returns a neutral value,
 * so that a decoder reads straight on and asks once, at the end. A loop over a count asks in each round.
 */
export class ByteReader {
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private offset = 0
  failure: Malformed | undefined = undefined

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  fail(field: string, found: string, offset: number = this.offset): Malformed {
    this.failure ??= { _tag: "Malformed", field, offset, found }
    return this.failure
  }

  /** Where `count` bytes start, having moved past them; undefined, and failed, when fewer are left. */
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
    return start === undefined ? 0 : this.view.getUint8(start)
  }

  u32(field: string): number {
    const start = this.take(field, 4)
    return start === undefined ? 0 : this.view.getUint32(start)
  }

  u53(field: string): number {
    const start = this.take(field, 8)
    if (start === undefined) return 0
    const high = this.view.getUint32(start)
    if (high > 0x1f_ffff) {
      this.fail(field, "a number past 2^53 - 1", start)
      return 0
    }
    return high * 0x1_0000_0000 + this.view.getUint32(start + 4)
  }

  boolean(field: string): boolean {
    const start = this.offset
    const value = this.u8(field)
    if (value > 1) this.fail(field, `${value} where 0 or 1 is needed`, start)
    return value === 1
  }

  /** A view on the received bytes, not a copy: an entry's payload is never rewritten. */
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
    const value = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes)
    // The decoder replaces what is not UTF-8; such a string would not encode back to the same bytes.
    if (value.includes("\uFFFD") && !sameBytes(text.encode(value), bytes))
      this.fail(field, "bytes that are not UTF-8", at)
    return value
  }

  atEnd(): boolean {
    return this.offset >= this.bytes.length
  }

  end(): void {
    if (this.failure === undefined && this.offset < this.bytes.length) {
      this.fail("end", `${this.bytes.length - this.offset} bytes after the last field`)
    }
  }
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, offset) => byte === b[offset])
