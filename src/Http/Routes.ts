/**
 * The routes of a node as layers: the derived API, its documents, health, administration, peers, and a 404 for all other
 * paths. An application mounts each of them on the router of its choice.
 */
import { Effect, Layer, Option, Redacted } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import type { HttpApi } from "effect/http-api"
import { NetAddress } from "effect/net"
import { Backups } from "../Backup/Backups.ts"
import { Changes } from "../Changes/Changes.ts"
import { Member } from "../Cluster/Member.ts"
import { LiveQueries } from "../Live/LiveQueries.ts"
import { LocalNode } from "../Local/LocalNode.ts"
import { describe } from "../Model/Class.ts"
import { unauthenticated } from "../Problem.ts"
import { Projections } from "../Projection/Projections.ts"
import * as PeerListener from "../Raft/peers/PeerListener.ts"
import { Reactions } from "../Reaction/Reactions.ts"
import * as ApiKeys from "../Repository/ApiKeys.ts"
import { Commands } from "../Repository/Commands.ts"
import * as Freshness from "../Repository/Freshness.ts"
import * as Operations from "../Repository/Operations.ts"
import { Records } from "../Repository/Records.ts"
import { SqlProjections } from "../Sql/SqlProjections.ts"
import type { Known } from "./AdminAccess.ts"
import { adminRoutes } from "./AdminRoutes.ts"
import { AdminToken } from "./AdminToken.ts"
import { Authentication } from "./Authentication.ts"
import { backupRoutes } from "./BackupRoutes.ts"
import { changeRoutes } from "./ChangeRoutes.ts"
import { commandRoutes } from "./CommandRoutes.ts"
import { digestRoutes } from "./DigestRoutes.ts"
import { docsRoutes } from "./Docs.ts"
import { erasureRoutes } from "./ErasureRoutes.ts"
import { publicOf } from "./Hidden.ts"
import { keyRoutes } from "./KeyRoutes.ts"
import { listeningLine } from "./Listening.ts"
import { liveRoutes } from "./LiveRoutes.ts"
import { metricsRoutes } from "./Metrics.ts"
import { modelRoutes } from "./ModelRoutes.ts"
import { modelStatusRoutes } from "./ModelStatusRoutes.ts"
import { isMountedOn, type MountOptions, mount } from "./Mount.ts"
import { clusterRoutes, healthRoutes } from "./NodeRoutes.ts"
import { type LithairApi, makeApi } from "./Openapi.ts"
import { checkOpen, type OpenToOthers } from "./OpenMode.ts"
import { operationRoutes } from "./OperationRoutes.ts"
import { guarded, type OperatorRoute } from "./OperatorRoutes.ts"
import { checkForOperators, type NotForClients } from "./OperatorServer.ts"
import { problemOfFailure } from "./Outcomes.ts"
import { mayReadOf, projectionRoutes } from "./ProjectionRoutes.ts"
import { reactionRoutes } from "./ReactionRoutes.ts"
import { checkPrefix } from "./Routing.ts"
import { ServerScheme } from "./ServerScheme.ts"
import { Serving } from "./Serving.ts"
import { sqlProjectionRoutes } from "./SqlProjectionRoutes.ts"
import { transactionRoutes } from "./TransactionRoutes.ts"

/** The services that the derived API reads and writes. */
export type ApiServices =
  | Authentication
  | LocalNode
  | Member
  | Changes
  | LiveQueries
  | Records
  | Commands
  | Projections
  | Serving

/** The services that the administration shows and changes. */
export type OperatorServices =
  | Authentication
  | Backups
  | LiveQueries
  | LocalNode
  | Member
  | Projections
  | Reactions
  | Records
  | Serving
  | SqlProjections

const valueOf = (secret: Redacted.Redacted | undefined): string | undefined =>
  secret === undefined ? undefined : Redacted.value(secret)

/** SQLite projections have no endpoint: a node's own code queries them. */
const foldedOf = ({ projections }: Serving["Service"]) =>
  projections.filter((projection) => projection._tag !== "Sqlite").filter(({ isServed }) => isServed)

/** The models that HTTP knows, without their hidden fields. */
const servedBy = ({ models }: Serving["Service"]) =>
  models
    .map(describe)
    .filter(({ isServed }) => isServed)
    .map(publicOf)

const isNameOf = (models: Serving["Service"]["models"]) => {
  const names = new Set(models.map((model) => describe(model).name))
  return (name: string) => names.has(name)
}

/** Finds out whether the API key of an operator counts in the cluster now. */
const confirmBy =
  (member: Member["Service"]): Known["confirm"] =>
  ({ apiKey }) =>
    apiKey === undefined
      ? Effect.void
      : Effect.flatMap(
          Effect.mapError(member.readIndex, (failure) => problemOfFailure(failure, undefined)),
          () =>
            ApiKeys.isCurrent(member.tables, apiKey)
              ? Effect.void
              : Effect.fail(unauthenticated("The API key counts no more: show another credential"))
        )

/** Makes routes for those whom this server of the node admits. */
const forOperators = Effect.gen(function* () {
  const { audit, isGuarded, secret } = yield* Serving
  const server = Option.getOrUndefined(yield* Effect.serviceOption(HttpServer.HttpServer))
  const known: Known = {
    secret: valueOf(secret),
    token: yield* AdminToken,
    authentication: isGuarded ? yield* Authentication : undefined,
    confirm: confirmBy(yield* Member),
    isUnixSocket: server !== undefined && NetAddress.isUnixPathAddress(server.address)
  }
  return (routes: ReadonlyArray<OperatorRoute>) => guarded(routes, known, audit)
})

/**
 * Serves the derived API under `/api`: records, transactions, commands, projections and operations. Guard it with your
 * own middleware by `Layer.provide`.
 */
export const layerApi = (
  options: MountOptions = {}
): Layer.Layer<never, OpenToOthers, HttpRouter.HttpRouter | ApiServices> => {
  checkPrefix(options.prefix)
  return Layer.effectDiscard(
    Effect.gen(function* () {
      const serving = yield* Serving
      const member = yield* Member
      const records = yield* Records
      if (serving.isOpen) yield* checkOpen
      const descriptors = servedBy(serving)
      const endpoints = [
        ...descriptors.flatMap((descriptor) => modelRoutes(descriptor, records, member.self.instanceId)),
        ...transactionRoutes(descriptors, records),
        ...commandRoutes(serving.commands, yield* Commands)
      ]
      const { streams } = serving
      const routes = [
        ...changeRoutes(descriptors, { changes: yield* Changes, member, streams }),
        ...liveRoutes(descriptors, { live: yield* LiveQueries, streams }),
        ...projectionRoutes(yield* Projections, foldedOf(serving), mayReadOf(member)),
        ...operationRoutes(Operations.make({ local: yield* LocalNode, member }), serving.commands, {
          isGuarded: serving.isGuarded,
          isKnown: isNameOf(serving.models)
        })
      ]
      const authentication = serving.isGuarded ? yield* Authentication : undefined
      yield* mount({ ...options, endpoints, routes, owned: ["/api"], isForCallers: true, authentication })
    })
  )
}

/** Serves `/livez` and `/readyz` for load balancers and rolling upgrades. */
export const layerHealth: Layer.Layer<never, never, HttpRouter.HttpRouter | Member | Serving> = Layer.effectDiscard(
  Effect.gen(function* () {
    const routes = healthRoutes(yield* Member)
    yield* mount({ routes, owned: routes.map(({ path }) => path), isUrgent: true })
  })
)

/**
 * Serves `/_admin` and `/metrics` for operators and viewers. Fails with `NotForClients` if the node has another server for
 * them, and with `OpenToOthers` if other hosts reach this one while the application has no `auth` and the node no token.
 */
export const layerAdmin: Layer.Layer<never, NotForClients | OpenToOthers, HttpRouter.HttpRouter | OperatorServices> =
  Layer.effectDiscard(
    Effect.gen(function* () {
      const member = yield* Member
      const reactions = yield* Reactions
      const intoSql = yield* SqlProjections
      const serving = yield* Serving
      yield* checkForOperators("layerAdmin")
      const isClosed = (yield* AdminToken) !== undefined
      if (serving.isOpen && !isClosed) yield* checkOpen
      const guard = yield* forOperators
      const descriptors = serving.models.map(describe)
      const backups = yield* Backups
      const metrics = metricsRoutes(
        {
          backups,
          live: yield* LiveQueries,
          member,
          projections: yield* Projections,
          intoSql,
          reactions,
          streams: serving.streams
        },
        serving
      )
      const urgent = guard([...clusterRoutes(member), ...metrics])
      yield* mount({ routes: urgent, owned: ["/metrics"], isUrgent: true, isClosed })
      yield* mount({
        routes: guard([
          ...adminRoutes(member),
          ...backupRoutes({ backups, member }, yield* Freshness.make(member)),
          ...modelStatusRoutes(member, yield* LocalNode, descriptors),
          ...digestRoutes(member),
          ...erasureRoutes(member, descriptors),
          ...reactionRoutes(reactions),
          ...sqlProjectionRoutes(intoSql),
          ...keyRoutes({ member, records: yield* Records })
        ]),
        owned: ["/_admin"],
        isClosed
      })
    })
  )

/**
 * Serves `/_raft`, where peers and nodes that join dial. Mount it on the server at the node's address. Fails with
 * `Unprotected` if other hosts reach that server, and the place has neither `peerTls` nor a secret with
 * `insecurePeers`.
 */
export const layerPeers: Layer.Layer<
  never,
  PeerListener.Unprotected,
  HttpRouter.HttpRouter | HttpServer.HttpServer | PeerListener.PeerListener | Member | Serving
> = Layer.merge(
  PeerListener.layerPeers,
  Layer.effectDiscard(
    Effect.gen(function* () {
      const { auth, isOpen } = yield* Serving
      const member = yield* Member
      const plain = HttpServer.formatAddress((yield* HttpServer.HttpServer).address)
      const address = plain.replace(/^http:/, `${yield* ServerScheme}:`)
      yield* Effect.logInfo(listeningLine({ nodeId: member.self.nodeId, address, auth, isOpen }))
    })
  )
)

/** Options of the documents. */
export interface DocsOptions extends MountOptions {
  /** The application's own APIs, to include in the document. */
  readonly apis?: ReadonlyArray<HttpApi.Constraint>
  /** The title of the document; `Lithair node` by default. */
  readonly title?: string
  /** The version of the API; `1` by default. */
  readonly version?: string
}

/**
 * Serves `/docs` and `/openapi.json` for the derived API and the application's own. Give it the prefix of `layerApi`. Fails
 * with `NotForClients` if the node has another server for its operators.
 */
export const layerDocs = ({
  apis = [],
  prefix,
  title = "Lithair node",
  version = "1"
}: DocsOptions = {}): Layer.Layer<never, NotForClients, HttpRouter.HttpRouter | Member | Serving> => {
  checkPrefix(prefix)
  return Layer.effectDiscard(
    Effect.gen(function* () {
      const serving = yield* Serving
      yield* checkForOperators("layerDocs")
      const derived = makeApi(
        servedBy(serving),
        { title, version },
        { commands: serving.commands, projections: foldedOf(serving) },
        prefix,
        isMountedOn(yield* HttpRouter.HttpRouter),
        serving.auth?._tag === undefined ? serving.auth?.authenticators : []
      )
      // The generics would name every group of every API. Writing the document needs none of them.
      const api = apis.reduce<LithairApi>((all, own) => all.addHttpApi(own as LithairApi) as LithairApi, derived)
      const routes = yield* docsRoutes(api)
      yield* mount({ routes, owned: routes.map(({ path }) => path) })
    })
  )
}

/** Answers every other path with a 404 problem. */
export const layerNotFound: Layer.Layer<never, never, HttpRouter.HttpRouter | Member | Serving> = Layer.effectDiscard(
  mount({ routes: [], owned: ["/"] })
)
