/**
 * The transport over upgraded connections on the node's own HTTP port, at `/_raft`: who dials whom, and which peers are
 * up. Each pair has two connections, one for each lane, and the node with the smaller id dials both. A member that
 * nobody dials dials by itself: its peers may have removed it while it was away. PeerLink.ts has the life of one
 * connection. D8.
 */
import { randomBytes } from "node:crypto"
import type { Duplex } from "node:stream"
import { Context, Effect, FiberMap, Layer, Option, Random, type Scope } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { untold } from "../../EventStore/Start.ts"
import type { NodeId } from "../core/Message.ts"
import { makeFrameEncoder } from "./FrameEncoder.ts"
import {
  checkRemoteAddress,
  describeRefusal,
  type Hello,
  nonceBytes,
  processNonceBytes,
  protocolMax,
  protocolMin
} from "./Handshake.ts"
import { introductionTo, isOutdated } from "./Introduction.ts"
import { isSameProcess, lanes, makeLinkTable } from "./LinkTable.ts"
import { openLink, type Side } from "./PeerLink.ts"
import { PeerListener, path } from "./PeerListener.ts"
import type { Lane } from "./PeerMessage.ts"
import * as PeerRefusal from "./PeerRefusal.ts"
import { Resolver } from "./Resolver.ts"
import { makeStrangers } from "./Strangers.ts"
import { isOfPage, notOfThisHost } from "./ThisHost.ts"
import { helloOf, type Membership, type Self, Transport, unformed } from "./Transport.ts"
import { acceptUpgrade, asksForUpgrade, dialUpgrade } from "./Upgrade.ts"

/** The pause before the second dial; it doubles with each failure. */
export const backoffMinMs = 50
/** The longest pause between two dials. */
export const backoffMaxMs = 500
/** How long a connection may take to open. A server that still builds its layers accepts and never answers. */
const openTimeoutMs = 1_000
/** A node of a cluster dials the peers that ought to dial it after so long without any. */
export const knockAfterMs = 2_000

/** Options of the transport over sockets. */
export interface PeerSocketsOptions {
  readonly self: Self
  readonly membership?: Membership
  /** Proves a peer. Without one the node dials and accepts only peers of its own host. */
  readonly secret?: string
}

/** Dials, and keeps dialling until its scope closes. */
export const make = Effect.fnUntraced(function* (
  options: PeerSocketsOptions
): Effect.fn.Return<
  { readonly transport: Transport["Service"]; readonly listener: PeerListener["Service"] },
  never,
  Scope.Scope
> {
  const { self, secret } = options
  const { starts = untold } = self
  const resolve = yield* Resolver
  const encode = makeFrameEncoder()
  /** One for each peer, its address and lane that this node dials: a member may come back elsewhere. */
  const dialers = yield* FiberMap.make<string, void>()
  const runDialer = yield* FiberMap.runtime(dialers)()

  const processNonce = randomBytes(processNonceBytes)
  let membership = options.membership ?? unformed
  const strangers = makeStrangers()
  const links = makeLinkTable()
  /** Why the last link to each member ended. */
  const troubles = new Map<NodeId, string>()

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

  /** Shakes hands on a connection, keeps the link, and ends it. Resumes when the connection is closed. */
  const hold = Effect.fnUntraced(function* (stream: Duplex, side: Side, opened: () => void) {
    const greeted = membership
    const link = yield* openLink({
      stream,
      side,
      secret,
      formerClusterIds: membership.formerClusterIds ?? [],
      directory: { starts, introduce: (theirs) => introductionTo(theirs, membership.members, starts) },
      encode
    }).pipe(
      Effect.tapError(({ copiedBefore, supersededBy }) =>
        Effect.sync(() => {
          if (supersededBy !== undefined) links.tell({ _tag: "Superseded", by: supersededBy })
          if (copiedBefore !== undefined) links.tell({ _tag: "Copied", later: copiedBefore })
        })
      )
    )
    opened()
    // This node's own hello may be out of date by now: the next one is right.
    if (greeted !== membership) return
    yield* links.refuseSecond(link)
    yield* links.raise(link)
    return yield* link
      .run((message) => {
        const { nodeId } = link.hello
        const control = links.up.control.get(nodeId)
        // Words of a former process or data directory in one lane must not pass for its successor's in the other (C16).
        if (control === undefined || !isSameProcess(control.hello, link.hello)) return
        links.tell({ _tag: "Received", from: nodeId, message })
      })
      .pipe(Effect.ensuring(Effect.sync(() => links.lower(link))))
  }, Effect.scoped)

  /**
   * The log's members once there are any, the flags' peers until then: flags never override the log (C16). An address is a
   * hint: a member that the flags name elsewhere than the log is looked for at both places.
   */
  const dialled = (): ReadonlyArray<Peer> => {
    const { members } = membership
    const moved = self.peers.filter(({ address, id }) =>
      members.some((each) => each.id === id && each.address !== address)
    )
    return (members.length > 0 ? [...members, ...moved] : self.peers).filter(({ id }) => self.nodeId < id)
  }

  type Peer = Self["peers"][number]

  /** One link, from its first byte to its end. */
  const connect = (peer: Peer, lane: Lane, opened: () => void) =>
    Effect.flatMap(resolve(peer.address), (place) => dialUpgrade(`http://${place}${path}`, openTimeoutMs)).pipe(
      Effect.flatMap((stream) => hold(stream, { role: "dialer", hello: helloTo(peer.id, lane) }, opened)),
      Effect.catchTag("LinkClosed", (closed) => {
        troubles.set(peer.id, closed.message)
        return (closed.refused ? Effect.logWarning : Effect.logDebug)(
          `Cannot keep the ${lane} link to ${peer.id} at ${peer.address}: ${closed.message}`
        )
      }),
      Effect.asVoid,
      Effect.scoped
    )

  const dial = Effect.fnUntraced(function* (peer: Peer, lane: Lane) {
    let backoffMs = backoffMinMs
    // A peer that is gone keeps its link, since its last answers are on their way; nobody opens that link again.
    while (dialled().some(({ address, id }) => id === peer.id && address === peer.address)) {
      // At another of its addresses, or by a link that it opened.
      if (!links.up[lane].has(peer.id)) {
        yield* connect(peer, lane, () => {
          backoffMs = backoffMinMs
        })
      }
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

  /** The members that ought to dial this node, and are not connected, where the log and the flags say that they are. */
  const silent = (): ReadonlyArray<Peer> => {
    const { clusterId, members } = membership
    if (clusterId === null) return []
    const named = self.peers.filter((peer) =>
      members.some(({ address, id }) => id === peer.id && address !== peer.address)
    )
    return [...members, ...named].filter(({ id }) => id < self.nodeId && !links.up.control.has(id))
  }

  /**
   * Dials each once that was silent for a while: it may have removed this node, or its cluster may have taken the place
   * of this one. A node that takes this one for a member dials it too, and of two links the newer one stays.
   */
  const knock = Effect.gen(function* () {
    const before = silent()
    yield* Effect.sleep(knockAfterMs)
    const others = silent().filter(({ address, id }) =>
      before.some((each) => each.id === id && each.address === address)
    )
    yield* eachLane(others, (peer, lane) =>
      runDialer(
        `knock ${lane} ${peer.id} ${peer.address}`,
        connect(peer, lane, () => undefined),
        { onlyIfMissing: true }
      )
    )
  })

  const accept = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    // No page may speak to a node through a browser; and without a secret nothing proves a peer but its host.
    if (isOfPage(request)) return PeerRefusal.notAPeer
    if (secret === undefined && notOfThisHost(request) !== undefined) return PeerRefusal.notAPeer
    if (!asksForUpgrade(request)) return PeerRefusal.peersOnly
    const admitted = strangers.admit(Option.getOrElse(request.peerAddress, () => ""))
    if (admitted === undefined) return PeerRefusal.tooManyHandshakes
    let isStranger = true
    const opened = (): void => {
      admitted()
      isStranger = false
    }
    const side: Side = { role: "acceptor", answer: (theirs) => helloTo(theirs.nodeId, theirs.lane) }
    return yield* Effect.acquireUseRelease(
      Effect.sync(() => acceptUpgrade(request)),
      (stream) => {
        if (stream === undefined) return Effect.succeed(PeerRefusal.peersOnly)
        return hold(stream, side, opened).pipe(
          Effect.catchTag("LinkClosed", (closed) =>
            (!closed.refused ? Effect.logDebug : isStranger ? strangers.warn : Effect.logWarning)(
              `A peer's link ended: ${closed.message}`
            )
          ),
          Effect.as(HttpServerResponse.empty())
        )
      },
      (stream) =>
        Effect.sync(() => {
          opened()
          stream?.destroy()
        })
    )
  })

  yield* Effect.addFinalizer(() => links.close(() => true))
  yield* dialAll
  yield* Effect.forkScoped(Effect.forever(knock))

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
          yield* FiberMap.clear(dialers)
          yield* links.close(() => true)
        }
        yield* links.close(({ hello, introduced }) => isOutdated(hello, introduced, next.members))
        yield* dialAll
      }),
    run: links.run
  })
  return { transport, listener: PeerListener.of({ accept, isProtected: secret !== undefined }) }
})

/** The transport, and the listener to mount for it. */
export const layer = (options: PeerSocketsOptions): Layer.Layer<Transport | PeerListener> =>
  Layer.effectContext(
    Effect.map(make(options), ({ listener, transport }) =>
      Context.make(Transport, transport).pipe(Context.add(PeerListener, listener))
    )
  )
