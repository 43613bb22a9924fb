/**
 * The transport over WebSockets on the node's own HTTP port, at `/_raft`: who dials whom, and what is up. D8.
 * Two sockets for each pair, one a lane; the smaller node id dials both. A node of a cluster whom nobody dials dials by
 * itself: its peers may have removed it while it was away. Not one connection's life (PeerLink.ts).
 */
import { randomBytes } from "node:crypto"
import { Context, Effect, FiberMap, Layer, Random, type Scope } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { Socket } from "effect/socket"
import type { NodeId } from "../core/Message.ts"
import {
  checkRemoteAddress,
  describeRefusal,
  type Hello,
  nonceBytes,
  processNonceBytes,
  protocolMax,
  protocolMin
} from "./Handshake.ts"
import { openLink, type PeerLink, type Side } from "./PeerLink.ts"
import { PeerListener, path } from "./PeerListener.ts"
import type { Lane } from "./PeerMessage.ts"
import * as PeerRefusal from "./PeerRefusal.ts"
import { Resolver } from "./Resolver.ts"
import { isOfPage, notOfThisHost } from "./ThisHost.ts"
import { helloOf, type Membership, type Self, Transport, type TransportEvent, unformed } from "./Transport.ts"

export const backoffMinMs = 50
export const backoffMaxMs = 500
/** How long a socket may take to open. A server that still builds its layers accepts and never answers. */
const openTimeoutMs = 1_000
/** A node of a cluster that has been without any peer for so long dials those that ought to dial it. */
export const knockAfterMs = 2_000
/** Connections that are shaking hands at once; a stranger past it is sent away (503). */
export const handshakesMaxCount = 64

const lanes: ReadonlyArray<Lane> = ["control", "bulk"]

/** Whether the headers open a WebSocket (RFC 6455 §4.2.1). What is left to the server, it refuses without a problem. */
const isWebSocketHandshake = (headers: Readonly<Record<string, string | undefined>>): boolean =>
  headers.upgrade?.toLowerCase() === "websocket" &&
  headers["sec-websocket-version"] === "13" &&
  /^[A-Za-z0-9+/]{22}==$/.test(headers["sec-websocket-key"] ?? "")

/**
 * Whether a dialer's WebSocket is Deno's. It keeps a small write back until all that it has sent is acknowledged (Nagle's
 * algorithm, RFC 9293 §3.7.4), has no option against it, and writes the head of a large frame apart. A kernel acknowledges
 * 40 ms later if it has nothing to send meanwhile, so the side that was dialled answers each packet at once. Of a large
 * frame only the head would arrive, which nobody can answer: a pulse goes ahead of it, and while that is not acknowledged
 * head and payload gather and are sent together.
 */
const isDeno = (userAgent: string | undefined): boolean => userAgent?.startsWith("Deno/") === true

export interface PeerSocketsOptions {
  readonly self: Self
  readonly membership?: Membership
  /** Proves a peer. Without one only loopback peers are dialled and accepted. */
  readonly secret?: string
  /** `wss` where the peers' ports speak TLS. */
  readonly scheme?: "ws" | "wss"
}

/** Dials, and keeps dialling until its scope closes. */
export const make = Effect.fnUntraced(function* (
  options: PeerSocketsOptions
): Effect.fn.Return<
  { readonly transport: Transport["Service"]; readonly listener: PeerListener["Service"] },
  never,
  Socket.WebSocketConstructor | Scope.Scope
> {
  const { self, secret } = options
  const resolve = yield* Resolver
  const webSocketConstructor = yield* Socket.WebSocketConstructor
  /** One for each peer, its address and lane that this node dials: a member may come back elsewhere. */
  const dialers = yield* FiberMap.make<string, void>()
  const runDialer = yield* FiberMap.runtime(dialers)()

  const processNonce = randomBytes(processNonceBytes)
  let membership = options.membership ?? unformed
  let handler: ((event: TransportEvent) => void) | undefined
  let handshakes = 0
  const links: Record<Lane, Map<NodeId, PeerLink>> = { control: new Map(), bulk: new Map() }

  const helloTo = (targetNodeId: NodeId, lane: Lane): Hello =>
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

  const lower = (link: PeerLink): void => {
    const peer = link.hello.nodeId
    if (links[link.lane].get(peer) !== link) return
    links[link.lane].delete(peer)
    if (link.lane === "control") handler?.({ _tag: "PeerDown", peer })
    else if (links.control.has(peer)) handler?.({ _tag: "BulkDown", peer })
  }
  const tellIfWhole = (peer: NodeId): void => {
    if (links.control.has(peer) && links.bulk.has(peer)) handler?.({ _tag: "BulkUp", peer })
  }
  /** A newer proven link takes the place of an older one, which a peer that restarted has left half open. */
  const raise = Effect.fnUntraced(function* (link: PeerLink) {
    const peer = link.hello.nodeId
    const older = links[link.lane].get(peer)
    if (older !== undefined) {
      lower(older)
      yield* older.close
    }
    links[link.lane].set(peer, link)
    if (link.lane === "control") handler?.({ _tag: "PeerUp", peer, hello: link.hello })
    tellIfWhole(peer)
  })

  const isSameProcess = (one: Hello, other: Hello) =>
    one.instanceId === other.instanceId && Buffer.compare(one.processNonce, other.processNonce) === 0

  /**
   * The peer's other process, if one that shows the same data directory still answers: that directory was copied, and
   * both would vote. The one that was here first stays. One that was killed answers no more, and its successor is taken.
   */
  const refuseSecond = Effect.fnUntraced(function* (link: PeerLink) {
    const { instanceId, nodeId } = link.hello
    for (const lane of lanes) {
      const first = links[lane].get(nodeId)
      if (first === undefined || first.hello.instanceId !== instanceId || isSameProcess(first.hello, link.hello))
        continue
      if (yield* first.answers) return yield* link.refuse({ _tag: "SecondProcess", nodeId })
      // Its other lane is no more alive.
      lower(first)
      yield* first.close
    }
  })

  /** Opens, holds and ends one link. Resumes only when the link has ended. */
  const hold = Effect.fnUntraced(function* (
    socket: Socket.Socket,
    side: Side,
    opened: () => void,
    pace: { readonly acknowledgesAtOnce?: boolean; readonly announcesLargePackets?: boolean }
  ) {
    const greeted = membership
    const link = yield* openLink({ socket, side, secret, ...pace })
    opened()
    // What we said of ourselves while it opened may be out of date: the next hello says it right.
    if (greeted !== membership) return
    yield* refuseSecond(link)
    yield* raise(link)
    return yield* link
      .run((message) => {
        const { nodeId } = link.hello
        const control = links.control.get(nodeId)
        // What a former process or data directory said in one lane must not pass for its successor's word in the other (C16).
        if (control === undefined || !isSameProcess(control.hello, link.hello)) return
        handler?.({ _tag: "Received", from: nodeId, message })
      })
      .pipe(Effect.ensuring(Effect.sync(() => lower(link))))
  }, Effect.scoped)

  /** The log's members once there are any, the flags' peers until then: flags never override the log (C16). */
  const dialled = () =>
    (membership.members.length > 0 ? membership.members : self.peers).filter(({ id }) => self.nodeId < id)

  type Peer = Self["peers"][number]

  /** By a name that a certificate is for; and where none is, by where the name leads at this very dial. */
  const urlOf = ({ address }: Peer): Effect.Effect<string> =>
    options.scheme === "wss"
      ? Effect.succeed(`wss://${address}${path}`)
      : Effect.map(resolve(address), (place) => `ws://${place}${path}`)

  /** One link, from its first byte to its end. */
  const connect = (peer: Peer, lane: Lane, opened: () => void) =>
    Socket.makeWebSocket(urlOf(peer), { openTimeout: openTimeoutMs }).pipe(
      Effect.provideService(Socket.WebSocketConstructor, webSocketConstructor),
      Effect.flatMap((socket) => {
        const side: Side = { role: "dialer", hello: helloTo(peer.id, lane) }
        return hold(socket, side, opened, { announcesLargePackets: "Deno" in globalThis })
      }),
      Effect.catchTag("LinkClosed", (closed) =>
        (closed.refused ? Effect.logWarning : Effect.logDebug)(
          `Cannot keep the ${lane} link to ${peer.id} at ${peer.address}: ${closed.message}`
        )
      ),
      Effect.asVoid
    )

  const dial = Effect.fnUntraced(function* (peer: Peer, lane: Lane) {
    let backoffMs = backoffMinMs
    // A link to a peer that is gone is not cut, since its last answers are on their way: it is not opened again.
    while (dialled().some(({ address, id }) => id === peer.id && address === peer.address)) {
      yield* connect(peer, lane, () => {
        backoffMs = backoffMinMs
      })
      // Half of the delay is random, so that nodes that lost each other at once do not all return at once.
      yield* Effect.sleep(backoffMs * (0.5 + 0.5 * (yield* Random.next)))
      backoffMs = Math.min(backoffMaxMs, backoffMs * 2)
    }
  })

  const eachLane = (peers: ReadonlyArray<Peer>, run: (peer: Peer, lane: Lane) => void) =>
    Effect.forEach(
      peers,
      (peer) => {
        const refusal = checkRemoteAddress({ secret, remoteAddress: peer.address.replace(/:\d+$/, "") })
        if (refusal !== undefined) return Effect.logWarning(`Cannot dial ${peer.id}: ${describeRefusal(refusal)}`)
        for (const lane of lanes) run(peer, lane)
        return Effect.void
      },
      { discard: true }
    )

  const dialAll = Effect.suspend(() =>
    eachLane(dialled(), (peer, lane) =>
      runDialer(`${lane} ${peer.id} ${peer.address}`, dial(peer, lane), { onlyIfMissing: true })
    )
  )

  const isAlone = () => membership.clusterId !== null && links.control.size === 0

  /** Once to each. Whoever takes this node for a member dials it too, and of two links the newer one stays. */
  const knock = Effect.gen(function* () {
    const wasAlone = isAlone()
    yield* Effect.sleep(knockAfterMs)
    if (!wasAlone || !isAlone()) return
    const others = membership.members.filter(({ id }) => id < self.nodeId)
    yield* eachLane(others, (peer, lane) =>
      runDialer(
        `knock ${lane} ${peer.id}`,
        connect(peer, lane, () => undefined),
        { onlyIfMissing: true }
      )
    )
  })

  const closeAll = Effect.suspend(() =>
    Effect.forEach(
      lanes.flatMap((lane) => [...links[lane].values()]),
      (link) =>
        Effect.andThen(
          link.close,
          Effect.sync(() => lower(link))
        ),
      { discard: true }
    )
  )

  const accept = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    // No page may speak to a node through a browser; and without a secret nothing proves a peer but its host.
    if (isOfPage(request)) return PeerRefusal.notAPeer
    if (secret === undefined && notOfThisHost(request) !== undefined) return PeerRefusal.notAPeer
    if (!isWebSocketHandshake(request.headers)) return PeerRefusal.webSocketOnly
    if (handshakes >= handshakesMaxCount) return PeerRefusal.tooManyHandshakes
    handshakes += 1
    let shaking = true
    const opened = (): void => {
      if (shaking) handshakes -= 1
      shaking = false
    }
    const side: Side = { role: "acceptor", answer: (theirs) => helloTo(theirs.nodeId, theirs.lane) }
    return yield* request.upgrade.pipe(
      Effect.flatMap((socket) =>
        hold(socket, side, opened, { acknowledgesAtOnce: isDeno(request.headers["user-agent"]) })
      ),
      Effect.catchTag("LinkClosed", (closed) =>
        (closed.refused ? Effect.logWarning : Effect.logDebug)(`A peer's link ended: ${closed.message}`)
      ),
      Effect.as(HttpServerResponse.empty()),
      Effect.catchTag("HttpServerError", () => Effect.succeed(PeerRefusal.webSocketOnly)),
      Effect.ensuring(Effect.sync(opened))
    )
  })

  yield* Effect.addFinalizer(() => closeAll)
  yield* dialAll
  yield* Effect.forkScoped(Effect.forever(knock))

  const transport = Transport.of({
    send: (peer, lane, message) => links.control.has(peer) && links[lane].get(peer)?.send(message) === true,
    connected: () => new Map([...links.control].map(([peer, link]) => [peer, link.hello])),
    announce: (next) =>
      Effect.gen(function* () {
        const isOtherCluster = next.clusterId !== membership.clusterId
        membership = next
        if (isOtherCluster) {
          yield* FiberMap.clear(dialers)
          yield* closeAll
        }
        yield* dialAll
      }),
    run: (own) =>
      Effect.suspend(() => {
        handler = own
        for (const [peer, { hello }] of [...links.control]) {
          own({ _tag: "PeerUp", peer, hello })
          tellIfWhole(peer)
        }
        return Effect.never
      }).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            handler = undefined
          })
        )
      )
  })
  return { transport, listener: PeerListener.of({ accept, isProtected: secret !== undefined }) }
})

/** The transport, and the listener to mount for it. */
export const layerWith = (
  options: PeerSocketsOptions
): Layer.Layer<Transport | PeerListener, never, Socket.WebSocketConstructor> =>
  Layer.effectContext(
    Effect.map(make(options), ({ listener, transport }) =>
      Context.make(Transport, transport).pipe(Context.add(PeerListener, listener))
    )
  )

/** With the WebSocket that Node, Bun and Deno all have. */
export const layer = (options: PeerSocketsOptions): Layer.Layer<Transport | PeerListener> =>
  layerWith(options).pipe(Layer.provide(Socket.layerWebSocketConstructorGlobal))
