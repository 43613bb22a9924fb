/**
 * The port by which messages reach peers: lossy, bounded, in order per lane while a connection lasts. Wire.ts has the
 * bytes.
 */
import { Context, type Effect } from "effect"
import type { OwnStarts, Start } from "../../EventStore/Start.ts"
import type { ConfigurationMember } from "../core/Configuration.ts"
import type { NodeId } from "../core/Message.ts"
import type { LinkClosed } from "./FrameStream.ts"
import type { Hello, HelloLane } from "./Handshake.ts"
import type { Introduced } from "./Introduction.ts"
import type { JoinAsked } from "./JoinLane.ts"
import type { JoinReply } from "./JoinReply.ts"
import type { Lane, PeerMessage } from "./PeerMessage.ts"

/**
 * The limit on unread bytes on their way to one peer, for each lane. Past it a message is dropped, and `send` returns
 * false.
 */
export const sendQueueMaxBytes: Record<Lane, number> = {
  control: 1024 * 1024,
  bulk: 32 * 1024 * 1024
}

/** This node's own hello data, until it stops. `peers` are those that its flags name, without itself. */
export interface Self {
  readonly nodeId: NodeId
  readonly address: string
  readonly instanceId: string
  /** The starts in the data directory. Without them peers cannot tell the directory from a copy. */
  readonly starts?: OwnStarts
  readonly peers: ReadonlyArray<{ readonly id: NodeId; readonly address: string }>
}

/** The cluster of a node and its members: null and none while it is unformed (C16). */
export interface Membership {
  readonly clusterId: string | null
  readonly members: ReadonlyArray<ConfigurationMember>
  /** The clusters whose place this one took: their nodes are told to stop. None by default. */
  readonly formerClusterIds?: ReadonlyArray<string>
}

/** The membership of a node that belongs to no cluster yet. */
export const unformed: Membership = { clusterId: null, members: [] }

/**
 * The events of a transport. A peer is up while its control lane is. Everything received from it comes between its
 * `PeerUp` and its `PeerDown`, and a `PeerDown` always comes before the next `PeerUp`. Its bulk lane may come up later,
 * and may drop alone: `BulkUp` says that both lanes are up, `BulkDown` that messages in the bulk lane may be lost. With
 * `PeerDown` the bulk lane is down too.
 */
export type TransportEvent =
  | { readonly _tag: "PeerUp"; readonly peer: NodeId; readonly hello: Hello }
  /** `why` is what ended the link, for people, if that is known. */
  | { readonly _tag: "PeerDown"; readonly peer: NodeId; readonly why?: string }
  | { readonly _tag: "BulkUp"; readonly peer: NodeId }
  | { readonly _tag: "BulkDown"; readonly peer: NodeId }
  /** A proven peer says that its cluster took the place of this node's: this node has to stop. */
  | { readonly _tag: "Superseded"; readonly by: string }
  /** A proven peer knows a start of this node's data directory that is not in it: this node has to stop. */
  | { readonly _tag: "Copied"; readonly later: Start }
  /** A proven node asks to be taken into this node's cluster. */
  | JoinAsked
  | { readonly _tag: "Received"; readonly from: NodeId; readonly message: PeerMessage }

/** The peers of one node. */
export class Transport extends Context.Service<
  Transport,
  {
    /**
     * Never blocks. False: certainly not sent, since the peer is not connected or its queue is full. True promises
     * nothing.
     */
    readonly send: (peer: NodeId, lane: Lane, message: PeerMessage) => boolean
    /** Sends now what otherwise leaves at the end of this turn of the event loop, if the caller has long work to do. */
    readonly flush: () => void
    /**
     * Passes every event to `handler`, which must not block, beginning with the peers that are up already. Runs until
     * it is interrupted, once at a time. A defect of `handler` ends it with this defect: the node has to stop (D9).
     */
    readonly run: (handler: (event: TransportEvent) => void) => Effect.Effect<never>
    /** The peers that are up now, with their hellos. */
    readonly connected: () => ReadonlyMap<NodeId, Hello>
    /** What the peers that are up told of their data directories. */
    readonly introduced: () => ReadonlyMap<NodeId, Introduced>
    /** What went wrong with the last link to a peer that is not up, for people; undefined if nothing is known. */
    readonly trouble: (peer: NodeId) => string | undefined
    /**
     * Changes what this node says in its hellos and whom it dials: peers that are new are dialled, those that are gone
     * no longer. Of another cluster than before, every connection is closed and opened anew, and so is one to a peer
     * whose data directory may be a copy, as the members now say.
     */
    readonly announce: (membership: Membership) => Effect.Effect<void>
    /**
     * Asks the node at `address` to take this one into its cluster. `clusterId` is the one of this node's directory. Both
     * prove themselves first, or it fails with a `LinkClosed` that is refused.
     */
    readonly join: (address: string, clusterId: string | null) => Effect.Effect<JoinReply, LinkClosed>
  }
>()("lithair/Raft/Transport") {}

/** Everything of a hello that does not depend on the connection. */
export const helloOf = (options: {
  readonly self: Self
  readonly membership: Membership
  readonly targetNodeId: NodeId
  readonly lane: HelloLane
  readonly protocolMin: number
  readonly protocolMax: number
  readonly processNonce: Uint8Array
  readonly nonce: Uint8Array
}): Hello => ({
  protocolMin: options.protocolMin,
  protocolMax: options.protocolMax,
  clusterId: options.membership.clusterId,
  nodeId: options.self.nodeId,
  address: options.self.address,
  targetNodeId: options.targetNodeId,
  instanceId: options.self.instanceId,
  expectedInstanceId: options.membership.members.find(({ id }) => id === options.targetNodeId)?.instanceId ?? null,
  lane: options.lane,
  peers: [...new Set([options.self.nodeId, ...options.self.peers.map(({ id }) => id)])].sort(),
  processNonce: options.processNonce,
  nonce: options.nonce
})
