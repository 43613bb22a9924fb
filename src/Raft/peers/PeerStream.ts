/** A connection to a peer before its handshake: bytes both ways, and the nodes that its certificate names. */
import type { Duplex } from "node:stream"
import type { NodeId } from "../core/Message.ts"

/** A connection, plain or under TLS. */
export interface PeerStream {
  readonly stream: Duplex
  /** The nodes that the peer's certificate names; undefined without TLS, where only the secret proves a peer. */
  readonly certified: ReadonlyArray<NodeId> | undefined
  /** Why this node does not trust the peer's certificate; undefined if it does, and without TLS. */
  readonly untrusted: string | undefined
  /** The generation of this node's certificate on this connection; 0 without TLS. */
  readonly generation: number
}
