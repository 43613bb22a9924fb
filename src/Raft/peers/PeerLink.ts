/**
 * One proven connection to a peer, in one lane: the handshake, then messages both ways until it ends. PeerSockets.ts
 * decides who dials whom; FrameStream.ts has the connection. C15, D8.
 *
 * No buffer on the way says how much still waits in it, so the peer does: its pulses tell how much it has read, and
 * what was sent beyond that counts as queued. The same pulses show that a silent peer lives.
 */
import type { Duplex } from "node:stream"
import { Effect, Latch, Scope } from "effect"
import { type OwnStarts, untold } from "../../EventStore/Start.ts"
import { type FrameStream, LinkClosed, makeFrameStream } from "./FrameStream.ts"
import {
  checkHello,
  checkProof,
  decodeHello,
  describeRefusal,
  encodeHello,
  type Hello,
  helloMaxBytes,
  introducingProtocol,
  prove,
  type Refusal,
  type Role
} from "./Handshake.ts"
import {
  decodeIntroduction,
  encodeIntroduction,
  type Introduced,
  type Introduction,
  laterStart,
  unintroduced
} from "./Introduction.ts"
import type { Lane, PeerMessage } from "./PeerMessage.ts"
import { sendQueueMaxBytes } from "./Transport.ts"
import { decode, encodeFrame, frameMaxBytes } from "./Wire.ts"
import {
  decodePulse,
  decodeRefused,
  decodeSuperseded,
  handshakeFrame,
  lengthBytes,
  linkTags,
  pulseFrame,
  refusedFrame,
  supersededFrame
} from "./WireFrame.ts"

/** A stranger has this long for the whole handshake. */
export const handshakeTimeoutMs = 2_000
/** How often a link says that it lives, and how much it has read. */
export const pulseIntervalMs = 1_000
/** A link closes after so many intervals without a byte: 5 s. A large frame may take longer. */
export const silentPulsesMax = 5
/** A peer that is not heard for so long does not answer. */
const answerTimeoutMs = 2.5 * pulseIntervalMs
/** After so many bytes a link tells how much it has read, without waiting for the interval. */
const pulseAfterBytes = 256 * 1024

/** A proven connection. */
export interface PeerLink {
  readonly hello: Hello
  readonly introduced: Introduced
  readonly lane: Lane
  readonly send: (message: PeerMessage) => boolean
  /** Writes what waits to be sent now. */
  readonly flush: () => void
  readonly close: Effect.Effect<void>
  /** Whether the peer is heard from now on. A living one is, within a pulse or two. False as soon as the link ends. */
  readonly answers: Effect.Effect<boolean>
  /** Ends the link, and tells the peer why. */
  readonly refuse: (refusal: Refusal) => Effect.Effect<never, LinkClosed>
  /** Passes messages to `received` until the link ends, however it ends. */
  readonly run: (received: (message: PeerMessage) => void) => Effect.Effect<never, LinkClosed>
}

/** The dialer knows whom and which lane it wants; the acceptor answers the dialer's hello. */
export type Side =
  | { readonly role: "dialer"; readonly hello: Hello }
  | { readonly role: "acceptor"; readonly answer: (theirs: Hello) => Hello }

const stop = (message: string) => new LinkClosed({ message, refused: false })

/** Tells the peer why it is refused, and ends the connection. */
const refuseOn = (frames: FrameStream, refusal: Refusal): Effect.Effect<never, LinkClosed> =>
  Effect.suspend(() => {
    const reason = describeRefusal(refusal)
    frames.send(refusedFrame(reason))
    const why = new LinkClosed({ message: `Refused: ${reason}`, refused: true })
    frames.end(why)
    return Effect.fail(why)
  })

/** What the peer said in its last frame. */
const refusedBy = (frame: Uint8Array): LinkClosed => {
  const said = decodeRefused(frame)
  return said._tag === "Refused"
    ? new LinkClosed({ message: `The peer refused: ${said.reason}`, refused: true })
    : stop(`Bad frame: ${said.field} at ${said.offset}: ${said.found}`)
}

/**
 * Ends a link to a proven peer of another cluster. A node whose cluster took the place of the peer's says so. Any other
 * refuses, and hears whether the peer says so: each side speaks before it listens, so that none waits for the other.
 */
const part = Effect.fnUntraced(function* (
  frames: FrameStream,
  foreign: Extract<Refusal, { readonly _tag: "WrongCluster" }>,
  formerClusterIds: ReadonlyArray<string>
) {
  if (formerClusterIds.includes(foreign.theirs)) {
    frames.send(supersededFrame(foreign.own))
    const message = `Refused: it is of cluster ${foreign.theirs}, whose place this one took`
    const why = new LinkClosed({ message, refused: true })
    frames.end(why)
    return yield* why
  }
  frames.send(refusedFrame(describeRefusal(foreign)))
  const frame = yield* frames.next(helloMaxBytes)
  const said = frame[0] === linkTags.superseded ? decodeSuperseded(frame) : undefined
  if (said?._tag !== "Superseded") return yield* refusedBy(frame)
  const message = `The peer's cluster ${said.by} took the place of this node's`
  return yield* new LinkClosed({ message, refused: true, supersededBy: said.by })
})

/** Tells the peer of this node's data directory and hears of the peer's, at once. */
const introduce = Effect.fnUntraced(function* (
  frames: FrameStream,
  own: Introduction,
  { nodeId, starts }: { readonly nodeId: string; readonly starts: OwnStarts }
) {
  frames.send(handshakeFrame("introduction", encodeIntroduction(own)))
  const frame = yield* frames.next(helloMaxBytes)
  if (frame[0] === linkTags.refused) return yield* refusedBy(frame)
  const theirs = decodeIntroduction(frame.subarray(Number(frame[0] === linkTags.introduction)))
  if ("_tag" in theirs) return yield* refuseOn(frames, { _tag: "BadHello", malformed: theirs })
  const later = laterStart(theirs, starts)
  if (later !== undefined) {
    const reason = describeRefusal({ _tag: "CopiedDirectory", nodeId })
    frames.send(refusedFrame(reason))
    const why = new LinkClosed({ message: `Refused: ${reason}`, refused: true, copiedBefore: later })
    frames.end(why)
    return yield* why
  }
  return { start: theirs.start, told: own.known }
})

/** Says hello and proves, as Handshake.ts prescribes for this side. */
const shake = Effect.fnUntraced(function* (
  frames: FrameStream,
  side: Side,
  { directory = nobody, formerClusterIds = [], secret }: Pick<LinkOptions, "directory" | "formerClusterIds" | "secret">
) {
  const refuse = (refusal: Refusal) => refuseOn(frames, refusal)
  const read = Effect.fnUntraced(function* (part: "hello" | "proof", maxBytes: number) {
    const frame = yield* frames.next(maxBytes)
    if (frame[0] === linkTags.refused) return yield* refusedBy(frame)
    if (frame[0] === linkTags[part]) return frame.subarray(1)
    const found = `the tag ${frame[0]} where a ${part} is needed`
    return yield* refuse({ _tag: "BadHello", malformed: { _tag: "Malformed", field: "tag", offset: 0, found } })
  })
  const say = (part: "hello" | "proof", bytes: Uint8Array) => frames.send(handshakeFrame(part, bytes))

  if (side.role === "dialer") say("hello", encodeHello(side.hello))
  const theirs = decodeHello(yield* read("hello", helloMaxBytes))
  if ("_tag" in theirs) return yield* refuse({ _tag: "BadHello", malformed: theirs })
  const own = side.role === "dialer" ? side.hello : side.answer(theirs)
  const checked = checkHello({ own, theirs })
  // What is said to a peer of another cluster may end its process, so both sides prove themselves first.
  const foreign = checked._tag === "WrongCluster" ? checked : undefined
  if (checked._tag !== "Agreed" && foreign === undefined) return yield* refuse(checked)
  const [dialer, acceptor] = side.role === "dialer" ? [own, theirs] : [theirs, own]
  const proofOf = (role: Role) => prove({ secret, role, dialer, acceptor })
  const verify = Effect.fnUntraced(function* (role: Role, maxBytes: number) {
    const refusal = checkProof({ secret, role, dialer, acceptor, proof: yield* read("proof", maxBytes) })
    if (refusal !== undefined) return yield* refuse(refusal)
  })
  if (side.role === "dialer") {
    say("proof", proofOf("dialer"))
    // Right behind its proof the acceptor may send messages.
    yield* verify("acceptor", frameMaxBytes)
  } else {
    say("hello", encodeHello(own))
    yield* verify("dialer", helloMaxBytes)
    say("proof", proofOf("acceptor"))
  }
  if (foreign !== undefined) return yield* part(frames, foreign, formerClusterIds)
  const isIntroducing = checked._tag === "Agreed" && checked.protocol >= introducingProtocol
  const introduced = isIntroducing
    ? yield* introduce(frames, directory.introduce(theirs), { nodeId: own.nodeId, starts: directory.starts })
    : unintroduced
  return { theirs, lane: own.lane, introduced }
})

const nobody = { starts: untold, introduce: (): Introduction => ({ start: undefined, known: undefined }) }

/** A connection to shake hands on. */
export interface LinkOptions {
  readonly stream: Duplex
  readonly side: Side
  readonly secret: string | undefined
  /** The clusters whose place this node's cluster took. */
  readonly formerClusterIds?: ReadonlyArray<string>
  /** Introduces this node's data directory to a proven peer. Without it the node tells and knows nothing. */
  readonly directory?: { readonly starts: OwnStarts; readonly introduce: (theirs: Hello) => Introduction }
  /** Makes a message's frame; a transport gives all its links one that encodes equal messages once. */
  readonly encode?: (message: PeerMessage) => Uint8Array
}

/** Shakes hands on an open connection, and proves. The scope ends the connection, and waits until it is closed. */
export const openLink = Effect.fnUntraced(function* (
  options: LinkOptions
): Effect.fn.Return<PeerLink, LinkClosed, Scope.Scope> {
  const { encode = encodeFrame, side, stream } = options
  const frames = makeFrameStream(stream)
  yield* Scope.addFinalizer(
    yield* Effect.scope,
    Effect.suspend(() => {
      frames.end(stop("Closed by this node"))
      return frames.closed
    })
  )
  const { theirs, lane, introduced } = yield* Effect.timeoutOrElse(shake(frames, side, options), {
    duration: handshakeTimeoutMs,
    orElse: () => Effect.fail(stop("The handshake took too long"))
  })

  let queuedBytes = 0
  let acknowledgedBytes = 0
  let receivedBytes = 0
  let pulsedBytes = 0
  let silentPulses = 0
  let isOpen = true
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
      pulse()
    }
  })

  return {
    hello: theirs,
    introduced,
    lane,
    send,
    flush: frames.flush,
    close: Effect.sync(() => end(stop("Closed by this node"))),
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
})
