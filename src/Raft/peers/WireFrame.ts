/**
 * Frames packed into one WebSocket message, so that many small ones cost one write. Pure. A packet is a list of
 * length (u32) and frame. A frame that starts with {@link pulseTag}, which no message has, is the link's own.
 */
import { ByteReader, ByteWriter, type Malformed } from "./Bytes.ts"
import { frameMaxBytes } from "./Wire.ts"

/** Says how many bytes of messages came, so that the sender knows what still waits; and that the speaker lives. */
export interface Pulse {
  readonly _tag: "Pulse"
  readonly receivedBytes: number
}

export const pulseTag = 0

/** Past it a packet is closed; one frame may be larger. */
export const packetTargetBytes = 256 * 1024

export const encodePulse = (receivedBytes: number): Uint8Array =>
  new ByteWriter().u8(pulseTag).u53(receivedBytes).finish()

export const decodePulse = (frame: Uint8Array): Pulse | Malformed => {
  const from = new ByteReader(frame)
  from.u8("tag")
  const receivedBytes = from.u53("receivedBytes")
  from.end()
  return from.failure ?? { _tag: "Pulse", receivedBytes }
}

/** The frames in order, in as few packets as their target size allows. */
export const pack = (frames: ReadonlyArray<Uint8Array>): ReadonlyArray<Uint8Array<ArrayBuffer>> => {
  const packets: Array<Uint8Array<ArrayBuffer>> = []
  let packet = new ByteWriter()
  let bytes = 0
  for (const frame of frames) {
    if (bytes > 0 && bytes + frame.length > packetTargetBytes) {
      packets.push(packet.finish())
      packet = new ByteWriter()
      bytes = 0
    }
    packet.blob(frame)
    bytes += frame.length
  }
  if (bytes > 0) packets.push(packet.finish())
  return packets
}

/** The frames of a packet, as views on it. */
export const unpack = (
  packet: Uint8Array
): { readonly _tag: "Frames"; readonly frames: ReadonlyArray<Uint8Array> } | Malformed => {
  const from = new ByteReader(packet)
  const frames: Array<Uint8Array> = []
  while (from.failure === undefined && !from.atEnd()) frames.push(from.blob(`frames[${frames.length}]`, frameMaxBytes))
  return from.failure ?? { _tag: "Frames", frames }
}
