/** A node as a layer: it provides services to programs and routes, over the directory, transport and place that you choose. */

import { Effect, Layer, type Redacted } from "effect"
import * as Backups from "../Backup/Backups.ts"
import * as Changes from "../Changes/Changes.ts"
import type { Acting } from "../Client/Acting.ts"
import * as NearRepository from "../Client/near/layer.ts"
import type { Repository } from "../Client/Repository.ts"
import * as Member from "../Cluster/Member.ts"
import { layer as layerMember } from "../Cluster/makeMember.ts"
import type { Any as AnyCommand } from "../Command/Declaration.ts"
import type { HandlerOf } from "../Command/Handler.ts"
import * as Procedures from "../Command/Procedures.ts"
import { Directory } from "../EventStore/Directory.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import * as Authentication from "../Http/Authentication.ts"
import type { Auth, External } from "../Http/Authenticator.ts"
import { type EdgeOptions, wrongWithEdge } from "../Http/EdgeOptions.ts"
import * as Serving from "../Http/Serving.ts"
import * as LiveQueries from "../Live/LiveQueries.ts"
import type { ModelMismatch } from "../Local/checkModels.ts"
import * as LocalNode from "../Local/LocalNode.ts"
import type { Retention } from "../Local/Retention.ts"
import { type Described, describe } from "../Model/Class.ts"
import { checkTogether } from "../Model/Declaring.ts"
import { type Dropped, split } from "../Model/Dropped.ts"
import type { SqliteUnavailable } from "../Projection/Failure.ts"
import * as NodeProjections from "../Projection/NodeProjections.ts"
import type { Projection, Projections } from "../Projection/Projections.ts"
import type { Sql, SqlNeeds } from "../Projection/Sql.ts"
import type { RaftConfig } from "../Raft/core/RaftConfig.ts"
import type { Self, Transport } from "../Raft/peers/Transport.ts"
import type { Reaction } from "../Reaction/Definition.ts"
import { descriptor as reactionPosition } from "../Reaction/Position.ts"
import * as Reactions from "../Reaction/Reactions.ts"
import { descriptor as apiKeys } from "../Repository/ApiKeys.ts"
import * as Commands from "../Repository/Commands.ts"
import { upgradeLocal } from "../Repository/LocalUpgrade.ts"
import * as Records from "../Repository/Records.ts"
import * as SqlProjections from "../Sql/SqlProjections.ts"
import type { DenyByDefault } from "./DenyByDefault.ts"
import { Lifecycle } from "./Lifecycle.ts"
import { BadEdge, Place } from "./Place.ts"
import { policyOf } from "./Policy.ts"

/** Any projection: one that every node folds, or one that the leader writes into a SQL database. */
export type AnyProjection = Projection | Sql<unknown>

/** An application: the declarations and bounds that all nodes of a cluster share. */
export interface Application<
  R = never,
  C extends AnyCommand = never,
  M extends Described | Dropped = Described | Dropped,
  P extends AnyProjection = Projection,
  A extends Auth<Repository> | External | undefined = Auth<Repository> | External
> {
  /** The models, and those that have ended: see {@link dropped}. */
  readonly models: ReadonlyArray<M>
  /** Declared commands. The node needs their handlers. */
  readonly commands?: ReadonlyArray<C>
  /** Read models. Every node folds them; those into SQL the leader writes, by the `SqlClient` that the node is given. */
  readonly projections?: ReadonlyArray<P>
  /**
   * Who may ask, and how they show who they are. Then every model, command and projection needs `access` or
   * `http: false`: an application with one that has neither does not compile, or does not start if its type is too wide
   * to tell. Without it the node is open, and answers its own host alone.
   */
  readonly auth?: A
  /** Has a node without `auth` answer other hosts too: everybody who reaches it may read and change everything. */
  readonly insecureOpen?: boolean
  /** Settings of the edge: proxies to believe, limits by caller, origins of pages, the log of requests. */
  readonly edge?: EdgeOptions
  /** Effects that run on the leader after events. The node needs the services that they use. */
  readonly reactions?: ReadonlyArray<Reaction<R>>
  /**
   * How much of the history nodes retain, by age and by bytes; all of it by default. What stays in the log is not
   * counted: see `raft.logRetainedCount`.
   */
  readonly retention?: Retention
  /**
   * Makes the log evident to tampering: each entry carries a digest over all before it, and `lithair verify` names the first
   * that was altered. False by default, since it costs the leader time for each write. Once it has begun, it goes on.
   */
  readonly tamperEvident?: boolean
  /** Bounds and timeouts that differ from the defaults. They must be the same on all nodes of a cluster. */
  readonly raft?: Partial<RaftConfig>
}

/** An application whose types are forgotten: a node of it takes any projection. */
export type Erased<R, C extends AnyCommand> = Application<R, C, Described | Dropped, AnyProjection>

/** The services that a node provides to programs and route handlers. */
export type NodeServices =
  | Repository
  | Acting
  | Records.Records
  | Changes.Changes
  | LiveQueries.LiveQueries
  | Commands.Commands
  | Projections
  | Reactions.Reactions
  | SqlProjections.SqlProjections
  | Backups.Backups
  | Member.Member
  | LocalNode.LocalNode
  | Serving.Serving
  | Authentication.Authentication

/**
 * The services that a node needs beside place, storage and transport: handlers of its commands, and services of its
 * reactions and of its projections into SQL.
 */
export type NeededBy<R, C extends AnyCommand> = Exclude<R, NodeServices> | HandlerOf<C>

/**
 * Why a node does not start: it cannot open its own log, which may not fit its models, cannot run SQLite, or the
 * application has a wrong setting of the edge.
 */
export type OpeningFailure = LogFailed | LogCorrupt | ModelMismatch | SqliteUnavailable | BadEdge

/** The identity of a node, and the options that tests set. */
export type Own = Pick<Member.MemberOptions, "self" | "join" | "newId"> & {
  readonly secret?: Redacted.Redacted
  readonly insecureOpen?: boolean
}

/** Provides the services of a node with this identity. */
export const layerOwn = <R = never, C extends AnyCommand = never>(
  application: Erased<R, C>,
  { insecureOpen, secret, ...own }: Own
): Layer.Layer<NodeServices, OpeningFailure, Directory | Transport | Lifecycle | NeededBy<R, C>> => {
  const {
    auth,
    commands = [],
    models: declared,
    projections: all = [],
    raft = {},
    reactions = [],
    retention
  } = application
  const projections = all.filter((each): each is Projection => each._tag !== "Sql")
  // The compiler has seen to their services where it knew the application (SqlNeeds).
  const intoSql = all.filter((each): each is Sql<R> => each._tag === "Sql")
  const wrong = wrongWithEdge(application.edge ?? {})
  if (wrong !== undefined) return Layer.unwrap(Effect.fail(new BadEdge({ message: wrong })))
  const { dropped, models: described } = split(declared)
  const models = described.map(describe)
  checkTogether(models)
  const policy = policyOf(application)
  const guarding = policy === undefined ? {} : { policy }
  const retained = retention === undefined ? {} : { retention }
  const member = Layer.unwrap(
    Effect.map(Procedures.make(commands), (procedures) =>
      layerMember({
        ...own,
        ...retained,
        ...guarding,
        tamperEvident: application.tamperEvident === true,
        config: raft,
        models: [...models, reactionPosition, apiKeys],
        dropped,
        procedures
      })
    )
  )
  const layerUpgrade = Layer.effectDiscard(
    Effect.gen(function* () {
      const member = yield* Member.Member
      const local = yield* LocalNode.LocalNode
      yield* Effect.forkScoped(upgradeLocal({ member, local, models, dropped }))
    })
  )
  return Layer.mergeAll(layerSupervised, layerUpgrade).pipe(
    Layer.provideMerge(Layer.merge(Reactions.layer(reactions), SqlProjections.layer(intoSql))),
    Layer.provideMerge(Authentication.layer(auth)),
    Layer.provideMerge(NearRepository.layer),
    Layer.provideMerge(Backups.layer),
    Layer.provideMerge(
      Serving.layer({
        models: described,
        commands: commands.filter(({ isServed }) => isServed),
        projections,
        secret,
        auth,
        edge: application.edge,
        insecureOpen: application.insecureOpen === true || insecureOpen === true
      })
    ),
    Layer.provideMerge(NodeProjections.layer(projections)),
    Layer.provideMerge(Changes.layer),
    Layer.provideMerge(LiveQueries.layer),
    Layer.provideMerge(Records.layer),
    Layer.provideMerge(Commands.layer),
    Layer.provideMerge(member),
    Layer.provideMerge(LocalNode.layer({ ...own, ...retained, ...guarding, models }))
    // The compiler does not see that the node itself provides these services to its reactions.
  ) as Layer.Layer<NodeServices, OpeningFailure, Directory | Transport | Lifecycle | NeededBy<R, C>>
}

/** Reactions, and projections into SQL, record their positions while the member still takes commands; then the member drains. */
const layerSupervised = Layer.effectDiscard(
  Effect.gen(function* () {
    const member = yield* Member.Member
    const reactions = yield* Reactions.Reactions
    const intoSql = yield* SqlProjections.SqlProjections
    const local = yield* LocalNode.LocalNode
    const stops = Effect.logInfo("This node stops: it ends the requests under way, and hands leadership over")
    const stopped = Effect.logInfo("This node has no more requests under way, and ends")
    const rests = Effect.andThen(Effect.all([reactions.rest, intoSql.rest], { concurrency: "unbounded" }), member.drain)
    const drain = yield* Effect.cached(stops.pipe(Effect.andThen(rests), Effect.andThen(stopped)))
    yield* (yield* Lifecycle).register({ drain, stopped: Effect.raceFirst(member.stopped, local.stopped) })
  })
)

/** The identity of this node for its peers. */
export const self: Effect.Effect<Self, never, Place | Directory> = Effect.gen(function* () {
  const { address, peers } = yield* Place
  const { identity, starts } = yield* Directory
  const { instanceId, nodeId } = yield* identity
  // A node that has moved may find its own former address among its peers.
  return { nodeId, address, instanceId, starts, peers: peers.filter(({ id }) => id !== nodeId) }
})

/**
 * Runs a node of this application. It serves nothing by itself: mount the layers of `Http` on a server, or use its
 * services in a worker. It needs its place in the cluster, its storage, its transport, and a lifecycle.
 *
 * @example
 * ```ts
 * import { Layer, Schema } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { Http, Lithair, Model } from "lithair"
 * import { layer, runMain } from "lithair/node"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String.check(Schema.isUUID())),
 *   name: Schema.NonEmptyString.pipe(Model.replicate)
 * }) {}
 *
 * const node = HttpRouter.serve(Layer.mergeAll(Http.layerApi(), Http.layerHealth, Http.layerPeers)).pipe(
 *   Layer.provide(Lithair.layer({ models: [Product] })),
 *   Layer.provide(layer({ port: 8081, peers: [], directory: ".lithair/8081" })),
 *   Lithair.launch
 * )
 * runMain(node)
 * ```
 */
export const layer = <
  R = never,
  C extends AnyCommand = never,
  M extends Described | Dropped = Described | Dropped,
  P extends AnyProjection = never,
  A extends Auth<Repository> | External | undefined = undefined
>(
  application: Application<R, C, M, P, A> & DenyByDefault<M, C, P, A>
): Layer.Layer<
  NodeServices,
  OpeningFailure,
  Place | Directory | Transport | Lifecycle | NeededBy<R | SqlNeeds<P>, C>
> => layerErased(application as Erased<R | SqlNeeds<P>, C>)

/** The same for an application whose declarations the compiler cannot tell apart: the node refuses them at start. */
export const layerErased = <R, C extends AnyCommand>(
  application: Erased<R, C>
): Layer.Layer<NodeServices, OpeningFailure, Place | Directory | Transport | Lifecycle | NeededBy<R, C>> => {
  checkTogether(split(application.models).models.map(describe))
  policyOf(application)
  return Layer.unwrap(
    Effect.gen(function* () {
      const { edge, insecureOpen, join, raft, secret } = yield* Place
      const own = {
        self: yield* self,
        insecureOpen,
        ...(secret === undefined ? {} : { secret }),
        ...(join === undefined ? {} : { join })
      }
      const settings = { edge: { ...application.edge, ...edge }, raft: { ...application.raft, ...raft } }
      return layerOwn({ ...application, ...settings }, own)
    })
  )
}
