/** Transports between nodes, as layers: sockets, or a network in the memory of this process. */
import { Effect, Layer, Redacted } from "effect"
import type { Directory } from "../EventStore/Directory.ts"
import * as MemoryNetwork from "../Raft/peers/MemoryNetwork.ts"
import * as PeerListener from "../Raft/peers/PeerListener.ts"
import * as PeerSockets from "../Raft/peers/PeerSockets.ts"
import type { Transport } from "../Raft/peers/Transport.ts"
import { self } from "./Node.ts"
import { Place } from "./Place.ts"

/**
 * Connects nodes by sockets. Where the place has `peerTls` it listens there by itself, and fails with `BadCertificate` or
 * `PeersUnheard`. Otherwise mount `Http.layerPeers` on the server at the node's address.
 */
export const layerSockets: Layer.Layer<
  Transport | PeerListener.PeerListener,
  PeerSockets.PeersFailure,
  Place | Directory
> = Layer.unwrap(
  Effect.gen(function* () {
    const { insecurePeers, peerTls, secret } = yield* Place
    return PeerSockets.layer({
      self: yield* self,
      insecurePeers,
      ...(peerTls === undefined ? {} : { tls: peerTls }),
      ...(secret === undefined ? {} : { secret: Redacted.value(secret) })
    })
  })
)

/** Connects the nodes that share this in-memory network. */
export const layerNetwork = (
  network: MemoryNetwork.MemoryNetwork
): Layer.Layer<Transport | PeerListener.PeerListener, never, Place | Directory> =>
  Layer.unwrap(
    Effect.map(self, (own) => Layer.merge(MemoryNetwork.layerMemory({ network, self: own }), PeerListener.layerNobody))
  )
