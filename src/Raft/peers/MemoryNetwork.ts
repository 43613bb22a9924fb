/** The transports of several nodes in one process, for tests. Links can be slow or cut. */
import { Clock, Duration, Effect, Latch, Layer } from "effect"
import { untold } from "../../EventStore/Start.ts"
import type { NodeId } from "../core/Message.ts"
import { LinkClosed } from "./FrameStream.ts"
import { checkHello, type Hello, nonceBytes, processNonceBytes, protocolMax, protocolMin } from "./Handshake.ts"
import { type Introduced, type Introduction, introductionTo, isOutdated, laterStart } from "./Introduction.ts"
import type { Lane } from "./PeerMessage.ts"
import {
  helloOf,
  type Membership,
  type Self,
  sendQueueMaxBytes,
  Transport,
  type TransportEvent,
  unformed
} from "./Transport.ts"
import { decode, encode } from "./Wire.ts"

/** One direction between two nodes. */
export interface MemoryLink {
  readonly from: NodeId
  readonly to: NodeId
}

/** The fate of a frame on its way. A real connection loses and doubles none; consensus must bear both. */
export type Fate = "arrives" | "lost" | "twice"

/** The network that the nodes of {@link layerMemory} share. */
export interface MemoryNetwork {
  readonly nodes: Map<NodeId, MemoryNode>
  readonly cuts: Set<string>
  /** How long the next frame travels. Frames of one link and lane arrive in order all the same. */
  readonly latencyMs: () => number
  readonly fateOf: (link: MemoryLink) => Fate
}

/** One node as the network sees it. */
export interface MemoryNode {
  readonly self: Self
  membership: Membership
  readonly links: Map<NodeId, Hello>
  readonly introduced: Map<NodeId, Introduced>
  /** Items that wait for {@link Transport.run}, in the order of their arrival. */
  inbox: Array<{ readonly dueNanos: bigint; readonly item: Item }>
  /** Bytes that wait, by sender and lane. */
  readonly waitingBytes: Map<string, number>
  readonly lastDueNanos: Map<string, bigint>
  readonly clock: Clock.Clock
  readonly wake: Latch.Latch
  running: boolean
}

/** Events, and frames, whose bytes count for their sender. */
type Item =
  | TransportEvent
  | { readonly _tag: "Frame"; readonly from: NodeId; readonly lane: Lane; readonly frame: Uint8Array }

/** Makes a network. By default every frame arrives, and at once. */
export const makeMemoryNetwork = (
  options: Partial<Pick<MemoryNetwork, "latencyMs" | "fateOf">> = {}
): MemoryNetwork => ({
  nodes: new Map(),
  cuts: new Set(),
  latencyMs: options.latencyMs ?? (() => 0),
  fateOf: options.fateOf ?? (() => "arrives")
})

/** Cuts the link between two nodes until {@link heal}. Each sees the other go down. */
export const cut = (network: MemoryNetwork, between: readonly [NodeId, NodeId]): void => {
  network.cuts.add(pair(between))
  disconnect(network, between)
}

/** Mends a link. The two nodes connect again. */
export const heal = (network: MemoryNetwork, between: readonly [NodeId, NodeId]): void => {
  network.cuts.delete(pair(between))
  connect(network, between)
}

/** Whether the link between two nodes is cut. */
export const isCut = (network: MemoryNetwork, between: readonly [NodeId, NodeId]): boolean =>
  network.cuts.has(pair(between))

/** Removes a node, as if its process was killed: its peers see it go down, and none of its frames arrives any more. */
export const leave = (network: MemoryNetwork, nodeId: NodeId): void => {
  const node = network.nodes.get(nodeId)
  if (node === undefined) return
  disconnectAll(network, node)
  network.nodes.delete(nodeId)
}

/** Puts a node on `network` until its scope closes. It encodes and decodes frames as on a real wire. */
export const layerMemory = (options: {
  readonly network: MemoryNetwork
  readonly self: Self
  readonly membership?: Membership
}): Layer.Layer<Transport> =>
  Layer.effect(
    Transport,
    Effect.gen(function* () {
      const { network, self } = options
      const clock = yield* Clock.Clock
      const node: MemoryNode = {
        self,
        membership: options.membership ?? unformed,
        links: new Map(),
        introduced: new Map(),
        inbox: [],
        waitingBytes: new Map(),
        lastDueNanos: new Map(),
        clock,
        wake: Latch.makeUnsafe(false),
        running: false
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          network.nodes.set(self.nodeId, node)
          connectAll(network, node)
        }),
        () => Effect.sync(() => leave(network, self.nodeId))
      )
      return Transport.of({
        send: (peer, lane, message) => {
          const target = network.nodes.get(peer)
          if (target === undefined || !node.links.has(peer)) return false
          const frame = encode(message)
          const key = `${self.nodeId}/${lane}`
          const waiting = (target.waitingBytes.get(key) ?? 0) + frame.length
          if (waiting > sendQueueMaxBytes[lane]) return false
          const fate = network.fateOf({ from: self.nodeId, to: peer })
          if (fate === "lost") return true
          target.waitingBytes.set(key, waiting)
          const soonestNanos = clock.monotonicTimeNanosUnsafe() + BigInt(Math.round(network.latencyMs() * 1e6))
          const lastNanos = target.lastDueNanos.get(key) ?? 0n
          const dueNanos = soonestNanos > lastNanos ? soonestNanos : lastNanos
          target.lastDueNanos.set(key, dueNanos)
          post(target, { _tag: "Frame", from: self.nodeId, lane, frame }, dueNanos)
          if (fate === "twice") post(target, { _tag: "Frame", from: self.nodeId, lane, frame }, dueNanos)
          return true
        },
        flush: () => {},
        run: (handler) => runNode(node, handler),
        connected: () => new Map(node.links),
        introduced: () => new Map(node.introduced),
        trouble: () => undefined,
        join: () => Effect.fail(new LinkClosed({ message: "No node joins in memory", refused: true })),
        announce: (membership) =>
          Effect.sync(() => {
            const isOtherCluster = membership.clusterId !== node.membership.clusterId
            node.membership = membership
            if (isOtherCluster) disconnectAll(network, node)
            for (const [peer, hello] of [...node.links]) {
              const introduced = node.introduced.get(peer)
              if (introduced !== undefined && isOutdated(hello, introduced, membership.members)) {
                disconnect(network, [self.nodeId, peer])
              }
            }
            connectAll(network, node)
          })
      })
    })
  )

const runNode = Effect.fnUntraced(
  function* (node: MemoryNode, handler: (event: TransportEvent) => void) {
    node.running = true
    // A copy: the handler may resume a fiber that changes the links, and the loop below tells of those changes.
    for (const [peer, hello] of [...node.links]) {
      handler({ _tag: "PeerUp", peer, hello })
      handler({ _tag: "BulkUp", peer })
    }
    while (true) {
      const waitNanos = waitNanosOf(node)
      if (waitNanos === 0n) {
        const next = node.inbox.shift()
        if (next !== undefined) deliver(node, next.item, handler)
        continue
      }
      node.wake.closeUnsafe()
      const woken = node.wake.await
      yield* waitNanos === undefined ? woken : Effect.raceFirst(woken, Effect.sleep(Duration.nanos(waitNanos)))
    }
  },
  (effect, node) =>
    Effect.ensuring(
      effect,
      Effect.sync(() => {
        node.running = false
        node.inbox = []
        node.waitingBytes.clear()
        node.lastDueNanos.clear()
      })
    )
)

/** How long the first item still travels; undefined if there is none. */
const waitNanosOf = ({ clock, inbox }: MemoryNode): bigint | undefined => {
  const [next] = inbox
  if (next === undefined) return undefined
  const nowNanos = clock.monotonicTimeNanosUnsafe()
  return next.dueNanos > nowNanos ? next.dueNanos - nowNanos : 0n
}

const deliver = (node: MemoryNode, item: Item, handler: (event: TransportEvent) => void): void => {
  if (item._tag !== "Frame") {
    handler(item)
    return
  }
  const key = `${item.from}/${item.lane}`
  node.waitingBytes.set(key, Math.max(0, (node.waitingBytes.get(key) ?? 0) - item.frame.length))
  const message = decode(item.frame)
  if (message._tag !== "Malformed") handler({ _tag: "Received", from: item.from, message })
}

/** A node that does not run keeps frames, within the limit, and no events: {@link runNode} begins with the peers that are up. */
const post = (node: MemoryNode, item: Item, dueNanos = node.clock.monotonicTimeNanosUnsafe()): void => {
  if (item._tag !== "Frame" && !node.running) return
  const before = node.inbox.findLastIndex((each) => each.dueNanos <= dueNanos)
  node.inbox.splice(before + 1, 0, { dueNanos, item })
  node.wake.openUnsafe()
}

const connect = (network: MemoryNetwork, between: readonly [NodeId, NodeId]): void => {
  const [a, b] = between.map((id) => network.nodes.get(id))
  if (a === undefined || b === undefined || isCut(network, between) || a.links.has(b.self.nodeId)) return
  const [fromA, fromB] = [greet(a, b), greet(b, a)]
  if (checkHello({ own: fromA, theirs: fromB })._tag !== "Agreed") return
  const [byA, byB] = [introducing(a, fromB), introducing(b, fromA)]
  if (isCopy(a, byB) || isCopy(b, byA)) return
  a.links.set(b.self.nodeId, fromB)
  b.links.set(a.self.nodeId, fromA)
  a.introduced.set(b.self.nodeId, { start: byB.start, told: byA.known })
  b.introduced.set(a.self.nodeId, { start: byA.start, told: byB.known })
  for (const [node, peer, hello] of [
    [a, b.self.nodeId, fromB],
    [b, a.self.nodeId, fromA]
  ] as const) {
    post(node, { _tag: "PeerUp", peer, hello })
    post(node, { _tag: "BulkUp", peer })
  }
}

const introducing = (node: MemoryNode, theirs: Hello) =>
  introductionTo(theirs, node.membership.members, node.self.starts ?? untold)

/** Tells a node that it has to stop if its peer knows another start of its data directory. */
const isCopy = (node: MemoryNode, told: Introduction): boolean => {
  const later = laterStart(told, node.self.starts ?? untold)
  if (later !== undefined) post(node, { _tag: "Copied", later })
  return later !== undefined
}

const disconnect = (network: MemoryNetwork, between: readonly [NodeId, NodeId]): void => {
  const [a, b] = between.map((id) => network.nodes.get(id))
  for (const [node, peer] of [
    [a, between[1]],
    [b, between[0]]
  ] as const) {
    if (node?.links.delete(peer) !== true) continue
    node.introduced.delete(peer)
    // Frames that were still on their way are lost with the connection.
    node.inbox = node.inbox.filter(({ item }) => item._tag !== "Frame" || item.from !== peer)
    for (const lane of ["control", "bulk"]) {
      node.waitingBytes.delete(`${peer}/${lane}`)
      node.lastDueNanos.delete(`${peer}/${lane}`)
    }
    post(node, { _tag: "PeerDown", peer })
  }
}

const connectAll = (network: MemoryNetwork, node: MemoryNode): void => {
  for (const other of network.nodes.values()) {
    if (knows(node, other.self.nodeId) || knows(other, node.self.nodeId)) {
      connect(network, [node.self.nodeId, other.self.nodeId])
    }
  }
}

const disconnectAll = (network: MemoryNetwork, node: MemoryNode): void => {
  for (const peer of [...node.links.keys()]) disconnect(network, [node.self.nodeId, peer])
}

const knows = (node: MemoryNode, id: NodeId): boolean =>
  [...node.self.peers, ...node.membership.members].some((peer) => peer.id === id)

const greet = (from: MemoryNode, to: MemoryNode): Hello =>
  helloOf({
    self: from.self,
    membership: from.membership,
    targetNodeId: to.self.nodeId,
    lane: "control",
    protocolMin,
    protocolMax,
    processNonce: new Uint8Array(processNonceBytes),
    nonce: new Uint8Array(nonceBytes)
  })

const pair = (between: readonly [NodeId, NodeId]): string => [...between].sort().join(" ")
