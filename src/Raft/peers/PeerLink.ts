/**
 * One proven connection to a peer, in one lane: messages both ways until it ends. PeerSockets.ts decides who dials whom,
 * Greeting.ts shakes hands before, and FrameStream.ts has the connection. D8.
 *
 * No buffer on the way says how much still waits in it, so the peer does: its pulses tell how much it has read, and
 * what was sent beyond that counts as queued. The same pulses show that a silent peer lives.
 */
import { Effect, Latch } from "effect"
import type { NodeId } from "../core/Message.ts"
import type { LinkClosed } from "./FrameStream.ts"
import { type Greeted, refusedBy, refuseOn, stop } from "./Greeting.ts"
import type { Hello, Refusal } from "./Handshake.ts"
import type { Introduced } from "./Introduction.ts"
import type { Lane, PeerMessage } from "./PeerMessage.ts"
import { sendQueueMaxBytes } from "./Transport.ts"
import { decode, encodeFrame, frameMaxBytes } from "./Wire.ts"
import { decodePulse, lengthBytes, linkTags, pulseFrame } from "./WireFrame.ts"

/** How often a link says that it lives, and how much it has read. */
export const pulseIntervalMs = 1_000
/** A link closes after so many intervals without a byte: 5 s. A large frame may take longer. */
export const silentPulsesMax = 5
/** A link whose place another one took sends so many pulses before it ends its half: the peer has the other one by then. */
const retiredPulses = 1
/** A peer that is not heard for so long does not answer. */
const answerTimeoutMs = 2.5 * pulseIntervalMs
/** After so many bytes a link tells how much it has read, without waiting for the interval. */
const pulseAfterBytes = 256 * 1024

/** A proven connection. */
export interface PeerLink {
  readonly hello: Hello
  readonly introduced: Introduced
  readonly lane: Lane
  /** The generation of this node's certificate under it; 0 without TLS. */
  readonly generation: number
  /** The node that opened the connection. */
  readonly dialledBy: NodeId
  readonly send: (message: PeerMessage) => boolean
  /** Writes what waits to be sent now. */
  readonly flush: () => void
  readonly close: Effect.Effect<void>
  /** Sends nothing more, and hears the peer out: another link has taken its place on either side. */
  readonly retire: Effect.Effect<void>
  /** Whether the peer is heard from now on. A living one is, within a pulse or two. False as soon as the link ends. */
  readonly answers: Effect.Effect<boolean>
  /** Ends the link, and tells the peer why. */
  readonly refuse: (refusal: Refusal) => Effect.Effect<never, LinkClosed>
  /** Passes messages to `received` until the link ends, however it ends. */
  readonly run: (received: (message: PeerMessage) => void) => Effect.Effect<never, LinkClosed>
}

/** Options of a link. */
export interface LinkOptions {
  readonly lane: Lane
  readonly generation: number
  readonly dialledBy: NodeId
  /** Makes a message's frame; a transport gives all its links one that encodes equal messages once. */
  readonly encode?: (message: PeerMessage) => Uint8Array
}

/** Carries messages on a connection whose sides have proved themselves. The scope of the greeting ends it. */
export const makeLink = (
  { frames, introduced, theirs }: Greeted,
  { dialledBy, encode = encodeFrame, generation, lane }: LinkOptions
): PeerLink => {
  let queuedBytes = 0
  let acknowledgedBytes = 0
  let receivedBytes = 0
  let pulsedBytes = 0
  let silentPulses = 0
  let isOpen = true
  /** How many pulses it sends before it ends its half. */
  let pulsesLeft = Number.POSITIVE_INFINITY
  const heard = Latch.makeUnsafe(false)
  const ended = Latch.makeUnsafe(false)

  const send = (message: PeerMessage): boolean => {
    if (!isOpen) return false
    const frame = encode(message)
    const bytes = frame.length - lengthBytes
    if (queuedBytes + bytes - acknowledgedBytes > sendQueueMaxBytes[lane]) return false
    queuedBytes += bytes
    frames.send(frame)
    return true
  }
  const pulse = (): void => {
    pulsedBytes = receivedBytes
    frames.send(pulseFrame(receivedBytes))
  }
  const end = (why: LinkClosed): void => {
    isOpen = false
    frames.end(why)
  }
  const receivePulse = (frame: Uint8Array): void => {
    const pulse = decodePulse(frame)
    if (pulse._tag === "Malformed") end(stop(`Bad pulse: ${pulse.field} at ${pulse.offset}: ${pulse.found}`))
    else if (pulse.receivedBytes < acknowledgedBytes || pulse.receivedBytes > queuedBytes) {
      end(stop(`Bad pulse: ${pulse.receivedBytes} bytes read of ${queuedBytes}`))
    } else acknowledgedBytes = pulse.receivedBytes
  }
  const receiveMessage = (frame: Uint8Array, received: (message: PeerMessage) => void): void => {
    const message = decode(frame)
    if (message._tag === "Malformed") {
      end(stop(`Bad frame: ${message.field} at ${message.offset}: ${message.found}`))
      return
    }
    receivedBytes += frame.length
    received(message)
    if (receivedBytes - pulsedBytes >= pulseAfterBytes) pulse()
  }
  const receive = (frame: Uint8Array, received: (message: PeerMessage) => void): void => {
    if (frame[0] === linkTags.pulse) receivePulse(frame)
    else if (frame[0] === linkTags.refused) end(refusedBy(frame))
    else receiveMessage(frame, received)
  }
  const pulseLoop = Effect.gen(function* () {
    while (true) {
      yield* Effect.sleep(pulseIntervalMs)
      silentPulses += 1
      if (silentPulses >= silentPulsesMax) return yield* stop("The peer is silent")
      pulsesLeft -= 1
      if (pulsesLeft < 0) frames.endSending()
      else pulse()
    }
  })

  return {
    hello: theirs,
    introduced,
    lane,
    generation,
    dialledBy,
    send,
    flush: frames.flush,
    close: Effect.sync(() => end(stop("Closed by this node"))),
    retire: Effect.sync(() => {
      isOpen = false
      pulsesLeft = retiredPulses
    }),
    answers: Effect.suspend(() => {
      heard.closeUnsafe()
      return Effect.raceFirst(Effect.as(heard.await, true), Effect.as(ended.await, false)).pipe(
        Effect.timeoutOrElse({ duration: answerTimeoutMs, orElse: () => Effect.succeed(false) })
      )
    }),
    refuse: (refusal) => refuseOn(frames, refusal),
    run: (received) =>
      Effect.suspend(() => {
        const hear = (): void => {
          silentPulses = 0
          heard.openUnsafe()
        }
        frames.read(frameMaxBytes, hear, (frame) => receive(frame, received))
        return Effect.raceFirst(frames.ended, pulseLoop)
      }).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            isOpen = false
            ended.openUnsafe()
          })
        )
      )
  }
}
