/**
 * Mounts routes of a node on a router that the application chose. Every answer names the node; requests wait for their
 * turn; a request within our paths that matches no route gets a problem.
 */
import { Context, Effect, Exit, Option, type Types } from "effect"
import { HttpRouter, HttpServerError, HttpServerRequest, HttpServerResponse } from "effect/http"
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
import type { Head } from "./Head.ts"
import { isExempt, openRefusal } from "./OpenMode.ts"
import { problemOfFailure } from "./Outcomes.ts"
import { deniedBy } from "./OwnDenials.ts"
import { currentTrace } from "./RequestSpan.ts"
import { exactly, type KnownPath, knownPaths, splitTarget, unanswered } from "./Routing.ts"
import { Serving } from "./Serving.ts"
import { CurrentVisit, type Visit } from "./Visit.ts"

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
  /** The paths below which nobody else answers. `/` stands for those that nobody else has. */
  readonly owned: Array<string>
  /** Those of them that are not `/`. */
  readonly named: Array<string>
  /** Those of them that pages of listed origins may read. */
  readonly shared: Array<string>
  /** Those of them that nobody uses without a credential, even if the node is open. */
  readonly closed: Array<string>
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
  /** Whether the routes are for callers, as those of the derived API are. */
  readonly isForCallers?: boolean
  /** Whether all callers of the routes need a credential, even if the node is open: then other hosts may ask too. */
  readonly isClosed?: boolean
  /** Finds the caller of each request, if callers sign in. */
  readonly authentication?: Authentication.Authentication["Service"] | undefined
  /** Whether to answer at once, even under load: a node must always be able to say how it is. */
  readonly isUrgent?: boolean
}) {
  const { authentication, endpoints = [], isClosed = false, isForCallers = false, isUrgent = false } = options
  const { owned, prefix = "" } = options
  const routes = (options.routes ?? []) as ReadonlyArray<OwnRoute>
  const whole = yield* HttpRouter.HttpRouter
  const router = prefix === "" ? whole : whole.prefixed(prefix)
  const member = yield* Member
  const serving = yield* Serving
  const answering = yield* makeAnswering(member, serving, prefix)
  const mounted = yield* mountedOnWhole(whole, serving, yield* makeAnswering(member, serving, ""))
  const paths = knownPaths([...endpoints, ...routes].map(({ method, path }) => ({ method, path: prefix + path })))
  const known = new Set(mounted.paths.map(({ pattern }) => pattern.source))
  for (const { path, pattern } of paths) {
    invariant(
      !known.has(pattern.source),
      `${path} is mounted twice on this router: mount each layer once, or under another prefix`
    )
  }
  mounted.paths.push(...paths)
  const placed = owned.map((path) => (path === "/" ? path : prefix + path))
  mounted.owned.push(...placed)
  mounted.named.push(...placed.filter((path) => path !== "/"))
  if (isForCallers) mounted.shared.push(...placed)
  if (isClosed) mounted.closed.push(...placed)

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
      const answer = (visit: Visit | undefined) => {
        if (visit !== undefined) visit.route = prefix + path
        if (isUrgent) return handler(request)
        return member.isRemoved() ? Effect.fail(removedHere) : serving.admission.admit(handler(request))
      }
      return Effect.flatMap(CurrentVisit, answer)
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
        const headOf = (visit: Visit | undefined): Head => ({ method, url, headers, caller: anonymous, visit })
        if (serving.tracing === undefined) {
          return Effect.flatMap(CurrentVisit, (visit) => perform(handler(headOf(visit)), request))
        }
        return Effect.flatMap(Effect.zip(CurrentVisit, currentTrace), ([visit, trace]) =>
          perform(handler({ ...headOf(visit), ...trace }), request)
        )
      })
      const pattern = exactly(prefix + path)
      const route = prefix + path
      DirectRoutes.register(routed, { answering, handler, member, pattern, prefix, route, serving })
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
  const mounted: Mounted = { paths: [], owned: [], named: [], shared: [], closed: [] }
  mountedOn.set(whole, mounted)
  const { edge } = serving
  // A request that matches no route, or whose path is badly encoded, fails outside of all handlers.
  yield* whole.addGlobalMiddleware(
    (app): Effect.Effect<Response, Types.unhandled, HttpServerRequest.HttpServerRequest> => {
      const served = Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
        listenToErrors(request)
        const { headers, method, peerAddress, url } = request
        const visit = edge.begin({ headers, method, socket: Option.getOrUndefined(peerAddress) })
        visit.isShared = isBelow(mounted.shared, url)
        const isOurs = isBelow(mounted.owned, url)
        const isClosed = isBelow(mounted.closed, url)
        const met = answerBefore(serving, request, { isClosed, isOurs, visit })
        const own = (): Effect.Effect<Response, Types.unhandled, HttpServerRequest.HttpServerRequest> =>
          isOurs ? Effect.catchIf(app, isRouteNotFound, () => answered(refuse(mounted, url))) : app
        return Effect.map(met === undefined ? own() : answered(met), (response) =>
          isOurs || met !== undefined ? closeIfUnread(request, response) : response
        ).pipe(
          Effect.onExit((exit) =>
            Effect.flatMap(statusOf(exit), (status) => {
              const isOwn = met === undefined && !isBelow(mounted.named, url)
              const noting = isOwn ? noteOwn(serving, visit, { exit, status }) : Effect.void
              return Effect.andThen(
                noting,
                Effect.sync(() => edge.end(visit, status))
              )
            })
          ),
          Effect.provideService(CurrentVisit, visit)
        )
      })
      DirectRoutes.madeOf(served, app, serving)
      return served
    }
  )
  return mounted
})

/** Notes what a route of the application answered: its template for the log of requests, and what it denied. */
const noteOwn = (
  { audit }: Serving["Service"],
  visit: Visit,
  { exit, status }: { readonly exit: Exit.Exit<Response, unknown>; readonly status: number }
): Effect.Effect<void> =>
  Effect.flatMap(Effect.context<never>(), (context) => {
    visit.route ??= Option.getOrUndefined(Context.getOption(context, HttpRouter.RouteContext))?.route.path
    const denied = deniedBy(exit, status)
    if (denied === undefined) return Effect.void
    if (typeof denied.outcome !== "number") visit.problem ??= denied.outcome.kind
    return audit.denied(visit, denied.denial, denied.outcome)
  })

/** The answer to a request before any route sees it: a refusal, or that to a preflight; undefined if a route answers. */
const answerBefore = (
  serving: Serving["Service"],
  request: Request,
  { isClosed, isOurs, visit }: { readonly isClosed: boolean; readonly isOurs: boolean; readonly visit: Visit }
): Effect.Effect<Response, Problem> | undefined => {
  const { headers, method, url } = request
  const { edge } = serving
  const isOpen = serving.isOpen && !isClosed
  const malformed = isOurs ? (refusalOf(request) ?? (isOpen ? openRefusal(url, headers) : undefined)) : undefined
  const refusal = malformed ?? (isExempt(url) ? undefined : edge.refusal(visit))
  if (refusal !== undefined) return Effect.fail(refusal)
  const preflight = visit.isShared ? edge.cors?.preflight(method, headers) : undefined
  return preflight === undefined
    ? undefined
    : Effect.succeed(HttpServerResponse.empty({ status: 204, headers: preflight }))
}

const isBelow = (paths: ReadonlyArray<string>, url: string): boolean => {
  const { path } = splitTarget(url)
  return paths.some((own) => own === "/" || path === own || path.startsWith(`${own}/`))
}

/** The status of an answer, or that of the failure of a route of the application; 0 if the client went away. */
const statusOf = (exit: Exit.Exit<Response, unknown>): Effect.Effect<number> => {
  if (Exit.isSuccess(exit)) return Effect.succeed(exit.value.status)
  const isGone = exit.cause.reasons.every(
    ({ _tag, annotations }) => _tag === "Interrupt" && annotations.has(HttpServerError.ClientAbort.key)
  )
  return isGone
    ? Effect.succeed(0)
    : Effect.map(HttpServerError.causeResponse(exit.cause), ([response]) => response.status)
}

const isRouteNotFound = (error: unknown): boolean =>
  HttpServerError.isHttpServerError(error) && error.reason._tag === "RouteNotFound"
