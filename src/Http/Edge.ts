/**
 * The edge of a node: what it knows and decides about a request before and after its route. It finds out where the request
 * comes from, limits how often an address or a principal asks and how often credentials fail, and logs the answer. All
 * servers of a node share one edge. docs/edge.md.
 */
import { Clock, Effect, Result, type Scope } from "effect"
import { type Caller, idOf } from "../Access/Caller.ts"
import { invariant } from "../Invariant.ts"
import { type Problem, problem, withHeaders } from "../Problem.ts"
import type { Auth, External } from "./Authenticator.ts"
import * as ClientAddress from "./ClientAddress.ts"
import * as Cors from "./Cors.ts"
import {
  type EdgeOptions,
  failedCredentialsPerMinuteDefault,
  streamsOfOneMaxDefault,
  wrongWithEdge
} from "./EdgeOptions.ts"
import * as RequestLog from "./RequestLog.ts"
import * as TokenBuckets from "./TokenBuckets.ts"
import { Visit } from "./Visit.ts"

/** A request as a server gives it. `socket` is the address at the other end, if the server says it. */
interface Coming {
  readonly method: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly socket: string | undefined
}

/** The edge of a node. */
export interface Edge {
  /** Begins with a request that has come. */
  readonly begin: (request: Coming) => Visit
  /** Why the node does not look at the request: its address asks too often, or its credentials have failed too often. */
  readonly refusal: (visit: Visit) => Problem | undefined
  /** Notes who has signed in. Returns the refusal of a principal that asks too often. */
  readonly signedIn: (visit: Visit, caller: Caller) => Problem | undefined
  /** Notes the answer: call it once, with status 0 if the client went away before. */
  readonly end: (visit: Visit, status: number) => void
  /** Answers for pages of other origins; undefined if no origin is listed. */
  readonly cors: Cors.Cors | undefined
  /** How many streams of events one holder may have. */
  readonly streamsOfOneMax: number
  /** The proxies that it believes. */
  readonly trustedProxies: ReadonlyArray<string>
}

/** Which of the limits of one caller is reached. */
export type Limit = "address" | "principal" | "credentials" | "streams"

const details: Record<Limit, string> = {
  address: "This address sends too many requests: wait",
  principal: "You send too many requests: wait",
  credentials: "Too many credentials from this address have failed: wait",
  streams: "You have too many streams on this node: end one, or open this one on another node"
}

/** The refusal of a caller that asks for more than its share. */
export const tooMany = (limit: Limit, waitMs: number): Problem =>
  withHeaders(problem("too-many-requests", details[limit], { definite: true, limit }), {
    "retry-after": String(Math.max(1, Math.ceil(waitMs / 1000)))
  })

/** The names of the headers and cookies that carry credentials, beside `Authorization`. */
const placesOf = (auth: Auth<unknown> | External | undefined) => {
  const headers: Array<string> = []
  const cookies: Array<string> = []
  for (const { security } of auth?._tag === undefined ? (auth?.authenticators ?? []) : []) {
    if (security._tag === "ApiKey") (security.in === "cookie" ? cookies : headers).push(security.key)
  }
  return { headers: headers.map((name) => name.toLowerCase()), cookies }
}

/** Makes the edge of a node. */
export const make = Effect.fnUntraced(function* (
  options: EdgeOptions,
  auth: Auth<unknown> | External | undefined
): Effect.fn.Return<Edge, never, Scope.Scope> {
  const wrong = wrongWithEdge(options)
  invariant(wrong === undefined, wrong ?? "")
  const clock = yield* Clock.Clock
  const log = yield* RequestLog.make(options.requestLog ?? false, clock)
  const proxies = Result.getOrThrow(ClientAddress.parseNetworks(options.trustedProxies ?? []))
  const find = ClientAddress.make(proxies, options.forwardedHeader)
  const failedPerMinute = options.failedCredentialsPerMinute ?? failedCredentialsPerMinuteDefault
  const failed = TokenBuckets.make({ perSecond: failedPerMinute / 60, burst: failedPerMinute })
  const byAddress = options.addressRate === undefined ? undefined : TokenBuckets.make(options.addressRate)
  const byPrincipal = options.principalRate === undefined ? undefined : TokenBuckets.make(options.principalRate)
  const places = placesOf(auth)

  const nowMs = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  const showsCredential = ({ headers }: Visit): boolean =>
    headers.authorization !== undefined ||
    places.headers.some((name) => headers[name] !== undefined) ||
    places.cookies.some((name) => headers.cookie?.includes(`${name}=`))

  return {
    begin: (request) => new Visit(request, find, log === undefined ? 0 : nowMs()),
    refusal: (visit) => {
      if (byAddress !== undefined) {
        const key = visit.limited
        const waitMs = key === undefined ? 0 : byAddress.take(key, nowMs())
        if (waitMs > 0) return tooMany("address", waitMs)
      }
      if (failed.isEmpty() || !showsCredential(visit)) return undefined
      const key = visit.limited
      const waitMs = key === undefined ? 0 : failed.waitMs(key, nowMs())
      return waitMs > 0 ? tooMany("credentials", waitMs) : undefined
    },
    signedIn: (visit, caller) => {
      const id = idOf(caller)
      if (id === undefined) return undefined
      visit.principal = id
      const waitMs = byPrincipal === undefined ? 0 : byPrincipal.take(id, nowMs())
      return waitMs > 0 ? tooMany("principal", waitMs) : undefined
    },
    end: (visit, status) => {
      // A command of the application may answer a caller who has signed in with 401 too.
      if (status === 401 && visit.principal === undefined && showsCredential(visit)) {
        const key = visit.limited
        if (key !== undefined) failed.charge(key, nowMs())
      }
      log?.(visit, status, nowMs())
    },
    cors: Cors.make(options.corsOrigins ?? [], auth?._tag === undefined ? auth?.authenticators : undefined),
    streamsOfOneMax: options.streamsOfOneMax ?? streamsOfOneMaxDefault,
    trustedProxies: options.trustedProxies ?? []
  }
})
