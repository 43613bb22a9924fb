/**
 * One proven connection to a peer, in one lane: handshake, then frames both ways until it ends. Not who dials whom
 * (PeerSockets.ts). C15, D8.
 *
 * A WebSocket does not say what still waits in its buffers, so the peer does: its pulses carry how much it has read,
 * and what was sent beyond that counts as queued. The same pulses show that a silent peer lives.
 */
import { Effect, Latch, Schema, type Scope } from "effect"
import { Socket } from "effect/socket"
import {
  checkHello,
  checkProof,
  decodeHello,
  describeRefusal,
  encodeHello,
  type Hello,
  prove,
  type Refusal,
  type Role
} from "./Handshake.ts"
import type { Lane, PeerMessage } from "./PeerMessage.ts"
import { sendQueueMaxBytes } from "./Transport.ts"
import { decode, encode } from "./Wire.ts"
import { decodePulse, encodePulse, pack, pulseTag, unpack } from "./WireFrame.ts"

/** A stranger that says nothing is closed after this. */
export const handshakeTimeoutMs = 2_000
/** A link says so often that it lives, and how much it has read. */
export const pulseIntervalMs = 1_000
/** So many intervals without a frame, and the link is closed: 5 s. */
export const silentPulsesMax = 5
/** A peer that is not heard for so long does not answer. */
const answerTimeoutMs = 2.5 * pulseIntervalMs
/** How much may be read before the peer is told without waiting for the interval. */
const pulseAfterBytes = 256 * 1024

/** A packet of more than this is large to Deno's WebSocket, which then writes the head of its frame apart. */
const largePacketBytes = 1_000

/** The WebSocket close code of a refusal; its reason says which. */
export const refusedCloseCode = 4403

/** The connection could not be opened, or has ended. `refused` says that trying again cannot help by itself. */
export class LinkClosed extends Schema.TaggedError<LinkClosed>()("LinkClosed", {
  message: Schema.String,
  refused: Schema.Boolean
}) {}

/** A proven connection. */
export interface PeerLink {
  readonly hello: Hello
  readonly lane: Lane
  readonly send: (message: PeerMessage) => boolean
  readonly close: Effect.Effect<void>
  /** Whether the peer is heard from now on, which a living one is within a pulse or two; false as soon as the link ends. */
  readonly answers: Effect.Effect<boolean>
  /** Ends the link, and tells the peer why. */
  readonly refuse: (refusal: Refusal) => Effect.Effect<never, LinkClosed>
  /** Moves frames until the link ends, however it ends. */
  readonly run: (received: (message: PeerMessage) => void) => Effect.Effect<never, LinkClosed>
}

/** The dialer knows whom and which lane it wants; the acceptor answers what the dialer said. */
export type Side =
  | { readonly role: "dialer"; readonly hello: Hello }
  | { readonly role: "acceptor"; readonly answer: (theirs: Hello) => Hello }

/** Opens the socket, shakes hands and proves. The scope owns the connection. */
export const openLink = Effect.fnUntraced(function* (options: {
  readonly socket: Socket.Socket
  readonly side: Side
  readonly secret: string | undefined
  /** Whether each packet is answered at once, by a pulse if by nothing else; see PeerSockets.ts. */
  readonly acknowledgesAtOnce?: boolean
  /** Whether a pulse goes ahead of each large packet, so that the peer acknowledges at once; see PeerSockets.ts. */
  readonly announcesLargePackets?: boolean
}): Effect.fn.Return<PeerLink, LinkClosed, Scope.Scope> {
  const { acknowledgesAtOnce = false, announcesLargePackets = false, socket, side, secret } = options
  const { pull } = yield* Effect.mapError(socket.reader, closedBy)
  const writer = yield* socket.writer
  const write = (bytes: Uint8Array) => Effect.mapError(writer.write(bytes), closedBy)

  const early: Array<Uint8Array> = []
  const next = Effect.gen(function* () {
    while (early.length === 0) early.push(...(yield* Effect.mapError(pull, closedBy)).map(bytesOf))
    return early.shift()!
  })
  const refuse = (refusal: Refusal) => {
    const message = describeRefusal(refusal)
    // A close reason holds 123 bytes; what is not ASCII would count for more than it shows.
    const reason = message.replace(/[^ -~]/g, "?").slice(0, 120)
    return Effect.ignore(writer.write(new Socket.CloseEvent(refusedCloseCode, reason))).pipe(
      Effect.andThen(Effect.fail(new LinkClosed({ message: `Refused: ${message}`, refused: true })))
    )
  }
  const readHello = Effect.flatMap(next, (frame) => {
    const hello = decodeHello(frame)
    return "_tag" in hello ? refuse({ _tag: "BadHello", malformed: hello }) : Effect.succeed(hello)
  })
  const check = (refusal: Refusal | undefined) => (refusal === undefined ? Effect.void : refuse(refusal))

  const shake = Effect.gen(function* () {
    const first = side.role === "dialer" ? side.hello : undefined
    if (first !== undefined) yield* write(encodeHello(first))
    const theirs = yield* readHello
    const own = side.role === "dialer" ? side.hello : side.answer(theirs)
    const checked = checkHello({ own, theirs })
    if (checked._tag !== "Agreed") return yield* refuse(checked)
    const [dialer, acceptor] = side.role === "dialer" ? [own, theirs] : [theirs, own]
    const proofOf = (role: Role) => prove({ secret, role, dialer, acceptor })
    const verify = (role: Role) =>
      Effect.flatMap(next, (proof) => check(checkProof({ secret, role, dialer, acceptor, proof })))
    if (side.role === "dialer") {
      yield* write(proofOf("dialer"))
      yield* verify("acceptor")
    } else {
      yield* write(encodeHello(own))
      yield* verify("dialer")
      yield* write(proofOf("acceptor"))
    }
    return { theirs, lane: own.lane }
  })
  const { theirs, lane } = yield* Effect.timeoutOrElse(shake, {
    duration: handshakeTimeoutMs,
    orElse: () => Effect.fail(new LinkClosed({ message: "The handshake took too long", refused: false }))
  })

  let waiting: Array<Uint8Array> = []
  let queuedBytes = 0
  let acknowledgedBytes = 0
  let receivedBytes = 0
  let pulsedBytes = 0
  let silentPulses = 0
  let open = true
  const wake = Latch.makeUnsafe(false)
  const closing = Latch.makeUnsafe(false)
  const heard = Latch.makeUnsafe(false)
  const ended = Latch.makeUnsafe(false)

  const enqueue = (frame: Uint8Array): void => {
    waiting.push(frame)
    wake.openUnsafe()
  }
  const send = (message: PeerMessage): boolean => {
    if (!open) return false
    const frame = encode(message)
    if (queuedBytes + frame.length - acknowledgedBytes > sendQueueMaxBytes[lane]) return false
    queuedBytes += frame.length
    enqueue(frame)
    return true
  }
  const pulse = (): void => {
    pulsedBytes = receivedBytes
    enqueue(encodePulse(receivedBytes))
  }
  /** What forbids the link to go on, if anything. */
  const receive = (packet: Uint8Array, received: (message: PeerMessage) => void): string | undefined => {
    const frames = unpack(packet)
    if (frames._tag === "Malformed") return `Bad packet: ${frames.field} at ${frames.offset}: ${frames.found}`
    silentPulses = 0
    heard.openUnsafe()
    for (const frame of frames.frames) {
      const message = frame[0] === pulseTag ? decodePulse(frame) : decode(frame)
      if (message._tag === "Malformed") return `Bad frame: ${message.field} at ${message.offset}: ${message.found}`
      if (message._tag === "Pulse") {
        if (message.receivedBytes < acknowledgedBytes || message.receivedBytes > queuedBytes) {
          return `Bad pulse: ${message.receivedBytes} bytes read of ${queuedBytes}`
        }
        acknowledgedBytes = message.receivedBytes
      } else {
        receivedBytes += frame.length
        received(message)
      }
    }
    if (receivedBytes - pulsedBytes >= pulseAfterBytes) pulse()
    else if (acknowledgesAtOnce && waiting.length === 0) pulse()
    return undefined
  }

  const readLoop = Effect.fnUntraced(function* (received: (message: PeerMessage) => void) {
    while (true) {
      const found = receive(yield* next, received)
      if (found !== undefined) return yield* new LinkClosed({ message: found, refused: false })
    }
  })
  const writeLoop = Effect.gen(function* () {
    while (true) {
      yield* wake.await
      wake.closeUnsafe()
      const frames = waiting
      waiting = []
      for (const packet of pack(frames)) {
        if (announcesLargePackets && packet.length > largePacketBytes) {
          for (const announcement of pack([encodePulse(receivedBytes)])) yield* write(announcement)
        }
        yield* write(packet)
      }
    }
  })
  const pulseLoop = Effect.gen(function* () {
    while (true) {
      yield* Effect.sleep(pulseIntervalMs)
      silentPulses += 1
      if (silentPulses >= silentPulsesMax) {
        return yield* new LinkClosed({ message: "The peer is silent", refused: false })
      }
      pulse()
    }
  })
  const closed = Effect.andThen(
    closing.await,
    Effect.suspend(() => Effect.fail(new LinkClosed({ message: "Closed by this node", refused: false })))
  )

  return {
    hello: theirs,
    lane,
    send,
    close: Effect.sync(() => {
      open = false
      closing.openUnsafe()
    }),
    answers: Effect.suspend(() => {
      heard.closeUnsafe()
      return Effect.raceFirst(Effect.as(heard.await, true), Effect.as(ended.await, false)).pipe(
        Effect.timeoutOrElse({ duration: answerTimeoutMs, orElse: () => Effect.succeed(false) })
      )
    }),
    refuse,
    run: (received) =>
      Effect.raceAllFirst([readLoop(received), writeLoop, pulseLoop, closed]).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            open = false
            ended.openUnsafe()
          })
        )
      )
  }
})

const text = new TextEncoder()

const bytesOf = (frame: Uint8Array | string): Uint8Array => (typeof frame === "string" ? text.encode(frame) : frame)

const closedBy = (error: Socket.SocketError): LinkClosed =>
  new LinkClosed({
    message: error.message,
    refused: error.reason._tag === "SocketCloseError" && error.reason.code === refusedCloseCode
  })
