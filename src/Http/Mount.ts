/**
 * Mounts routes of a node on a router that the application chose. Every answer names the node; requests wait for their
 * turn; a request within our paths that matches no route gets a problem.
 */
import { Effect, type Types } from "effect"
import { HttpRouter, HttpServerError, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { anonymous } from "../Access/Caller.ts"
import { Member } from "../Cluster/Member.ts"
import { invariant } from "../Invariant.ts"
import { keyLengthMax } from "../Machine/RequestKey.ts"
import type { Problem } from "../Problem.ts"
import { removed } from "../Raft/node/Removal.ts"
import type { Sending } from "./Admission.ts"
import { type Answering, make as makeAnswering } from "./Answering.ts"
import * as Authentication from "./Authentication.ts"
import { IsLeaving } from "./BodyDeadline.ts"
import * as DirectRoutes from "./DirectRoutes.ts"
import { closeIfUnread, listenToErrors, refusalOf } from "./Etiquette.ts"
import { type Endpoint, type Handler, perform } from "./Handler.ts"
import { openRefusal } from "./OpenMode.ts"
import { problemOfFailure } from "./Outcomes.ts"
import { exactly, type KnownPath, knownPaths, splitTarget, unanswered } from "./Routing.ts"
import { Serving } from "./Serving.ts"

type Response = HttpServerResponse.HttpServerResponse
type Request = HttpServerRequest.HttpServerRequest
type OwnRoute = HttpRouter.Route<Problem, never>

/** Whether one of our layers has mounted a path of the document on this router. */
export const isMountedOn =
  (router: HttpRouter.HttpRouter) =>
  (path: string): boolean =>
    mountedOn.get(router)?.paths.some(({ pattern }) => pattern.test(path)) === true

/**
 * The configuration that the router needs: an idempotency key may be as long in a path as in a header, and `Live` and
 * `Changes` may be ids beside the paths `live` and `changes`.
 */
export const routerConfig = { maxParamLength: keyLengthMax, caseSensitive: true }

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

/** Adds endpoints and routes to the router in the context. */
export const mount = Effect.fnUntraced(function* (options: {
  readonly endpoints?: ReadonlyArray<Endpoint>
  // The handlers need only what the request provides: they have the node's services already.
  readonly routes?: ReadonlyArray<HttpRouter.Route<Problem, unknown>>
  readonly prefix?: string
  /** We answer every request below these paths; `/` for all. */
  readonly owned: ReadonlyArray<string>
  /** Whether the routes are for callers, who sign in if the application has `auth`. */
  readonly isForCallers?: boolean
  /** Whether to answer at once, even under load: a node must always be able to say how it is. */
  readonly isUrgent?: boolean
}) {
  const { endpoints = [], isForCallers = false, isUrgent = false, owned, prefix = "" } = options
  const routes = (options.routes ?? []) as ReadonlyArray<OwnRoute>
  const whole = yield* HttpRouter.HttpRouter
  const router = prefix === "" ? whole : whole.prefixed(prefix)
  const member = yield* Member
  const serving = yield* Serving
  const answering = yield* makeAnswering(member, serving, prefix)
  const mounted = yield* mountedOnWhole(whole, serving, yield* makeAnswering(member, serving, ""))
  const { auth } = serving
  const authentication =
    isForCallers && auth !== undefined && auth._tag === undefined ? yield* Authentication.make(auth, member) : undefined
  const paths = knownPaths([...endpoints, ...routes].map(({ method, path }) => ({ method, path: prefix + path })))
  const known = new Set(mounted.paths.map(({ pattern }) => pattern.source))
  for (const { path, pattern } of paths) {
    invariant(
      !known.has(pattern.source),
      `${path} is mounted twice on this router: mount each layer once, or under another prefix`
    )
  }
  mounted.paths.push(...paths)
  mounted.owned.push(...owned.map((path) => (path === "/" ? path : prefix + path)))

  /** Answers requests that sent the path of the route exactly, in their turn. */
  const inTurn = (
    path: string,
    handler: (request: Request) => Effect.Effect<Response, Problem, HttpServerRequest.HttpServerRequest>
  ) => {
    const pattern = exactly(path)
    const exact = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const sent = sentUrl(prefix, request)
      if (!sent.endsWith(prefix + request.url) || !pattern.test(splitTarget(request.url).path)) {
        return refuse(mounted, sent)
      }
      if (isUrgent) return handler(request)
      return member.isRemoved() ? Effect.fail(removedHere) : serving.admission.admit(handler(request))
    }).pipe(Effect.provideService(IsLeaving, member.isStopping))
    return Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
      Effect.map(answering.answered(exact), (response) => {
        const sending = sendingOf(request)
        if (sending !== undefined) serving.admission.count(lengthOf(response), sending)
        return response
      })
    )
  }

  yield* router.addAll(
    routes.map(({ handler, method, path }) =>
      HttpRouter.route(
        method as "GET",
        path,
        inTurn(path, () =>
          authentication === undefined ? handler : Authentication.withCaller(authentication, handler)
        )
      )
    )
  )
  yield* router.addAll(
    endpoints.map(({ handler: answerFor, method, path }) => {
      const handler: Handler =
        authentication === undefined ? answerFor : Authentication.authenticated(authentication, answerFor)
      const routed = inTurn(path, (request) => {
        const { headers, method, url } = request
        return Effect.suspend(() => perform(handler({ method, url, headers, caller: anonymous }), request))
      })
      DirectRoutes.register(routed, { answering, handler, member, pattern: exactly(prefix + path), prefix, serving })
      return HttpRouter.route(method, path, routed)
    })
  )
})

const lengthOf = ({ body }: Response): number => ("contentLength" in body ? (body.contentLength ?? 0) : 0)

/** The response that `node:http` sends next on the connection of a request. Other platforms do not show theirs. */
const sendingOf = (request: Request): Sending | undefined => {
  const { response } = request as {
    readonly response?: Partial<Sending> & { readonly destroyed?: boolean; readonly socket?: object | null }
  }
  const isNext = typeof response?.on === "function" && response.destroyed === false && response.socket != null
  return isNext ? (response as Sending) : undefined
}

/** The target as it was sent: the router matches a prefix as loosely as the rest of a path, and cuts it off. */
const sentUrl = (prefix: string, { originalUrl, url }: Request): string =>
  prefix === "" ? url : originalUrl.replace(/^[a-z]+:\/\/[^/]*/i, "")

/** A removed node answers only urgent requests. */
const removedHere = problemOfFailure(removed, undefined)

const refuse = (mounted: Mounted, url: string) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ method }) =>
    Effect.fail(unanswered(mounted.paths, { method, url }))
  )

/** The first layer that mounts on a router adds the fallback for all of them. */
const mountedOnWhole = Effect.fnUntraced(function* (
  whole: HttpRouter.HttpRouter,
  serving: Serving["Service"],
  { answered }: Answering
) {
  const known = mountedOn.get(whole)
  if (known !== undefined) return known
  const mounted: Mounted = { paths: [], owned: [] }
  mountedOn.set(whole, mounted)
  // A request that matches no route, or whose path is badly encoded, fails outside of all handlers.
  yield* whole.addGlobalMiddleware(
    (app): Effect.Effect<Response, Types.unhandled, HttpServerRequest.HttpServerRequest> => {
      const served = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
        listenToErrors(request)
        if (!isOwned(mounted, request.url)) return app
        const refusal = refusalOf(request) ?? openRefusalOf(serving, request)
        const response =
          refusal === undefined
            ? Effect.catchIf(app, isRouteNotFound, () => answered(refuse(mounted, request.url)))
            : answered(Effect.fail(refusal))
        return Effect.map(response, (it) => closeIfUnread(request, it))
      })
      DirectRoutes.madeOf(served, app)
      return served
    }
  )
  return mounted
})

/** Why an open node does not answer the request; undefined if it does, or if the node is not open. */
const openRefusalOf = (
  { isOpen }: Pick<Serving["Service"], "isOpen">,
  { headers, url }: Pick<Request, "headers" | "url">
): Problem | undefined => (isOpen ? openRefusal(url, headers) : undefined)

const isOwned = ({ owned }: Mounted, url: string): boolean => {
  const { path } = splitTarget(url)
  return owned.some((own) => own === "/" || path === own || path.startsWith(`${own}/`))
}

const isRouteNotFound = (error: unknown): boolean =>
  HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"
