/** How messages reach peers, as a port: lossy, bounded, in order per lane while a connection lasts. Not the bytes (Wire.ts). */
import { Context, type Effect } from "effect"
import type { ConfigurationMember } from "../core/Configuration.ts"
import type { NodeId } from "../core/Message.ts"
import type { Hello } from "./Handshake.ts"
import type { Lane, PeerMessage } from "./PeerMessage.ts"

/** What can wait towards one peer, unread by it, in each lane; past it a message is dropped and `send` says so. */
export const sendQueueMaxBytes: Record<Lane, number> = {
  control: 1024 * 1024,
  bulk: 32 * 1024 * 1024
}

/** What this node says of itself until it is stopped. `peers` are those that its flags name, without itself. */
export interface Self {
  readonly nodeId: NodeId
  readonly address: string
  readonly instanceId: string
  readonly peers: ReadonlyArray<{ readonly id: NodeId; readonly address: string }>
}

/** What a node knows of its cluster: null and nobody while it is unformed (C16). */
export interface Membership {
  readonly clusterId: string | null
  readonly members: ReadonlyArray<ConfigurationMember>
}

export const unformed: Membership = { clusterId: null, members: [] }

/**
 * What a transport tells. A peer is up while its control lane is: everything received from it comes between its
 * `PeerUp` and its `PeerDown`, and a second `PeerUp` is never without a `PeerDown` before it. Its bulk lane may come up
 * later, and may drop alone: `BulkUp` says that both lanes are up, `BulkDown` that what was in the bulk lane may be lost.
 * With `PeerDown` the bulk lane counts as down, too.
 */
export type TransportEvent =
  | { readonly _tag: "PeerUp"; readonly peer: NodeId; readonly hello: Hello }
  | { readonly _tag: "PeerDown"; readonly peer: NodeId }
  | { readonly _tag: "BulkUp"; readonly peer: NodeId }
  | { readonly _tag: "BulkDown"; readonly peer: NodeId }
  | { readonly _tag: "Received"; readonly from: NodeId; readonly message: PeerMessage }

/** The peers of one node. */
export class Transport extends Context.Service<
  Transport,
  {
    /** Never blocks. False: certainly not sent, since the peer is not connected or its queue is full. True promises nothing. */
    readonly send: (peer: NodeId, lane: Lane, message: PeerMessage) => boolean
    /** Hands every event to `handler`, which must not block, the peers that are up already first. Runs until interrupted, once at a time. */
    readonly run: (handler: (event: TransportEvent) => void) => Effect.Effect<never>
    /** The peers that are up now, with what they said. */
    readonly connected: () => ReadonlyMap<NodeId, Hello>
    /**
     * Changes what this node says in its hellos and whom it dials: peers that are new are dialled, those that are gone
     * no longer. Of another cluster than before, every connection is closed and opened anew.
     */
    readonly announce: (membership: Membership) => Effect.Effect<void>
  }
>()("lithair/Raft/Transport") {}

/** Everything of a hello that does not depend on the connection. */
export const helloOf = (options: {
  readonly self: Self
  readonly membership: Membership
  readonly targetNodeId: NodeId
  readonly lane: Lane
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
