/** How a node's messages travel, as layers: over sockets, or over a network in the memory of this process. */
import { Effect, Layer, Redacted } from "effect"
import type { Directory } from "../EventStore/Directory.ts"
import * as MemoryNetwork from "../Raft/peers/MemoryNetwork.ts"
import * as PeerListener from "../Raft/peers/PeerListener.ts"
import * as PeerSockets from "../Raft/peers/PeerSockets.ts"
import type { Transport } from "../Raft/peers/Transport.ts"
import { self } from "./Node.ts"
import { Place } from "./Place.ts"

/** Sockets. Mount `Http.layerPeers` on the server that the node's address leads to. */
export const layerSockets: Layer.Layer<Transport | PeerListener.PeerListener, never, Place | Directory> = Layer.unwrap(
  Effect.gen(function* () {
    const { secret } = yield* Place
    return PeerSockets.layer({
      self: yield* self,
      ...(secret === undefined ? {} : { secret: Redacted.value(secret) })
    })
  })
)

/** A network of this process, shared by the nodes that are given the same one. Nobody dials it. */
export const layerNetwork = (
  network: MemoryNetwork.MemoryNetwork
): Layer.Layer<Transport | PeerListener.PeerListener, never, Place | Directory> =>
  Layer.unwrap(
    Effect.map(self, (own) => Layer.merge(MemoryNetwork.layerMemory({ network, self: own }), PeerListener.layerNobody))
  )
