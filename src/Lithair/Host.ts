/** A node's place, storage and transport in one layer: on the disk and network of this machine, or in memory. */
import { Effect, Layer, Option } from "effect"
import { type Directory, readIdentity } from "../EventStore/Directory.ts"
import { type BadCertificate, load } from "../Raft/peers/Certificates.ts"
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
): Layer.Layer<NodePlace, StorageFailure | Place.PlaceFailure | PeersFailure> => {
  const layerDirectory = Layer.provide(layerFile(options), layerCertified(options.directory))
  return layerSockets.pipe(Layer.provideMerge(layerDirectory), Layer.provideMerge(Place.layer(options)))
}

/** Checks the certificate before there is a directory: one that was made under a wrong id would keep it. */
const layerCertified = (directory: string): Layer.Layer<never, BadCertificate, Place.Place> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { id, peerTls } = yield* Place.Place
      if (peerTls === undefined) return
      const known = yield* Effect.option(readIdentity(directory))
      yield* load(peerTls, Option.match(known, { onNone: () => id, onSome: ({ nodeId }) => nodeId }), 1)
    })
  )

/** Gives a node a cluster of one, in memory: for tests, and for data that need not last. */
export const layerMemory: Layer.Layer<NodePlace> = Layer.unwrap(
  Effect.sync(() =>
    layerNetwork(makeMemoryNetwork()).pipe(
      Layer.provideMerge(layerMemoryStorage),
      Layer.provideMerge(Layer.succeed(Place.Place, Place.make({ address: "memory:0" })))
    )
  )
)
