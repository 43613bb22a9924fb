/**
 * Who dials whom: of each pair the node with the smaller id, both lanes, again and again. A member that nobody dials dials
 * by itself: its peers may have removed it while it was away. PeerSockets.ts has the connections. D8.
 */
import { Deferred, Effect, FiberMap, Random, type Scope } from "effect"
import { type LinkTable, lanes } from "./LinkTable.ts"
import type { Lane } from "./PeerMessage.ts"
import type { Membership, Self } from "./Transport.ts"

/** The pause before the second dial; it doubles with each failure. */
export const backoffMinMs = 50
/** The longest pause between two dials. */
export const backoffMaxMs = 500
/** A node of a cluster dials the peers that ought to dial it after so long without any. */
export const knockAfterMs = 2_000
/** How long {@link Dialing.redial} waits for a connection. */
const redialMaxMs = 5_000

/** A peer and where to dial it. */
export type Peer = Self["peers"][number]

/** The dials of one node, until its scope closes. */
export interface Dialing {
  /** Dials the peers that are new, and no longer those that are gone. */
  readonly dialAll: Effect.Effect<void>
  /** Ends every connection that this node has dialled. */
  readonly stopAll: Effect.Effect<void>
  /**
   * Dials a peer once more, beside the link that is up; the newer one stays. `reason` tells such dials apart. Resumes when
   * the connection is proven, or has failed.
   */
  readonly redial: (peer: Peer, lane: Lane, reason: string) => Effect.Effect<void>
}

/** Begins with {@link Dialing.dialAll}. */
export const make = Effect.fnUntraced(function* (options: {
  readonly self: Self
  readonly membership: () => Membership
  readonly links: LinkTable
  /** One connection, from its first byte to its end. Calls `opened` once both sides have proved themselves. */
  readonly connect: (peer: Peer, lane: Lane, opened: () => void) => Effect.Effect<void>
  /** Why this node may not dial an address. */
  readonly refusalOf: (address: string) => string | undefined
}): Effect.fn.Return<Dialing, never, Scope.Scope> {
  const { connect, links, membership, refusalOf, self } = options
  /** One for each peer, its address and lane that this node dials: a member may come back elsewhere. */
  const dialers = yield* FiberMap.make<string, void>()
  const runDialer = yield* FiberMap.runtime(dialers)()

  /**
   * The log's members once there are any, the flags' peers until then: flags never override the log (C16). An address is a
   * hint: a member that the flags name elsewhere than the log is looked for at both places.
   */
  const dialled = (): ReadonlyArray<Peer> => {
    const { members } = membership()
    const moved = self.peers.filter(({ address, id }) =>
      members.some((each) => each.id === id && each.address !== address)
    )
    return (members.length > 0 ? [...members, ...moved] : self.peers).filter(({ id }) => self.nodeId < id)
  }

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
        const refusal = refusalOf(peer.address)
        if (refusal !== undefined) return Effect.logWarning(`Cannot dial ${peer.id}: ${refusal}`)
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
    const { clusterId, members } = membership()
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

  const redial = Effect.fnUntraced(function* (peer: Peer, lane: Lane, reason: string) {
    const tried = yield* Deferred.make<void>()
    const end = Deferred.succeed(tried, undefined)
    const connecting = connect(peer, lane, () => Deferred.doneUnsafe(tried, Effect.void))
    runDialer(`${reason} ${lane} ${peer.id}`, Effect.ensuring(connecting, end), { onlyIfMissing: true })
    yield* Effect.timeoutOption(Deferred.await(tried), redialMaxMs)
  })

  yield* dialAll
  yield* Effect.forkScoped(Effect.forever(knock))
  return { dialAll, stopAll: FiberMap.clear(dialers), redial }
})
