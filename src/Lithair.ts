/** The composition root: one node from its models, its place in the cluster, its directory and its server. */
import { Context, Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Directory, layerDirectory } from "./EventStore/Directory.ts"
import * as LocalNode from "./EventStore/LocalNode.ts"
import { joinThrough } from "./Http/Join.ts"
import * as Server from "./Http/Server.ts"
import { type Described, describe } from "./Model.ts"
import * as Member from "./Raft/Member.ts"
import * as PeerSockets from "./Raft/PeerSockets.ts"
import type { RaftConfig } from "./Raft/RaftConfig.ts"
import * as Records from "./Repository/Records.ts"

/** One node: what it serves, who it is, whom it starts with, and where its data lies. */
export interface NodeOptions {
  readonly models: ReadonlyArray<Described>
  /** Its address as its peers write it, `host:port`; by default also its id. */
  readonly address: string
  readonly id?: string
  /** The other members of the cluster that it forms; none: a cluster of one. Once formed, the log says who they are. */
  readonly peers: ReadonlyArray<{ readonly id: string; readonly address: string }>
  readonly directory: string
  /** The address of a running cluster's member that is to take this node in, while it is empty; `peers` are not used then. */
  readonly join?: string
  /** The shared secret of the cluster; without one only loopback peers are accepted. */
  readonly secret?: string
  readonly raft?: RaftConfig
}

/** The services of one node, and its routes in the router that it is given. */
export const layerNode = (options: NodeOptions) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { address, peers } = options
      const { instanceId, nodeId } = yield* (yield* Directory).identity
      const self = { nodeId, address, instanceId, peers }
      const sockets = PeerSockets.layer({ self, ...(options.secret === undefined ? {} : { secret: options.secret }) })
      const raft = options.raft === undefined ? {} : { config: options.raft }
      const models = options.models.map(describe)
      const join = options.join === undefined ? {} : { join: joinThrough(options.join) }
      const member = Member.layer({ self, models, ...raft, ...join })
      return Server.layer(options.models).pipe(
        Layer.provideMerge(Records.layer),
        Layer.provideMerge(member),
        Layer.provideMerge(LocalNode.layer({ models })),
        Layer.provide(sockets)
      )
    })
  ).pipe(Layer.provide(layerDirectory({ directory: options.directory, nodeId: options.id ?? options.address })))

/**
 * Runs one node until it is interrupted, or cannot go on: its server does not start, its disk fails, its cluster will
 * not have it. The server listens only when every route is there, and is the first to stop.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http"
 * import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
 * import { Schema } from "effect"
 * import { Lithair, Model } from "lithair"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String),
 *   name: Schema.NonEmptyString.pipe(Model.replicate)
 * }) {}
 *
 * const node = Lithair.launch(
 *   { models: [Product], address: "127.0.0.1:8081", peers: [], directory: ".lithair/8081" },
 *   NodeHttpServer.layer(createServer, { port: 8081, host: "127.0.0.1" })
 * )
 * NodeRuntime.runMain(node)
 * ```
 */
export const launch = <A, E, R>(options: NodeOptions, server: Layer.Layer<A | HttpServer.HttpServer, E, R>) =>
  Effect.gen(function* () {
    const node = yield* Layer.build(Layer.provideMerge(layerNode(options), HttpRouter.layer))
    const listening = yield* Layer.build(server)
    const app = Context.get(node, HttpRouter.HttpRouter).asHttpEffect()
    yield* HttpServer.serveEffect(app).pipe(Effect.provide(listening))
    // First of all that ends: commands under way are answered while the server and the peers' sockets are still there.
    yield* Effect.addFinalizer(() => Context.get(node, Member.Member).drain)
    return yield* Effect.raceFirst(
      Context.get(node, Member.Member).stopped,
      Context.get(node, LocalNode.LocalNode).stopped
    )
  }).pipe(Effect.scoped)
