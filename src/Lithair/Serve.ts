/** A node with all its routes, for most applications. */
import { Layer } from "effect"
import { HttpRouter, type HttpServer } from "effect/http"
import type { Repository } from "../Client/Repository.ts"
import type { Any as AnyCommand } from "../Command/Declaration.ts"
import type { Directory } from "../EventStore/Directory.ts"
import type { Auth, External } from "../Http/Authenticator.ts"
import type { OpenToOthers } from "../Http/OpenMode.ts"
import type { NotForClients } from "../Http/OperatorServer.ts"
import { layerOperators } from "../Http/Operators.ts"
import * as Routes from "../Http/Routes.ts"
import type { Described } from "../Model/Class.ts"
import type { Dropped } from "../Model/Dropped.ts"
import type { SqlNeeds } from "../Projection/Sql.ts"
import type { PeerListener, Unprotected } from "../Raft/peers/PeerListener.ts"
import type { Transport } from "../Raft/peers/Transport.ts"
import type { DenyByDefault } from "./DenyByDefault.ts"
import type { Lifecycle } from "./Lifecycle.ts"
import {
  type AnyProjection,
  type Application,
  type Erased,
  layerErased,
  type NeededBy,
  type NodeServices,
  type OpeningFailure
} from "./Node.ts"
import type { Place } from "./Place.ts"

/**
 * All routes of a node: the derived API, health, peers, and a 404 for all other paths; the administration and the documents
 * too, unless the node has a listener for its operators.
 */
export const layerRoutes = (
  options: Routes.DocsOptions = {}
): Layer.Layer<
  never,
  Unprotected | OpenToOthers | NotForClients,
  HttpRouter.HttpRouter | HttpServer.HttpServer | PeerListener | NodeServices
> =>
  Layer.mergeAll(
    Routes.layerApi(options),
    layerOperators(options),
    Routes.layerHealth,
    Routes.layerNotFound,
    Routes.layerPeers
  )

/**
 * Runs a node of this application with all its routes: on one server, or with another one for its operators.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Lithair, Model } from "lithair"
 * import { run } from "lithair/node"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String.check(Schema.isUUID())),
 *   name: Schema.NonEmptyString.pipe(Model.replicate)
 * }) {}
 *
 * run(Lithair.layerHttp({ models: [Product] }))
 * ```
 */
export const layerHttp = <
  R = never,
  C extends AnyCommand = never,
  M extends Described | Dropped = Described | Dropped,
  P extends AnyProjection = never,
  A extends Auth<Repository> | External | undefined = undefined
>(
  application: Application<R, C, M, P, A> & DenyByDefault<M, C, P, A>
): Layer.Layer<
  NodeServices,
  OpeningFailure | Unprotected | OpenToOthers | NotForClients,
  Place | Directory | Transport | PeerListener | Lifecycle | HttpServer.HttpServer | NeededBy<R | SqlNeeds<P>, C>
> =>
  HttpRouter.serve(layerRoutes(), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(layerErased(application as Erased<R | SqlNeeds<P>, C>))
  )
