/**
 * The transport over sockets: upgraded connections on the node's own HTTP port, at `/_raft`, or connections under TLS at an
 * address of their own. Each pair has two, one for each lane; Dialing.ts says who dials. Greeting.ts shakes hands, and
 * PeerLink.ts has the life of one connection. D8.
 */
import { randomBytes } from "node:crypto"
import { Context, Effect, Layer, Option, type Scope } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { untold } from "../../EventStore/Start.ts"
import type { NodeId } from "../core/Message.ts"
import type { BadCertificate, CertificateFiles } from "./Certificates.ts"
import * as Certificates from "./Certificates.ts"
import type { Peer } from "./Dialing.ts"
import * as Dialing from "./Dialing.ts"
import { makeFrameEncoder } from "./FrameEncoder.ts"
import { LinkClosed } from "./FrameStream.ts"
import { greet, type Side } from "./Greeting.ts"
import {
  checkRemoteAddress,
  describeRefusal,
  type Hello,
  type HelloLane,
  nonceBytes,
  onlyThisHost,
  processNonceBytes,
  protocolMax,
  protocolMin
} from "./Handshake.ts"
import { introductionTo, isOutdated } from "./Introduction.ts"
import { answerJoin, readReply } from "./JoinLane.ts"
import { isSameProcess, lanes, makeLinkTable } from "./LinkTable.ts"
import { makeLink } from "./PeerLink.ts"
import { PeerListener, path } from "./PeerListener.ts"
import type { Lane } from "./PeerMessage.ts"
import * as PeerRefusal from "./PeerRefusal.ts"
import type { PeerStream } from "./PeerStream.ts"
import { dialTls, listenTls, type PeersUnheard } from "./PeerTls.ts"
import { renew } from "./Renewal.ts"
import { Resolver } from "./Resolver.ts"
import { makeStrangers } from "./Strangers.ts"
import { isOfPage, notOfThisHost } from "./ThisHost.ts"
import { helloOf, type Membership, type Self, Transport, unformed } from "./Transport.ts"
import { acceptUpgrade, asksForUpgrade, dialUpgrade, plain } from "./Upgrade.ts"

/** How long a connection may take to open. A server that still builds its layers accepts and never answers. */
const openTimeoutMs = 1_000
/** Options of the transport over sockets. */
export interface PeerSocketsOptions {
  readonly self: Self
  readonly membership?: Membership
  /** Proves a peer. Without one and without TLS the node dials and accepts only peers of its own host. */
  readonly secret?: string
  /**
   * Where this node listens for peers under TLS, and its files. Without it peers come to `/_raft` of a server; with
   * `alsoPlain` they do that too, while a cluster changes over.
   */
  readonly tls?: CertificateFiles & {
    readonly listen: { readonly host: string; readonly port: number }
    readonly alsoPlain?: boolean
  }
  /** Lets peers of other hosts speak without TLS, if there is a secret. */
  readonly insecurePeers?: boolean
}

/** The listener for peers under TLS cannot begin: a file does not fit, or the address is taken. */
export type PeersFailure = BadCertificate | PeersUnheard

/** Dials, and keeps dialling until its scope closes. */
export const make = Effect.fnUntraced(function* (
  options: PeerSocketsOptions
): Effect.fn.Return<
  { readonly transport: Transport["Service"]; readonly listener: PeerListener["Service"] },
  PeersFailure,
  Scope.Scope
> {
  const { insecurePeers = false, secret, self, tls } = options
  const { starts = untold } = self
  const resolve = yield* Resolver
  const encode = makeFrameEncoder()
  const certificates = tls === undefined ? undefined : yield* Certificates.make(tls, self.nodeId)
  const alsoPlain = tls?.alsoPlain === true
  // A peer may come without a certificate as long as some do.
  const protection = { secret, isTls: tls !== undefined && !alsoPlain, insecurePeers }

  const processNonce = randomBytes(processNonceBytes)
  let membership = options.membership ?? unformed
  const strangers = makeStrangers()
  const links = makeLinkTable()
  /** Why the last link to each member ended. */
  const troubles = new Map<NodeId, string>()

  const directory = {
    starts,
    introduce: (theirs: Hello) => introductionTo(theirs, membership.members, starts)
  }
  const helloTo = (targetNodeId: NodeId, lane: HelloLane): Hello =>
    helloOf({
      self,
      membership,
      targetNodeId,
      lane,
      protocolMin,
      protocolMax,
      processNonce,
      nonce: randomBytes(nonceBytes)
    })

  /** Shakes hands on a connection, keeps the link, and ends it. Resumes when the connection is closed. */
  const hold = Effect.fnUntraced(function* (connection: PeerStream, side: Side, opened: () => void) {
    const announced = membership
    const greeted = yield* greet({
      connection,
      side,
      secret,
      formerClusterIds: membership.formerClusterIds ?? [],
      directory
    }).pipe(
      Effect.tapError(({ copiedBefore, supersededBy }) =>
        Effect.sync(() => {
          if (supersededBy !== undefined) links.tell({ _tag: "Superseded", by: supersededBy })
          if (copiedBefore !== undefined) links.tell({ _tag: "Copied", later: copiedBefore })
        })
      )
    )
    const { lane } = greeted.own
    // It counts as a stranger until it has its answer.
    if (lane === "join") return yield* answerJoin(greeted, links.tell)
    opened()
    const dialledBy = side.role === "dialer" ? self.nodeId : greeted.theirs.nodeId
    const link = makeLink(greeted, { lane, generation: connection.generation, dialledBy, encode })
    yield* links.refuseSecond(link)
    // That may have taken seconds. If this node's hello, or what it asked about the peer's start, is out of date by now,
    // the next link is right.
    if (announced !== membership) return
    yield* links.raise(link)
    let why: string | undefined
    return yield* link
      .run((message) => {
        const { nodeId } = link.hello
        const control = links.up.control.get(nodeId)
        // Words of a former process or data directory in one lane must not pass for its successor's in the other (C16).
        if (control === undefined || !isSameProcess(control.hello, link.hello)) return
        links.tell({ _tag: "Received", from: nodeId, message })
      })
      .pipe(
        Effect.tapError(({ message }) =>
          Effect.sync(() => {
            why = message
          })
        ),
        Effect.ensuring(Effect.sync(() => links.lower(link, why)))
      )
  }, Effect.scoped)

  const refusalOf = (address: string): string | undefined => {
    const refusal = checkRemoteAddress({ ...protection, remoteAddress: address.replace(/:\d+$/, "") })
    return refusal === undefined ? undefined : describeRefusal(refusal)
  }
  const open = (address: string) =>
    Effect.flatMap(resolve(address), (place) =>
      certificates === undefined
        ? dialPlain(place)
        : alsoPlain
          ? dialEither(place, certificates)
          : dialTls(place, certificates, openTimeoutMs)
    )

  const join: Transport["Service"]["join"] = Effect.fnUntraced(function* (address, clusterId) {
    const refusal = refusalOf(address)
    if (refusal !== undefined) return yield* new LinkClosed({ message: refusal, refused: true })
    const connection = yield* open(address)
    const hello = { ...helloTo("", "join"), clusterId }
    return yield* readReply(yield* greet({ connection, side: { role: "dialer", hello }, secret, directory }))
  }, Effect.scoped)

  /** One link, from its first byte to its end. */
  const connect = (peer: Peer, lane: Lane, opened: () => void) =>
    open(peer.address).pipe(
      Effect.flatMap((stream) =>
        hold(stream, { role: "dialer", hello: helloTo(peer.id, lane) }, () => {
          troubles.delete(peer.id)
          opened()
        })
      ),
      Effect.catchTag("LinkClosed", (closed) => {
        // Both lanes meet the same trouble, and meet it again until somebody mends it: one line is enough.
        const isNews = troubles.get(peer.id) !== closed.message
        troubles.set(peer.id, closed.message)
        return (closed.refused && isNews ? Effect.logWarning : Effect.logDebug)(
          `Cannot keep the ${lane} link to ${peer.id} at ${peer.address}: ${closed.message}`
        )
      }),
      Effect.asVoid,
      Effect.scoped
    )

  /** Shakes hands with a stranger that has come, until `leave` makes it one no more, and holds its link. */
  const receive = (stream: PeerStream, leave: () => void) => {
    let isStranger = true
    const opened = (): void => {
      leave()
      isStranger = false
    }
    const side: Side = { role: "acceptor", answer: (theirs) => helloTo(theirs.nodeId, theirs.lane) }
    return hold(stream, side, opened).pipe(
      Effect.catchTag("LinkClosed", (closed) =>
        (!closed.refused ? Effect.logDebug : isStranger ? strangers.warn : Effect.logWarning)(
          `A peer's link ended: ${closed.message}`
        )
      ),
      Effect.ensuring(Effect.sync(leave))
    )
  }

  const accept = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    // No page may speak to a node through a browser; and without a secret nothing proves a peer but its host.
    if (isOfPage(request)) return PeerRefusal.notAPeer
    if (secret === undefined && notOfThisHost(request) !== undefined) return PeerRefusal.notAPeer
    if (!asksForUpgrade(request)) return PeerRefusal.peersOnly
    const admitted = strangers.admit(Option.getOrElse(request.peerAddress, () => ""))
    if (admitted === undefined) return PeerRefusal.tooManyHandshakes
    return yield* Effect.acquireUseRelease(
      Effect.sync(() => acceptUpgrade(request)),
      (stream) =>
        stream === undefined
          ? Effect.succeed(PeerRefusal.peersOnly)
          : Effect.as(receive(plain(stream), admitted), HttpServerResponse.empty()),
      (stream) =>
        Effect.sync(() => {
          admitted()
          stream?.destroy()
        })
    )
  })

  yield* Effect.addFinalizer(() => links.close(() => true))
  const dialing = yield* Dialing.make({ self, membership: () => membership, links, connect, refusalOf })
  if (alsoPlain) {
    yield* Effect.logWarning("This node takes peers without TLS too: let no member do so once all have certificates")
  }
  if (tls !== undefined && certificates !== undefined) {
    const listening = yield* listenTls({ at: tls.listen, certificates, strangers, take: receive })
    const changed = Effect.suspend(() => {
      listening.renew()
      return renew({
        nodeId: self.nodeId,
        links,
        generation: certificates.current().generation,
        redial: dialing.redial
      })
    })
    yield* Effect.forkScoped(certificates.follow(changed))
  }

  const transport = Transport.of({
    send: (peer, lane, message) => links.up.control.has(peer) && links.up[lane].get(peer)?.send(message) === true,
    flush: () => {
      for (const lane of lanes) for (const link of links.up[lane].values()) link.flush()
    },
    connected: () => new Map([...links.up.control].map(([peer, link]) => [peer, link.hello])),
    introduced: () => new Map([...links.up.control].map(([peer, link]) => [peer, link.introduced])),
    trouble: (peer) => (links.up.control.has(peer) ? undefined : troubles.get(peer)),
    announce: (next) =>
      Effect.gen(function* () {
        const isOtherCluster = next.clusterId !== membership.clusterId
        membership = next
        for (const peer of troubles.keys()) if (!next.members.some(({ id }) => id === peer)) troubles.delete(peer)
        if (isOtherCluster) {
          yield* dialing.stopAll
          yield* links.close(() => true)
        }
        yield* links.close(({ hello, introduced }) => isOutdated(hello, introduced, next.members))
        yield* dialing.dialAll
      }),
    join,
    run: links.run
  })
  const listener = PeerListener.of({
    accept: tls === undefined || alsoPlain ? accept : Effect.succeed(PeerRefusal.elsewhere),
    onlyThisHost: onlyThisHost(protection)
  })
  return { transport, listener }
})

const dialPlain = (place: string) => dialUpgrade(`http://${place}${path}`, openTimeoutMs)

/** Under TLS, or without if the peer does not speak it: the cluster changes over. */
const dialEither = (place: string, certificates: Certificates.Certificates) =>
  Effect.catch(dialTls(place, certificates, openTimeoutMs), (met) => Effect.mapError(dialPlain(place), () => met))

/** The transport, and the listener to mount for it. */
export const layer = (options: PeerSocketsOptions): Layer.Layer<Transport | PeerListener, PeersFailure> =>
  Layer.effectContext(
    Effect.map(make(options), ({ listener, transport }) =>
      Context.make(Transport, transport).pipe(Context.add(PeerListener, listener))
    )
  )
