/**
 * Mounts routes of a node on a router that the application chose. Every answer names the node; requests wait for their
 * turn; a request within our paths that matches no route gets a problem.
 */
import { Effect, type Types } from "effect"
import { HttpRouter, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Member } from "../Cluster/Member.ts"
import { invariant } from "../Invariant.ts"
import { keyLengthMax } from "../Machine/RequestKey.ts"
import { type Problem, problem, toResponse, withMembers } from "../Problem.ts"
import { removed } from "../Raft/node/Removal.ts"
import { IsLeaving } from "./BodyDeadline.ts"
import { closeIfUnread, listenToErrors, refusalOf } from "./Etiquette.ts"
import { indexHeader } from "./IndexHeader.ts"
import { problemOfFailure } from "./Outcomes.ts"
import { withPosition } from "./ResponseHeaders.ts"
import { exactly, type KnownPath, knownPaths, splitTarget, unanswered } from "./Routing.ts"
import { Serving } from "./Serving.ts"

type Response = HttpServerResponse.HttpServerResponse
type OwnRoute = HttpRouter.Route<Problem, never>

/** Whether one of our layers has mounted a path of the document on this router. */
export const isMountedOn =
  (router: HttpRouter.HttpRouter) =>
  (path: string): boolean =>
    mountedOn.get(router)?.paths.some(({ pattern }) => pattern.test(path)) === true

/** The configuration that the router needs: an idempotency key may be as long in a path as in a header. */
export const routerConfig = { maxParamLength: keyLengthMax }

/** Options for mounting routes. */
export interface MountOptions {
  /** What stands before their paths, as in `/v1`: parts of letters, digits and `. _ ~ -`, and no slash at the end. */
  readonly prefix?: `/${string}`
}

/** The routes that our layers have mounted on one router so far. They share one fallback. */
interface Mounted {
  readonly paths: Array<KnownPath>
  /** The paths below which nobody else answers. */
  readonly owned: Array<string>
}

const mountedOn = new WeakMap<HttpRouter.HttpRouter, Mounted>()

/** Adds routes to the router in the context. */
export const mount = Effect.fnUntraced(function* (options: {
  // The handlers need only what the request provides: they have the node's services already.
  readonly routes: ReadonlyArray<HttpRouter.Route<Problem, unknown>>
  readonly prefix?: string
  /** We answer every request below these paths; `/` for all. */
  readonly owned: ReadonlyArray<string>
  /** Whether to answer at once, even under load: a node must always be able to say how it is. */
  readonly isUrgent?: boolean
}) {
  const { isUrgent = false, owned, prefix = "" } = options
  const routes = options.routes as ReadonlyArray<OwnRoute>
  const whole = yield* HttpRouter.HttpRouter
  const router = prefix === "" ? whole : whole.prefixed(prefix)
  const member = yield* Member
  const serving = yield* Serving
  const answered = answerer(member, serving, prefix)
  const mounted = yield* mountedOnWhole(whole, answerer(member, serving, ""))
  const paths = knownPaths(routes.map(({ method, path }) => ({ method, path: prefix + path })))
  const known = new Set(mounted.paths.map(({ pattern }) => pattern.source))
  for (const { path, pattern } of paths) {
    invariant(
      !known.has(pattern.source),
      `${path} is mounted twice on this router: mount each layer once, or under another prefix`
    )
  }
  mounted.paths.push(...paths)
  mounted.owned.push(...owned.map((path) => (path === "/" ? path : prefix + path)))
  yield* router.addAll(
    routes.map(({ handler, method, path }) => {
      const pattern = exactly(path)
      const exact = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
        const sent = sentUrl(prefix, request)
        if (!sent.endsWith(prefix + request.url) || !pattern.test(splitTarget(request.url).path)) {
          return refuse(mounted, sent)
        }
        if (isUrgent) return handler
        return member.isRemoved() ? Effect.fail(removedHere) : serving.admission.admit(handler)
      }).pipe(Effect.provideService(IsLeaving, member.isStopping))
      return HttpRouter.route(method as "GET", path, answered(exact))
    })
  )
})

/** The target as it was sent: the router matches a prefix as loosely as the rest of a path, and cuts it off. */
const sentUrl = (prefix: string, { originalUrl, url }: HttpServerRequest.HttpServerRequest): string =>
  prefix === "" ? url : originalUrl.replace(/^[a-z]+:\/\/[^/]*/i, "")

/** A removed node answers only urgent requests. */
const removedHere = problemOfFailure(removed, undefined)

type Answerer = ReturnType<typeof answerer>

/** Answers with a problem when a handler fails or dies. Adds the node's headers, and the prefix to paths in answers. */
const answerer = (member: Member["Service"], { answers }: Serving["Service"], prefix: string) => {
  const finish = (response: Response): Response => {
    answers.count(response.status)
    const placed = prefix === "" ? response : movePaths(response, prefix)
    // The client then opens a connection to another node, instead of losing this one when the server closes.
    const last = member.isDraining() ? HttpServerResponse.setHeader(placed, "connection", "close") : placed
    return withPosition(last, {
      nodeId: member.self.nodeId,
      leaderId: member.leader(),
      term: member.node()?.core.currentTerm ?? 0,
      index: Number(response.headers[indexHeader] ?? member.node()?.appliedIndex() ?? 0)
    })
  }
  return <R>(handler: Effect.Effect<Response, Problem, R>): Effect.Effect<Response, never, R> =>
    handler.pipe(
      Effect.catchTag("Problem", (met) => Effect.succeed(toResponse(moveOperation(met, prefix)))),
      Effect.catchDefect((defect) =>
        Effect.as(
          Effect.logError("A request handler failed with a defect", defect),
          toResponse(problem("internal", "The node failed with an internal error: see its log", {}))
        )
      ),
      Effect.map(finish)
    )
}

const moveOperation = (met: Problem, prefix: string): Problem => {
  const { operation } = met.members
  return prefix === "" || typeof operation !== "string" ? met : withMembers(met, { operation: prefix + operation })
}

const movePaths = (response: Response, prefix: string): Response => {
  const { link, location } = response.headers
  const located =
    location === undefined ? response : HttpServerResponse.setHeader(response, "location", prefix + location)
  return link === undefined ? located : HttpServerResponse.setHeader(located, "link", link.replace("</", `<${prefix}/`))
}

const refuse = (mounted: Mounted, url: string) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method }) =>
    Effect.fail(unanswered(mounted.paths, { method, url }))
  )

/** The first layer that mounts on a router adds the fallback for all of them. */
const mountedOnWhole = Effect.fnUntraced(function* (whole: HttpRouter.HttpRouter, answered: Answerer) {
  const known = mountedOn.get(whole)
  if (known !== undefined) return known
  const mounted: Mounted = { paths: [], owned: [] }
  mountedOn.set(whole, mounted)
  // A request that matches no route, or whose path is badly encoded, fails outside of all handlers.
  yield* whole.addGlobalMiddleware(
    (app): Effect.Effect<Response, Types.unhandled, HttpServerRequest.HttpServerRequest> =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
        listenToErrors(request)
        if (!isOwned(mounted, request.url)) return app
        const refusal = refusalOf(request)
        const response =
          refusal === undefined
            ? Effect.catchIf(app, isRouteNotFound, () => answered(refuse(mounted, request.url)))
            : answered(Effect.fail(refusal))
        return Effect.map(response, (it) => closeIfUnread(request, it))
      })
  )
  return mounted
})

const isOwned = ({ owned }: Mounted, url: string): boolean => {
  const { path } = splitTarget(url)
  return owned.some((own) => own === "/" || path === own || path.startsWith(`${own}/`))
}

const isRouteNotFound = (error: unknown): boolean =>
  HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"
