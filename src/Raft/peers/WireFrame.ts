/**
 * Frames on a stream of bytes, and the frames in which a link speaks for itself. Pure. A frame is a length (u32) and so
 * many bytes. The link's own frames begin with a tag that no message has; Wire.ts has the messages.
 */
import { ByteReader, ByteWriter, type Malformed, u32At } from "./Bytes.ts"

/** The tags of the link's own frames. */
export const linkTags = {
  pulse: 0,
  joinReply: 250,
  introduction: 251,
  superseded: 252,
  hello: 253,
  proof: 254,
  refused: 255
} as const

/** The bytes of the length ahead of a frame. */
export const lengthBytes = 4

/** Past this size it pays to send frames one by one, without copying them into one buffer. */
export const packetTargetBytes = 256 * 1024

const clusterIdMaxBytes = 256
/** The text of a refusal: ids are shorter. */
const reasonMaxBytes = 2_048

/** Tells the peer that the speaker lives, and how many bytes of messages it has read; the others still wait. */
export interface Pulse {
  readonly _tag: "Pulse"
  readonly receivedBytes: number
}

/** The last frame of a speaker that ends the link: the peer may not speak to it, for this reason. */
export interface Refused {
  readonly _tag: "Refused"
  readonly reason: string
}

/** Makes one frame with its length ahead, as it goes out. */
export const makeFrame = (expectedBytes: number, write: (to: ByteWriter) => unknown): Uint8Array<ArrayBuffer> => {
  const to = new ByteWriter(lengthBytes + expectedBytes).u32(0)
  write(to)
  return to.putU32(0, to.length - lengthBytes).finish()
}

/** A pulse as a frame. */
export const pulseFrame = (receivedBytes: number): Uint8Array<ArrayBuffer> =>
  makeFrame(9, (to) => to.u8(linkTags.pulse).u53(receivedBytes))

/** A refusal as a frame. */
export const refusedFrame = (reason: string): Uint8Array<ArrayBuffer> =>
  makeFrame(256, (to) => to.u8(linkTags.refused).string(reason.slice(0, reasonMaxBytes / 4)))

/** Tells a proven peer that the speaker's cluster took the place of the peer's. */
export const supersededFrame = (clusterId: string): Uint8Array<ArrayBuffer> =>
  makeFrame(64, (to) => to.u8(linkTags.superseded).string(clusterId))

/** The cluster in such a frame, or what is wrong with it. */
export const decodeSuperseded = (
  frame: Uint8Array
): { readonly _tag: "Superseded"; readonly by: string } | Malformed => {
  const from = new ByteReader(frame)
  from.u8("tag")
  const by = from.string("clusterId", clusterIdMaxBytes)
  from.end()
  return from.failure ?? { _tag: "Superseded", by: by.replace(/\p{Cc}/gu, "?") }
}

/** A part of the handshake as a frame. */
export const handshakeFrame = (part: "hello" | "proof" | "introduction", bytes: Uint8Array): Uint8Array<ArrayBuffer> =>
  makeFrame(1 + bytes.length, (to) => to.u8(linkTags[part]).raw(bytes))

/** The pulse in a frame, or what is wrong with it. */
export const decodePulse = (frame: Uint8Array): Pulse | Malformed => {
  const from = new ByteReader(frame)
  from.u8("tag")
  const receivedBytes = from.u53("receivedBytes")
  from.end()
  return from.failure ?? { _tag: "Pulse", receivedBytes }
}

/** The refusal in a frame, or what is wrong with it. */
export const decodeRefused = (frame: Uint8Array): Refused | Malformed => {
  const from = new ByteReader(frame)
  from.u8("tag")
  const reason = from.string("reason", reasonMaxBytes)
  from.end()
  // It goes into this node's log, and a stranger may have sent it.
  return from.failure ?? { _tag: "Refused", reason: reason.replace(/\p{Cc}/gu, "?") }
}

/** The frames in order, small ones together: each packet is one buffer to write. */
export const pack = (frames: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array> => {
  const packets: Array<Uint8Array> = []
  let from = 0
  let bytes = 0
  const close = (to: number): void => {
    if (to - from === 1) packets.push(frames[from]!)
    else if (to > from) packets.push(Buffer.concat(frames.slice(from, to), bytes))
    from = to
    bytes = 0
  }
  for (const [at, frame] of frames.entries()) {
    if (bytes + frame.length > packetTargetBytes) close(at)
    bytes += frame.length
  }
  close(frames.length)
  return packets
}

/** Cuts what arrives into frames. It keeps at most one frame that is not whole yet. */
export class FrameReader {
  private readonly length = new Uint8Array(lengthBytes)
  private lengthFilled = 0
  private partial: Uint8Array | undefined
  private partialFilled = 0

  /** Passes each frame of `chunk` to `take`, in order. Refuses one past `maxBytes`, and keeps nothing of it. */
  push(chunk: Uint8Array, maxBytes: number, take: (frame: Uint8Array) => void): Malformed | undefined {
    let at = 0
    while (at < chunk.length) {
      if (this.partial !== undefined) {
        at += this.fill(this.partial, chunk.subarray(at))
        if (this.partialFilled < this.partial.length) return undefined
        const frame = this.partial
        this.partial = undefined
        take(frame)
        continue
      }
      const left = chunk.length - at
      const isWhole = this.lengthFilled === 0 && left >= lengthBytes
      if (!isWhole) {
        this.length[this.lengthFilled++] = chunk[at++]!
        if (this.lengthFilled < lengthBytes) continue
      }
      const length = isWhole ? u32At(chunk, at) : u32At(this.length, 0)
      if (isWhole) at += lengthBytes
      this.lengthFilled = 0
      if (length > maxBytes) {
        const found = `a length of ${length} past the limit of ${maxBytes}`
        return { _tag: "Malformed", field: "length", offset: 0, found }
      }
      if (chunk.length - at >= length) {
        take(chunk.subarray(at, at + length))
        at += length
      } else {
        // Of its own: an entry's payload is a view on it, and must keep nothing else in memory.
        this.partial = Buffer.allocUnsafeSlow(length)
        this.partialFilled = 0
      }
    }
    return undefined
  }

  /** Puts as much of `bytes` into the frame as it lacks, and gives how much that was. */
  private fill(partial: Uint8Array, bytes: Uint8Array): number {
    const count = Math.min(partial.length - this.partialFilled, bytes.length)
    partial.set(bytes.subarray(0, count), this.partialFilled)
    this.partialFilled += count
    return count
  }
}
