/** The composition root: the layers of one node, from its models and flags to its routes. */
import { Effect, Layer } from "effect"
import { Directory, layerDirectory } from "./EventStore/Directory.ts"
import * as Server from "./Http/Server.ts"
import { type Described, describe } from "./Model.ts"
import * as Member from "./Raft/Member.ts"
import * as PeerSockets from "./Raft/PeerSockets.ts"
import type { RaftConfig } from "./Raft/RaftConfig.ts"
import * as Records from "./Repository/Records.ts"

/** One node: who it is, whom it starts with, where its data lies, and what it serves. */
export interface NodeOptions {
  readonly models: ReadonlyArray<Described>
  /** Its address as its peers write it, `host:port`; by default also its id. */
  readonly address: string
  readonly id?: string
  /** The other members of the cluster that it forms. Once formed, its log says who they are. */
  readonly peers: ReadonlyArray<{ readonly id: string; readonly address: string }>
  readonly directory: string
  /** The shared secret of the cluster; without one only loopback peers are accepted. */
  readonly secret?: string
  readonly raft?: RaftConfig
}

/** The routes of one node, for the router of its server; the node runs until the layer's scope closes. */
export const layerNode = (options: NodeOptions) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { address, peers } = options
      const { instanceId, nodeId } = yield* (yield* Directory).identity
      const self = { nodeId, address, instanceId, peers }
      const sockets = PeerSockets.layer({ self, ...(options.secret === undefined ? {} : { secret: options.secret }) })
      const raft = options.raft === undefined ? {} : { config: options.raft }
      const member = Member.layer({ self, models: options.models.map(describe), ...raft })
      return Server.layer(options.models).pipe(
        Layer.provideMerge(Records.layer),
        Layer.provideMerge(member),
        Layer.provide(sockets)
      )
    })
  ).pipe(Layer.provide(layerDirectory({ directory: options.directory, nodeId: options.id ?? options.address })))
