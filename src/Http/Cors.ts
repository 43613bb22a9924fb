/**
 * Cross-origin resource sharing: which pages of other origins may read answers of the API. Only listed origins may; with no
 * list, none. WHATWG Fetch §3.3.
 */
import { invariant } from "../Invariant.ts"
import type { Auth } from "./Authenticator.ts"
import { indexHeader } from "./IndexHeader.ts"

type Headers = Readonly<Record<string, string | undefined>>

/** Answers for pages of other origins. */
export interface Cors {
  /** Adds to the headers of an answer what a page of this origin needs to read it. */
  readonly add: (headers: Record<string, string>, origin: string | undefined) => void
  /** The headers of the answer to a preflight of a listed origin; undefined if the request is none. */
  readonly preflight: (method: string, headers: Headers) => Readonly<Record<string, string>> | undefined
}

const methods = "GET, HEAD, POST, PUT, PATCH, DELETE"
/** What a page may send beside what every page may. */
const requestHeaders = [
  "authorization",
  "content-type",
  "idempotency-key",
  "if-match",
  "if-none-match",
  "last-event-id",
  "lithair-min-index",
  "traceparent"
]
/** What a page may read beside what every page may. */
const exposed = [
  "etag",
  "idempotent-replayed",
  "link",
  indexHeader,
  "lithair-leader",
  "lithair-local",
  "lithair-node",
  "lithair-stale-ms",
  "lithair-term",
  "location",
  "retry-after"
].join(", ")
/** How long a browser may keep the answer to a preflight. */
const preflightMaxAgeSeconds = "600"

/** Why an origin is none; undefined if it is one, as browsers send it. */
export const wrongWithOrigin = (origin: string): string | undefined =>
  URL.canParse(origin) && new URL(origin).origin === origin && origin !== "null"
    ? undefined
    : `"${origin}" is no origin: write it as in https://shop.example, with no path and no slash at the end`

/** Makes the answers for these origins; undefined if there is none. */
export const make = (origins: ReadonlyArray<string>, authenticators: Auth<unknown>["authenticators"] | undefined) => {
  if (origins.length === 0) return undefined
  for (const origin of origins) {
    const wrong = wrongWithOrigin(origin)
    invariant(wrong === undefined, `CORS: ${wrong}`)
  }
  const listed: ReadonlySet<string> = new Set(origins)
  /** Origins whose pages may send a cookie along: those that an authenticator of cookies lists. */
  const withCookies = new Set<string>()
  const ownHeaders: Array<string> = []
  for (const each of authenticators ?? []) {
    if (each.security._tag !== "ApiKey") continue
    if (each.security.in === "header") ownHeaders.push(each.security.key.toLowerCase())
    if (each._tag === "Authenticator") for (const origin of each.origins ?? []) withCookies.add(origin)
  }
  const allowed = [...requestHeaders, ...ownHeaders].join(", ")

  const add = (headers: Record<string, string>, origin: string | undefined): void => {
    // A cache must not give the answer for one origin to a page of another.
    headers.vary = headers.vary === undefined ? "origin" : `${headers.vary}, origin`
    if (origin === undefined || !listed.has(origin)) return
    headers["access-control-allow-origin"] = origin
    headers["access-control-expose-headers"] = exposed
    if (withCookies.has(origin)) headers["access-control-allow-credentials"] = "true"
  }
  const cors: Cors = {
    add,
    preflight: (method, { "access-control-request-method": asked, origin }) =>
      method !== "OPTIONS" || asked === undefined || origin === undefined || !listed.has(origin)
        ? undefined
        : {
            "access-control-allow-methods": methods,
            "access-control-allow-headers": allowed,
            "access-control-max-age": preflightMaxAgeSeconds
          }
  }
  return cors
}
