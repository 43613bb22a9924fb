/**
 * Finds out who sent a request, before its handler runs. A request without a credential is anonymous; one with a bad
 * credential, or with two, is refused with 401. docs/access.md.
 */
import { Clock, Context, Effect, Exit, FiberSet, Layer, Redacted, Result, type Scope } from "effect"
import { HttpServerRequest } from "effect/http"
import { anonymous, type Caller, type Principal, wrongWith } from "../Access/Caller.ts"
import { Member } from "../Cluster/Member.ts"
import { type Problem, problem, unauthenticated, withDenial } from "../Problem.ts"
import { type Begin, beginEffect, flatMapOutcome, outcomeOf, settleNow } from "../Raft/node/Settle.ts"
import * as ApiKeys from "../Repository/ApiKeys.ts"
import { type Auth, type Authenticator, AuthUnavailable, type External } from "./Authenticator.ts"
import type { Edge } from "./Edge.ts"
import { awaiting, type Handler } from "./Handler.ts"
import type { RequestHead } from "./Head.ts"
import { problemOfFailure } from "./Outcomes.ts"
import { Serving } from "./Serving.ts"
import { CurrentVisit, type Visit } from "./Visit.ts"

type Headers = Readonly<Record<string, string | undefined>>
type Taker<R = unknown> = Auth<R>["authenticators"][number]

/** The caller of the request that a route answers. Nobody has signed in unless a node has said so. */
export const CurrentCaller = Context.Reference<Caller>("lithair/Http/CurrentCaller", { defaultValue: () => anonymous })

/** Finds the callers of requests, for all routes of a node. Without `auth` every caller is anonymous. */
export class Authentication extends Context.Service<
  Authentication,
  {
    readonly begin: (
      request: Pick<RequestHead, "method" | "headers"> & { readonly visit: Visit | undefined }
    ) => Begin<Caller, Problem>
  }
>()("lithair/Http/Authentication") {}

/**
 * The caller of the request that one of your own routes answers, by the `auth` of the application. Fails with a 401 or 503
 * as the derived API does. Without `auth` every caller is anonymous.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { HttpRouter, HttpServerResponse } from "effect/http"
 * import { Access, Http } from "lithair"
 *
 * const whoAmI = HttpRouter.add(
 *   "GET",
 *   "/me",
 *   Effect.map(Http.caller, (caller) => HttpServerResponse.jsonUnsafe({ id: Access.idOf(caller) ?? null }))
 * )
 * ```
 */
export const caller: Effect.Effect<Caller, Problem, HttpServerRequest.HttpServerRequest | Authentication> = Effect.gen(
  function* () {
    const { headers, method } = yield* HttpServerRequest.HttpServerRequest
    const { begin } = yield* Authentication
    return yield* Effect.mapError(outcomeOf(begin({ headers, method, visit: yield* CurrentVisit })), denying)
  }
)

/** A credential, and the authenticator that takes it. */
interface Shown<R> {
  readonly text: string
  readonly taker: Taker<R>
}

/** How long an authenticator of the application may take. */
const authenticateMaxMs = 5_000
const late = new AuthUnavailable({ message: "Nobody could say in time whether the credential is good: try again" })

const nobody = Exit.succeed<Caller>(anonymous)
const bad = unauthenticated("The credential is not valid: sign in again")
const unknownScheme = unauthenticated("The Authorization header has a scheme that this node does not take")
const several = unauthenticated("The request has more than one credential: send one")

/** The values of a cookie, in the order in which they came. */
const cookiesOf = (header: string | undefined, name: string): ReadonlyArray<string> =>
  (header ?? "").split(";").flatMap((pair) => {
    const at = pair.indexOf("=")
    return at !== -1 && pair.slice(0, at).trim() === name ? [pair.slice(at + 1).trim()] : []
  })

/** Every credential of a request, or why it is refused. */
const credentialsOf = <R>(
  takers: ReadonlyArray<Taker<R>>,
  headers: Headers
): Result.Result<ReadonlyArray<Shown<R>>, Problem> => {
  const shown: Array<Shown<R>> = []
  const { authorization, cookie } = headers
  if (authorization !== undefined) {
    const [, text] = /^bearer +(\S+) *$/i.exec(authorization) ?? []
    const taker = takers.find((each) => each.security._tag === "Http" && isFor(each, text ?? ""))
    if (text === undefined || taker === undefined) return Result.fail(unknownScheme)
    shown.push({ text, taker })
  }
  for (const taker of takers) {
    if (taker.security._tag !== "ApiKey") continue
    const { in: place, key } = taker.security
    const header = headers[key.toLowerCase()]
    const values = place === "cookie" ? cookiesOf(cookie, key) : header === undefined ? [] : [header]
    shown.push(...values.map((text) => ({ text, taker })))
  }
  return Result.succeed(shown)
}

const foreign = problem("forbidden", "A page of this origin may not change anything with your cookie", {})

/** Methods that change nothing (RFC 9110 §9.2.1). */
const safe: ReadonlyArray<string> = ["GET", "HEAD", "OPTIONS"]

/** Whether a page of an origin that is not allowed sends a cookie along (cross-site request forgery). */
const isForeign = (taker: Taker, method: string, origin: string | undefined): boolean =>
  taker._tag === "Authenticator" &&
  taker.security._tag === "ApiKey" &&
  taker.security.in === "cookie" &&
  !safe.includes(method) &&
  (origin === undefined || taker.origins?.includes(origin) !== true)

const isFor = (taker: Taker, text: string): boolean =>
  taker._tag === "ApiKeys" ? ApiKeys.looksLikeKey(text) : (taker.takes?.(text) ?? !ApiKeys.looksLikeKey(text))

/** Makes the authentication of a node. */
export const make = Effect.fnUntraced(function* <R = never>(
  auth: Auth<R>,
  member: Pick<Member["Service"], "readIndexUnsafe" | "tables">,
  edge: Pick<Edge, "signedIn">
): Effect.fn.Return<Authentication["Service"], never, Scope.Scope | R> {
  const fork = yield* FiberSet.makeRuntime<never>()
  const services = yield* Effect.context<R>()
  const clock = yield* Clock.Clock

  const ofKey =
    (text: string): Begin<Caller, Problem> =>
    (settle) => {
      const look = (): Exit.Exit<Caller, Problem> => {
        const principal = ApiKeys.principalOf(member.tables, text, clock.currentTimeMillisUnsafe())
        return principal === undefined ? Exit.fail(bad) : Exit.succeed(principal)
      }
      // A key that another node has just made may not be applied here yet.
      if (ApiKeys.idOfKey(text) === undefined || ApiKeys.isKnownKey(member.tables, text)) {
        return settleNow(settle, look())
      }
      return member.readIndexUnsafe((exit) =>
        settle(
          Exit.isSuccess(exit)
            ? look()
            : Exit.mapError(Exit.failCause(exit.cause), (met) => problemOfFailure(met, undefined))
        )
      )
    }

  const ofApplication = ({ authenticate }: Authenticator<R>, text: string): Begin<Caller, Problem> => {
    const found = Effect.suspend(() => authenticate(Redacted.make(text))).pipe(
      Effect.timeoutOrElse({ duration: authenticateMaxMs, orElse: () => Effect.fail(late) }),
      Effect.catchTags({
        Unauthenticated: ({ message }) => Effect.fail(unauthenticated(message)),
        AuthUnavailable: ({ message }) => Effect.fail(problem("auth-unavailable", message, { definite: true }))
      }),
      Effect.flatMap(checked),
      Effect.provideContext(services)
    )
    return (settle) => beginEffect(fork, found, settle)
  }

  /** Tells the edge who has signed in. */
  const noted = (visit: Visit | undefined, begin: Begin<Caller, Problem>): Begin<Caller, Problem> =>
    visit === undefined
      ? begin
      : flatMapOutcome(begin, (found) => {
          const refusal = edge.signedIn(visit, found)
          return refusal === undefined ? Exit.succeed(found) : Exit.fail(refusal)
        })

  return Authentication.of({
    begin:
      ({ headers, method, visit }) =>
      (settle) => {
        const shown = credentialsOf(auth.authenticators, headers)
        if (Result.isFailure(shown)) return settleNow(settle, Exit.fail(shown.failure))
        const [first, second] = shown.success
        if (first === undefined) return settleNow(settle, nobody)
        if (second !== undefined) return settleNow(settle, Exit.fail(several))
        if (isForeign(first.taker, method, headers.origin)) return settleNow(settle, Exit.fail(foreign))
        const begin = first.taker._tag === "ApiKeys" ? ofKey(first.text) : ofApplication(first.taker, first.text)
        return noted(visit, begin)(settle)
      }
  })
})

const ofNobody = Authentication.of({ begin: () => (settle) => settleNow(settle, nobody) })

/** Finds callers as the application says, with the services that its authenticators use. */
export const layer = <R = never>(
  auth: Auth<R> | External | undefined
): Layer.Layer<Authentication, never, Member | Serving | R> =>
  auth === undefined || auth._tag !== undefined
    ? Layer.succeed(Authentication, ofNobody)
    : Layer.effect(
        Authentication,
        Effect.gen(function* () {
          const { edge } = yield* Serving
          return yield* make(auth, yield* Member, edge)
        })
      )

/** A principal that an authenticator made. Only the cluster makes principals of API keys. */
const checked = (found: Omit<Principal, "_tag" | "apiKey">): Effect.Effect<Principal, Problem> => {
  const { claims, expiresMs, id, roles } = found
  const wrong = id.startsWith("key:")
    ? "An id does not begin with key: unless it is that of an API key"
    : wrongWith(found)
  return wrong === undefined
    ? Effect.succeed({ _tag: "Principal", id, roles, claims, ...(expiresMs === undefined ? {} : { expiresMs }) })
    : Effect.fail(unauthenticated(`The credential cannot be taken: ${wrong}`))
}

/** Says that a credential was refused, for the audit log. */
const denying = (met: Problem): Problem =>
  met.status === 401 || met.status === 403 ? withDenial(met, { of: "_credentials", action: "authenticate" }) : met

/** A handler that runs for the caller of its request. */
export const authenticated =
  (authentication: Authentication["Service"], handler: Handler): Handler =>
  (head) =>
    awaiting<Caller, Problem>({
      begin: authentication.begin(head),
      onSuccess: (caller) => handler({ ...head, caller }),
      onFailure: denying
    })

/** An effect that runs for the caller of its request. */
export const withCaller = <A, E, R>(
  authentication: Authentication["Service"],
  handler: Effect.Effect<A, E, R>
): Effect.Effect<A, E | Problem, R | HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function* () {
    const { headers, method } = yield* HttpServerRequest.HttpServerRequest
    const begun = authentication.begin({ headers, method, visit: yield* CurrentVisit })
    const caller = yield* Effect.mapError(outcomeOf(begun), denying)
    return yield* Effect.provideService(handler, CurrentCaller, caller)
  })
