/** A node's place, storage and transport in one layer: on the disk and network of this machine, or in memory. */
import { Effect, Layer } from "effect"
import type { Directory } from "../EventStore/Directory.ts"
import { makeMemoryNetwork } from "../Raft/peers/MemoryNetwork.ts"
import type { PeerListener } from "../Raft/peers/PeerListener.ts"
import type { PeersFailure } from "../Raft/peers/PeerSockets.ts"
import type { Transport } from "../Raft/peers/Transport.ts"
import { layerNetwork, layerSockets } from "./Peers.ts"
import * as Place from "./Place.ts"
import { layerFile, layerMemory as layerMemoryStorage, type StorageFailure } from "./Storage.ts"

/** The services that `layerHost` and `layerMemory` provide to a node: place, storage and transport. */
export type NodePlace = Place.Place | Directory | Transport | PeerListener

/** Gives a node a place in the cluster, a directory on this machine, and sockets. */
export const layerHost = (
  options: Place.PlaceOptions & { readonly directory: string }
): Layer.Layer<NodePlace, StorageFailure | Place.PlaceFailure | PeersFailure> =>
  layerSockets.pipe(Layer.provideMerge(layerFile(options)), Layer.provideMerge(Place.layer(options)))

/** Gives a node a cluster of one, in memory: for tests, and for data that need not last. */
export const layerMemory: Layer.Layer<NodePlace> = Layer.unwrap(
  Effect.sync(() =>
    layerNetwork(makeMemoryNetwork()).pipe(
      Layer.provideMerge(layerMemoryStorage),
      Layer.provideMerge(Layer.succeed(Place.Place, Place.make({ address: "memory:0" })))
    )
  )
)
