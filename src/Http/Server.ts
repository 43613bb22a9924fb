/** All routes of one node: every model's records, its health and state, the document and its page, and what is none of them. */
import { Effect, Layer, type Types } from "effect"
import { HttpRouter, HttpServerError, HttpServerRequest, type HttpServerResponse } from "effect/http"
import type { Any as Command } from "../Command/Declaration.ts"
import { LocalNode } from "../EventStore/LocalNode.ts"
import { type Described, describe } from "../Model.ts"
import { type Projection, Projections } from "../Projection.ts"
import { Member } from "../Raft/Member.ts"
import { Reactions } from "../Reaction.ts"
import { Commands } from "../Repository/Commands.ts"
import * as Operations from "../Repository/Operations.ts"
import { Records } from "../Repository/Records.ts"
import { adminRoutes } from "./AdminRoutes.ts"
import * as Admission from "./Admission.ts"
import { commandRoutes } from "./CommandRoutes.ts"
import { docsRoutes } from "./Docs.ts"
import { keyLengthMax } from "./IdempotencyKey.ts"
import { makeAnswers, metricsRoutes } from "./Metrics.ts"
import { modelRoutes } from "./ModelRoutes.ts"
import { nodeRoutes } from "./NodeRoutes.ts"
import { makeApi } from "./Openapi.ts"
import { operationRoutes } from "./OperationRoutes.ts"
import { IsLeaving } from "./Patience.ts"
import { type Problem, problem, toResponse } from "./Problem.ts"
import { projectionRoutes } from "./ProjectionRoutes.ts"
import { reactionRoutes } from "./ReactionRoutes.ts"
import { indexHeader, withPosition } from "./ResponseHeaders.ts"
import { exactly, knownPaths, splitTarget, unanswered } from "./Routing.ts"
import { transactionRoutes } from "./Transactions.ts"

type Response = HttpServerResponse.HttpServerResponse

/** What a node serves. */
export interface Served {
  readonly models: ReadonlyArray<Described>
  readonly commands: ReadonlyArray<Command>
  readonly projections: ReadonlyArray<Projection>
}

const make = Effect.fnUntraced(function* ({ commands, models, projections }: Served) {
  const router = yield* HttpRouter.HttpRouter
  const member = yield* Member
  const records = yield* Records
  const projected = yield* Projections
  const reactions = yield* Reactions
  const admission = yield* Admission.make
  const answers = makeAnswers()
  /** A node under load must be able to say that it lives, and how it stands. */
  const ownRoutes = [...nodeRoutes(member), ...metricsRoutes({ member, projections: projected, reactions }, answers)]
  const admitted = new Set<string>(ownRoutes.map(({ path }) => path))

  /** Every answer says who gave it, and a problem is an answer. */
  const answered = <R>(handler: Effect.Effect<Response, Problem, R>) =>
    handler.pipe(
      Effect.catchTag("Problem", (met) => Effect.succeed(toResponse(met))),
      Effect.catchDefect((defect) =>
        Effect.as(
          Effect.logError("A request met a defect", defect),
          toResponse(problem("internal", "The node met an error of its own: its log says more", {}))
        )
      ),
      Effect.map((response) => {
        answers.count(response.status)
        return withPosition(response, {
          nodeId: member.self.nodeId,
          leaderId: member.leader(),
          term: member.node()?.core.currentTerm ?? 0,
          index: Number(response.headers[indexHeader] ?? member.node()?.appliedIndex() ?? 0)
        })
      })
    )

  const descriptors = models.map(describe)
  const folded = projections.filter((projection) => projection._tag !== "Sqlite")
  const routes = [
    ...descriptors.flatMap((descriptor) => modelRoutes(descriptor, records, member.self.instanceId)),
    ...transactionRoutes(descriptors, records),
    ...commandRoutes(commands, yield* Commands),
    ...projectionRoutes(projected, folded),
    ...operationRoutes(Operations.make({ local: yield* LocalNode, member }), commands),
    ...ownRoutes,
    ...adminRoutes(member),
    ...reactionRoutes(reactions),
    ...(yield* docsRoutes(
      makeApi(descriptors, { title: "Lithair node", version: "1" }, { commands, projections: folded })
    ))
  ]
  const paths = knownPaths(routes)
  const nothing = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    Effect.fail(unanswered(paths, request))
  )
  yield* router.addAll(
    routes.map(({ handler, method, path }) => {
      const pattern = exactly(path)
      const isThis = ({ url }: HttpServerRequest.HttpServerRequest) => pattern.test(splitTarget(url).path)
      const exact = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
        if (!isThis(request)) return nothing
        return admitted.has(path) ? handler : admission.admit(handler)
      }).pipe(Effect.provideService(IsLeaving, member.hasGivenUp))
      return HttpRouter.route(method, path, answered(exact))
    })
  )
  // What no route matches, a path that is not even well encoded included, fails outside of every handler.
  yield* router.addGlobalMiddleware(
    (app): Effect.Effect<Response, Types.unhandled, HttpServerRequest.HttpServerRequest> =>
      Effect.catchIf(app, isRouteNotFound, () => answered(nothing))
  )
})

const isRouteNotFound = (error: unknown): boolean =>
  HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"

/** The router of a node: an idempotency key in a path may be as long as in a header. */
export const layerRouter = Layer.provide(
  HttpRouter.layer,
  Layer.succeed(HttpRouter.RouterConfig)({ maxParamLength: keyLengthMax })
)

/** Adds the routes to the router of the node's server. */
export const layer = (
  served: Served
): Layer.Layer<
  never,
  never,
  HttpRouter.HttpRouter | LocalNode | Member | Records | Commands | Projections | Reactions
> => Layer.effectDiscard(make(served))
