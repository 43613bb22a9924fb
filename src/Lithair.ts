/** The composition root: one node from its models, its place in the cluster, its directory and its server. */
import { Context, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { NetAddress } from "effect/net"
import * as Procedures from "./Command/Procedures.ts"
import type * as Command from "./Command.ts"
import { Directory, layerDirectory } from "./EventStore/Directory.ts"
import * as LocalNode from "./EventStore/LocalNode.ts"
import { joinThrough } from "./Http/Join.ts"
import * as Server from "./Http/Server.ts"
import { type Described, describe } from "./Model.ts"
import * as NodeProjections from "./Projection/NodeProjections.ts"
import type * as Projection from "./Projection.ts"
import * as Member from "./Raft/Member.ts"
import * as PeerSockets from "./Raft/PeerSockets.ts"
import type { RaftConfig } from "./Raft/RaftConfig.ts"
import { descriptor as reactionPosition } from "./Reaction/Position.ts"
import * as Reaction from "./Reaction.ts"
import * as Commands from "./Repository/Commands.ts"
import * as Records from "./Repository/Records.ts"

/** What the nodes of a cluster have in common: what they serve, and how they agree. */
export interface ClusterOptions<R = never, C extends Command.Any = never> {
  readonly models: ReadonlyArray<Described>
  /** Declared commands; whoever runs a node provides their handlers. */
  readonly commands?: ReadonlyArray<C>
  /** Read models, folded on every node. */
  readonly projections?: ReadonlyArray<Projection.Projection>
  /** Effects that follow events, run on the leader; what they need is asked of whoever runs the node. */
  readonly reactions?: ReadonlyArray<Reaction.Reaction<R>>
  /** Bounds and timeouts that are not the default. */
  readonly raft?: Partial<RaftConfig>
}

/** One node: what it serves, who it is, whom it starts with, and where its data lies. */
export interface NodeOptions<R = never, C extends Command.Any = never> extends ClusterOptions<R, C> {
  /** Its address as its peers write it, `host:port`; by default also its id. */
  readonly address: string
  readonly id?: string
  /** The other members of the cluster that it forms; none: a cluster of one. Once formed, the log says who they are. */
  readonly peers: ReadonlyArray<{ readonly id: string; readonly address: string }>
  readonly directory: string
  /** The address of a running cluster's member that is to take this node in, while it is empty; `peers` are not used then. */
  readonly join?: string
  /** The shared secret of the cluster; without one the node listens to its own host alone, and so do its peers. */
  readonly secret?: string
}

/** The services of one node, and its routes, over whatever directory, transport and router they are given. */
export const layerServices = <R = never, C extends Command.Any = never>({
  models: described,
  commands = [],
  projections = [],
  reactions = [],
  raft,
  ...options
}: ClusterOptions<R, C> & Pick<Member.MemberOptions, "self" | "join" | "newId">) => {
  const models = described.map(describe)
  const replicated = [...models, reactionPosition]
  const config = raft === undefined ? {} : { config: raft }
  const member = Layer.unwrap(
    Effect.map(Procedures.make(commands), (procedures) =>
      Member.layer({ ...options, ...config, models: replicated, procedures })
    )
  )
  return Server.layer({ models: described, commands, projections }).pipe(
    Layer.provideMerge(NodeProjections.layer(projections)),
    Layer.provideMerge(Reaction.layer(reactions)),
    Layer.provideMerge(Records.layer),
    Layer.provideMerge(Commands.layer),
    Layer.provideMerge(member),
    Layer.provideMerge(LocalNode.layer({ ...options, models }))
  )
}

/** The services of one node on its disk and its network, and its routes in the router that it is given. */
export const layerNode = <R = never, C extends Command.Any = never>({
  address,
  id,
  peers,
  directory,
  join,
  secret,
  ...options
}: NodeOptions<R, C>) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { instanceId, nodeId } = yield* (yield* Directory).identity
      const self = { nodeId, address, instanceId, peers }
      const joining = join === undefined ? {} : { join: joinThrough(join) }
      return Layer.provide(
        layerServices({ ...options, ...joining, self }),
        PeerSockets.layer({ self, ...(secret === undefined ? {} : { secret }) })
      )
    })
  ).pipe(Layer.provide(layerDirectory({ directory, nodeId: id ?? address })))

/** The node would listen to other hosts, any of which could pass for a peer: there is no secret that a peer proves. */
export class Unprotected extends Schema.TaggedError<Unprotected>()("Unprotected", { message: Schema.String }) {}

/** Without a secret a node is for its own host alone (D8). */
const checkProtected = (address: NetAddress.SocketAddress, secret: string | undefined) => {
  if (secret !== undefined || NetAddress.isUnixPathAddress(address)) return Effect.void
  if (NetAddress.isLoopback(address.address)) return Effect.void
  const host = NetAddress.formatIp(address.address)
  return new Unprotected({ message: `Cannot listen on ${host} without a secret: any host could pass for a peer` })
}

/**
 * Runs one node until it is interrupted, or cannot go on: its server does not start, its disk fails, its cluster will
 * not have it, it would listen to strangers (`Unprotected`). The server listens only when every route is there, and is the first to stop.
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
export const launch = <A, E, R, RN = never, C extends Command.Any = never>(
  options: NodeOptions<RN, C>,
  server: Layer.Layer<A | HttpServer.HttpServer, E, R>
) =>
  Effect.gen(function* () {
    const node = yield* Layer.build(Layer.provideMerge(layerNode(options), Server.layerRouter))
    const listening = yield* Layer.build(server)
    yield* checkProtected(Context.get(listening, HttpServer.HttpServer).address, options.secret)
    const app = Context.get(node, HttpRouter.HttpRouter).asHttpEffect()
    yield* HttpServer.serveEffect(app).pipe(Effect.provide(listening))
    // First of all that ends: commands under way are answered while the server and the peers' sockets are still there.
    yield* Effect.addFinalizer(() => Context.get(node, Member.Member).drain)
    // Before that even: what reactions have done is recorded while commands are still taken.
    yield* Effect.addFinalizer(() => Context.get(node, Reaction.Reactions).rest)
    return yield* Effect.raceFirst(
      Context.get(node, Member.Member).stopped,
      Context.get(node, LocalNode.LocalNode).stopped
    )
  }).pipe(Effect.scoped)
