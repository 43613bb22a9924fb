/**
 * Takes a cookie that the application itself checks, for pages in browsers. A browser sends a cookie along with requests
 * of any page, so a request that may change something must come from an allowed origin. docs/access.md, "Cookies".
 */
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import { invariant } from "../Invariant.ts"
import type { Authenticator } from "./Authenticator.ts"

/** Options of a cookie. */
export interface CookieOptions<out R = never> {
  /**
   * The cookie's name. The prefix `__Host-` has browsers take it only with `Secure` and `Path=/`, and from this very host
   * (RFC 6265bis §4.1.3.2).
   */
  readonly name: `__Host-${string}`
  /** The origins of pages that may change something, such as `https://shop.example`. */
  readonly origins: readonly [string, ...ReadonlyArray<string>]
  /** Turns the value of the cookie into a principal. It may look into the node's `Repository`. */
  readonly verify: Authenticator<R>["authenticate"]
}

/**
 * Takes a cookie. `verify` says whose it is, or fails with `Unauthenticated` or `AuthUnavailable`. A POST, PUT, PATCH or
 * DELETE with the cookie whose `Origin` is not one of `origins` is refused with 403.
 */
export const cookie = <R = never>({ name, origins, verify }: CookieOptions<R>): Authenticator<R> => {
  invariant(/^__Host-[A-Za-z0-9_.~-]+$/.test(name), `Cookie "${name}": its name begins with __Host-`)
  for (const origin of origins) {
    invariant(URL.canParse(origin) && new URL(origin).origin === origin, `Cookie "${name}": ${origin} is no origin`)
  }
  return {
    _tag: "Authenticator",
    name,
    security: HttpApiSecurity.apiKey({ key: name, in: "cookie" }),
    origins,
    authenticate: verify
  }
}
