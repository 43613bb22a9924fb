/** All routes of one node: every model's records, its health and state, the document and its page, and what is none of them. */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { type Described, describe } from "../Model.ts"
import { Member } from "../Raft/Member.ts"
import { Records } from "../Repository/Records.ts"
import * as Docs from "./Docs.ts"
import { modelRoutes } from "./ModelRoutes.ts"
import { nodeRoutes } from "./NodeRoutes.ts"
import { makeApi } from "./Openapi.ts"
import { methodNotAllowed, notFound, type Problem, problem, toResponse } from "./Problem.ts"
import { indexHeader, withPosition } from "./ResponseHeaders.ts"

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const

/** Adds the routes to the router of the node's server. */
export const layer = (
  models: ReadonlyArray<Described>
): Layer.Layer<never, never, HttpRouter.HttpRouter | Member | Records> =>
  Layer.merge(Docs.layer(makeApi(models.map(describe), { title: "Lithair node", version: "1" })), records(models))

const records = (
  models: ReadonlyArray<Described>
): Layer.Layer<never, never, HttpRouter.HttpRouter | Member | Records> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      const member = yield* Member
      const records = yield* Records

      /** Every answer says who gave it, and a problem is an answer. */
      const answered = <R>(handler: Effect.Effect<HttpServerResponse.HttpServerResponse, Problem, R>) =>
        handler.pipe(
          Effect.catchTag("Problem", (met) => Effect.succeed(toResponse(met))),
          Effect.catchDefect((defect) =>
            Effect.as(
              Effect.logError("A request met a defect", defect),
              toResponse(problem("internal", "The node met an error of its own: its log says more", {}))
            )
          ),
          Effect.map((response) =>
            withPosition(response, {
              nodeId: member.self.nodeId,
              leaderId: member.leader(),
              term: member.node()?.core.currentTerm ?? 0,
              index: Number(response.headers[indexHeader] ?? member.node()?.appliedIndex() ?? 0)
            })
          )
        )

      const routes = [
        ...models.flatMap((model) => modelRoutes(describe(model), records, member.self.instanceId)),
        ...nodeRoutes(member)
      ]
      const verbs = new Map<HttpRouter.PathInput, Array<string>>()
      yield* router.addAll(routes.map(({ handler, method, path }) => HttpRouter.route(method, path, answered(handler))))
      for (const { method, path } of routes) {
        verbs.set(path, [...(verbs.get(path) ?? []), method])
      }
      for (const [path, allowed] of verbs) {
        for (const method of methods.filter((each) => !allowed.includes(each))) {
          yield* router.add(method, path, answered(Effect.fail(methodNotAllowed(method, allowed))))
        }
      }
      const unknown = Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) =>
        Effect.fail(notFound(`There is nothing at ${url.split("?")[0]}`))
      )
      yield* router.add("*", "/*", answered(unknown))
    })
  )
