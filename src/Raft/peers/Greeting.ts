/**
 * Says hello and proves on a new connection, as Handshake.ts prescribes for either side. PeerLink.ts carries messages on
 * a connection between members afterwards, JoinLane.ts the one answer to a node that joins. C15, D8.
 */
import { Effect, Scope } from "effect"
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
import type { PeerStream } from "./PeerStream.ts"
import { frameMaxBytes } from "./Wire.ts"
import {
  decodeRefused,
  decodeSuperseded,
  handshakeFrame,
  linkTags,
  refusedFrame,
  supersededFrame
} from "./WireFrame.ts"

/** A stranger has this long for the whole handshake. */
export const handshakeTimeoutMs = 2_000

/** The dialer knows whom and which lane it wants; the acceptor answers the dialer's hello. */
export type Side =
  | { readonly role: "dialer"; readonly hello: Hello }
  | { readonly role: "acceptor"; readonly answer: (theirs: Hello) => Hello }

/** A connection to shake hands on. */
export interface GreetOptions {
  readonly connection: PeerStream
  readonly side: Side
  readonly secret: string | undefined
  /** The clusters whose place this node's cluster took. */
  readonly formerClusterIds?: ReadonlyArray<string>
  /** Introduces this node's data directory to a proven peer. Without it the node tells and knows nothing. */
  readonly directory?: { readonly starts: OwnStarts; readonly introduce: (theirs: Hello) => Introduction }
}

const nobody = { starts: untold, introduce: (): Introduction => ({ start: undefined, known: undefined }) }

/** A connection on which both sides have proved themselves. */
export interface Greeted {
  readonly frames: FrameStream
  readonly own: Hello
  readonly theirs: Hello
  readonly introduced: Introduced
}

/** The end of a link for this reason; another attempt may help. */
export const stop = (message: string): LinkClosed => new LinkClosed({ message, refused: false })

/** Tells the peer why it is refused, and ends the connection. */
export const refuseOn = (frames: FrameStream, refusal: Refusal): Effect.Effect<never, LinkClosed> =>
  Effect.suspend(() => {
    const reason = describeRefusal(refusal)
    frames.send(refusedFrame(reason))
    const why = new LinkClosed({ message: `Refused: ${reason}`, refused: true })
    frames.end(why)
    return Effect.fail(why)
  })

/** What the peer said in its last frame. */
export const refusedBy = (frame: Uint8Array): LinkClosed => {
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

/** Tells the peer of this node's data directory and hears of the peer's, at once. `read` takes the peer's introduction. */
const introduce = Effect.fnUntraced(function* (
  frames: FrameStream,
  own: Introduction,
  {
    nodeId,
    read,
    starts
  }: {
    readonly nodeId: string
    readonly starts: OwnStarts
    readonly read: Effect.Effect<Uint8Array, LinkClosed>
  }
) {
  frames.send(handshakeFrame("introduction", encodeIntroduction(own)))
  const theirs = decodeIntroduction(yield* read)
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
  { connection, directory = nobody, formerClusterIds = [], secret, side }: GreetOptions
): Effect.fn.Return<Greeted, LinkClosed> {
  const { certified, untrusted } = connection
  const refuse = (refusal: Refusal) => refuseOn(frames, refusal)
  if (untrusted !== undefined) return yield* refuse({ _tag: "Untrusted", why: untrusted })
  const read = Effect.fnUntraced(function* (part: "hello" | "proof" | "introduction", maxBytes: number) {
    const frame = yield* frames.next(maxBytes)
    if (frame[0] === linkTags.refused) return yield* refusedBy(frame)
    if (frame[0] === linkTags[part]) return frame.subarray(1)
    const found = `the tag ${frame[0]} in the place of the ${part}`
    return yield* refuse({ _tag: "BadHello", malformed: { _tag: "Malformed", field: "tag", offset: 0, found } })
  })
  const say = (part: "hello" | "proof", bytes: Uint8Array) => frames.send(handshakeFrame(part, bytes))

  if (side.role === "dialer") say("hello", encodeHello(side.hello))
  const theirs = decodeHello(yield* read("hello", helloMaxBytes))
  if ("_tag" in theirs) return yield* refuse({ _tag: "BadHello", malformed: theirs })
  if (certified !== undefined && !certified.includes(theirs.nodeId)) {
    return yield* refuse({ _tag: "WrongCertificate", nodeId: theirs.nodeId, certified })
  }
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
    ? yield* introduce(frames, directory.introduce(theirs), {
        nodeId: own.nodeId,
        starts: directory.starts,
        // Right behind it the peer, which is proven, may send messages.
        read: read("introduction", frameMaxBytes)
      })
    : unintroduced
  return { frames, own, theirs, introduced }
})

/** Shakes hands on an open connection, and proves. The scope ends the connection, and waits until it is closed. */
export const greet = Effect.fnUntraced(function* (
  options: GreetOptions
): Effect.fn.Return<Greeted, LinkClosed, Scope.Scope> {
  const frames = makeFrameStream(options.connection.stream)
  yield* Scope.addFinalizer(
    yield* Effect.scope,
    Effect.suspend(() => {
      frames.end(stop("Closed by this node"))
      return frames.closed
    })
  )
  return yield* Effect.timeoutOrElse(shake(frames, options), {
    duration: handshakeTimeoutMs,
    orElse: () => Effect.fail(stop("The handshake took too long"))
  })
})
