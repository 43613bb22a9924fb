/**
 * The routes of a node as layers, each of which an application mounts on the router of its choice: the derived API, its
 * documents, health, administration, and the answer for all other paths.
 */
import { Effect, Layer, Redacted } from "effect"
import { HttpRouter, type HttpServer } from "effect/http"
import type { HttpApi } from "effect/http-api"
import { Member } from "../Cluster/Member.ts"
import { LocalNode } from "../Local/LocalNode.ts"
import { describe } from "../Model/Class.ts"
import { Projections } from "../Projection/Projections.ts"
import * as PeerListener from "../Raft/peers/PeerListener.ts"
import { Reactions } from "../Reaction/Reactions.ts"
import { Commands } from "../Repository/Commands.ts"
import * as Operations from "../Repository/Operations.ts"
import { Records } from "../Repository/Records.ts"
import { adminRoutes } from "./AdminRoutes.ts"
import { commandRoutes } from "./CommandRoutes.ts"
import { docsRoutes } from "./Docs.ts"
import { joinPath, joinRoutes } from "./JoinRoutes.ts"
import { metricsRoutes } from "./Metrics.ts"
import { modelRoutes } from "./ModelRoutes.ts"
import { isMountedOn, type MountOptions, mount } from "./Mount.ts"
import { clusterRoutes, healthRoutes } from "./NodeRoutes.ts"
import { type LithairApi, makeApi } from "./Openapi.ts"
import { operationRoutes } from "./OperationRoutes.ts"
import { projectionRoutes } from "./ProjectionRoutes.ts"
import { reactionRoutes } from "./ReactionRoutes.ts"
import { checkPrefix } from "./Routing.ts"
import { Serving } from "./Serving.ts"
import { transactionRoutes } from "./Transactions.ts"

/** The services that the derived API reads and writes. */
export type ApiServices = LocalNode | Member | Records | Commands | Projections | Serving

const valueOf = (secret: Redacted.Redacted | undefined): string | undefined =>
  secret === undefined ? undefined : Redacted.value(secret)

/** SQLite projections are queried by a node's own code, and have no endpoint. */
const foldedOf = ({ projections }: Serving["Service"]) =>
  projections.filter((projection) => projection._tag !== "Sqlite")

/**
 * The derived API, under `/api`: records, transactions, commands, projections and operations. Guard it with a middleware
 * of your own by `Layer.provide`.
 */
export const layerApi = (
  options: MountOptions = {}
): Layer.Layer<never, never, HttpRouter.HttpRouter | ApiServices> => {
  checkPrefix(options.prefix)
  return Layer.effectDiscard(
    Effect.gen(function* () {
      const serving = yield* Serving
      const member = yield* Member
      const records = yield* Records
      const descriptors = serving.models.map(describe)
      const routes = [
        ...descriptors.flatMap((descriptor) => modelRoutes(descriptor, records, member.self.instanceId)),
        ...transactionRoutes(descriptors, records),
        ...commandRoutes(serving.commands, yield* Commands),
        ...projectionRoutes(yield* Projections, foldedOf(serving)),
        ...operationRoutes(Operations.make({ local: yield* LocalNode, member }), serving.commands)
      ]
      yield* mount({ ...options, routes, owned: ["/api"] })
    })
  )
}

/** `/livez` and `/readyz`, for load balancers and for those who roll a cluster. */
export const layerHealth: Layer.Layer<never, never, HttpRouter.HttpRouter | Member | Serving> = Layer.effectDiscard(
  Effect.gen(function* () {
    const routes = healthRoutes(yield* Member)
    yield* mount({ routes, owned: routes.map(({ path }) => path), isUrgent: true })
  })
)

/** `/_admin` and `/metrics`, for those who run the cluster. */
export const layerAdmin: Layer.Layer<never, never, HttpRouter.HttpRouter | Member | Projections | Reactions | Serving> =
  Layer.effectDiscard(
    Effect.gen(function* () {
      const member = yield* Member
      const reactions = yield* Reactions
      const { answers, secret } = yield* Serving
      const metrics = metricsRoutes({ member, projections: yield* Projections, reactions }, answers)
      yield* mount({ routes: [...clusterRoutes(member), ...metrics], owned: ["/metrics"], isUrgent: true })
      yield* mount({
        routes: [...adminRoutes(member, valueOf(secret)), ...reactionRoutes(reactions)],
        owned: ["/_admin"]
      })
    })
  )

/** `/_raft`, on the server that peers dial: their sockets, and nodes that ask to be taken in. */
export const layerPeers: Layer.Layer<
  never,
  PeerListener.Unprotected,
  HttpRouter.HttpRouter | HttpServer.HttpServer | PeerListener.PeerListener | Member | Serving
> = Layer.merge(
  PeerListener.layerPeers,
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { secret } = yield* Serving
      yield* mount({ routes: joinRoutes(yield* Member, valueOf(secret)), owned: [joinPath] })
    })
  )
)

/** What the documents describe. */
export interface DocsOptions extends MountOptions {
  /** APIs of the application, which stand in the same document. */
  readonly apis?: ReadonlyArray<HttpApi.Constraint>
  /** The document's title. */
  readonly title?: string
  /** The version of the API that the document describes. */
  readonly version?: string
}

/** `/docs` and `/openapi.json`: the derived API, at the prefix where it is mounted, and the application's own APIs. */
export const layerDocs = ({
  apis = [],
  prefix,
  title = "Lithair node",
  version = "1"
}: DocsOptions = {}): Layer.Layer<never, never, HttpRouter.HttpRouter | Member | Serving> => {
  checkPrefix(prefix)
  return Layer.effectDiscard(
    Effect.gen(function* () {
      const serving = yield* Serving
      const derived = makeApi(
        serving.models.map(describe),
        { title, version },
        { commands: serving.commands, projections: foldedOf(serving) },
        prefix,
        isMountedOn(yield* HttpRouter.HttpRouter)
      )
      // The generics would name every group of every API; none of them is needed to write the document.
      const api = apis.reduce<LithairApi>((all, own) => all.addHttpApi(own as LithairApi) as LithairApi, derived)
      const routes = yield* docsRoutes(api)
      yield* mount({ routes, owned: routes.map(({ path }) => path) })
    })
  )
}

/** Answers every other path with a problem, 404. */
export const layerNotFound: Layer.Layer<never, never, HttpRouter.HttpRouter | Member | Serving> = Layer.effectDiscard(
  mount({ routes: [], owned: ["/"] })
)
