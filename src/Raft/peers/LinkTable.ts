/**
 * The links of one node that are up, and what it tells about them: at most one for each peer and lane. PeerSockets.ts
 * opens them.
 */
import { Clock, Deferred, Effect } from "effect"
import type { NodeId } from "../core/Message.ts"
import type { LinkClosed } from "./FrameStream.ts"
import type { Hello } from "./Handshake.ts"
import type { PeerLink } from "./PeerLink.ts"
import type { Lane } from "./PeerMessage.ts"
import type { TransportEvent } from "./Transport.ts"

/** Both lanes of a pair. */
export const lanes: ReadonlyArray<Lane> = ["control", "bulk"]

/** The links of one node. */
export interface LinkTable {
  /** Only `raise` and `lower` change it. A peer is up while its control link is. */
  readonly up: Record<Lane, ReadonlyMap<NodeId, PeerLink>>
  /** Tells an event to the node. False if the node does not run. */
  readonly tell: (event: TransportEvent) => boolean
  /**
   * Adds a proven link. It takes the place of an older one without a loss if the same process says the same in both, and
   * nobody is told. An older one of a peer that started again was left half open, and goes down. Of two links that cross,
   * each dialled by one side at about the same time, both sides keep that of the smaller id: else each could retire the
   * one that the other keeps.
   */
  readonly raise: (link: PeerLink) => Effect.Effect<void>
  /** Removes a link that has ended, and tells what ended it. */
  readonly lower: (link: PeerLink, why?: string) => void
  /**
   * Refuses a link if another process with the same data directory still answers: somebody copied the directory, and
   * both processes would vote. The first one stays. A killed process answers no more, and its successor replaces it.
   */
  readonly refuseSecond: (link: PeerLink) => Effect.Effect<void, LinkClosed>
  /** Closes these links. */
  readonly close: (isMeant: (link: PeerLink) => boolean) => Effect.Effect<void>
  /**
   * Tells every event to `handler` until it is interrupted, beginning with the peers that are up. A defect of `handler`
   * ends it, and not the link whose event that was.
   */
  readonly run: (handler: (event: TransportEvent) => void) => Effect.Effect<never>
}

/** Whether one process said both hellos. */
export const isSameProcess = (one: Hello, other: Hello): boolean =>
  one.instanceId === other.instanceId && Buffer.compare(one.processNonce, other.processNonce) === 0

/** Whether one process said both hellos, of the same cluster and address. */
const saysTheSame = (one: Hello, other: Hello): boolean =>
  isSameProcess(one, other) && one.clusterId === other.clusterId && one.address === other.address

/** Two links cross if they open within so long of each other, and each side has dialled one. */
export const crossingMs = 1_000

/** Makes an empty table. */
export const makeLinkTable = (): LinkTable => {
  const up: Record<Lane, Map<NodeId, PeerLink>> = { control: new Map(), bulk: new Map() }
  let handler: ((event: TransportEvent) => void) | undefined
  const openedMs = new WeakMap<PeerLink, number>()

  /** Of two links that cross, whether the older one stays. */
  const staysFirst = (older: PeerLink, link: PeerLink): boolean =>
    openedMs.get(link)! - openedMs.get(older)! < crossingMs && older.dialledBy < link.dialledBy

  const lower = (link: PeerLink, why?: string): void => {
    const peer = link.hello.nodeId
    if (up[link.lane].get(peer) !== link) return
    up[link.lane].delete(peer)
    if (link.lane === "control") handler?.({ _tag: "PeerDown", peer, ...(why === undefined ? {} : { why }) })
    else if (up.control.has(peer)) handler?.({ _tag: "BulkDown", peer })
  }
  const replace = (link: PeerLink): Effect.Effect<void> =>
    Effect.suspend(() => {
      lower(link)
      return link.close
    })
  const tellIfWhole = (peer: NodeId): void => {
    if (up.control.has(peer) && up.bulk.has(peer)) handler?.({ _tag: "BulkUp", peer })
  }

  return {
    up,
    tell: (event) => {
      handler?.(event)
      return handler !== undefined
    },
    lower,
    raise: Effect.fnUntraced(function* (link) {
      // Before the look at the older link: the fiber may yield here.
      const clock = yield* Clock.Clock
      const peer = link.hello.nodeId
      const older = up[link.lane].get(peer)
      openedMs.set(link, Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
      if (older !== undefined && saysTheSame(older.hello, link.hello)) {
        if (staysFirst(older, link)) return yield* link.retire
        up[link.lane].set(peer, link)
        return yield* older.retire
      }
      if (older !== undefined) yield* replace(older)
      up[link.lane].set(peer, link)
      if (link.lane === "control") handler?.({ _tag: "PeerUp", peer, hello: link.hello })
      tellIfWhole(peer)
    }),
    refuseSecond: Effect.fnUntraced(function* (link) {
      const { instanceId, nodeId } = link.hello
      for (const lane of lanes) {
        const first = up[lane].get(nodeId)
        if (first === undefined || first.hello.instanceId !== instanceId || isSameProcess(first.hello, link.hello))
          continue
        if (yield* first.answers) return yield* link.refuse({ _tag: "SecondProcess", nodeId })
        // Its other lane is dead too.
        yield* replace(first)
      }
    }),
    close: (isMeant) =>
      Effect.suspend(() =>
        Effect.forEach(
          lanes.flatMap((lane) => [...up[lane].values()]).filter(isMeant),
          (link) =>
            Effect.andThen(
              link.close,
              Effect.sync(() => lower(link))
            ),
          { discard: true }
        )
      ),
    run: (own) =>
      Effect.suspend(() => {
        const broken = Deferred.makeUnsafe<never>()
        handler = (event) => {
          try {
            own(event)
          } catch (defect) {
            handler = undefined
            Deferred.doneUnsafe(broken, Effect.die(defect))
          }
        }
        for (const [peer, { hello }] of [...up.control]) {
          handler?.({ _tag: "PeerUp", peer, hello })
          tellIfWhole(peer)
        }
        return Deferred.await(broken)
      }).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            handler = undefined
          })
        )
      )
  }
}
