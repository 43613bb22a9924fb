/**
 * Takes JSON Web Tokens (RFC 7519) of one issuer, as bearer tokens. The application gives the library that checks
 * signatures, `jose`, so that a node without tokens needs none. docs/access.md, "Tokens".
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import * as Redacted from "effect/Redacted"
import type * as Schema from "effect/Schema"
import { wrongWith } from "../Access/Caller.ts"
import { invariant } from "../Invariant.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import { type Authenticator, AuthUnavailable, Unauthenticated } from "./Authenticator.ts"
import * as CheckedTokens from "./CheckedTokens.ts"
import type { RemoteKeySet } from "./IssuerKeys.ts"
import * as IssuerKeys from "./IssuerKeys.ts"
import { OutsideWork } from "./OutsideWork.ts"

/** The parts of `jose` that are used. */
export interface Jose<KeySet = never> {
  readonly createRemoteJWKSet: (
    url: URL,
    options?: { readonly timeoutDuration?: number; readonly cacheMaxAge?: number }
  ) => KeySet
  readonly createLocalJWKSet: (keys: never) => KeySet
  readonly jwtVerify: (
    token: string,
    keys: KeySet,
    options: {
      issuer: string
      audience: string | Array<string>
      algorithms: Array<string>
      requiredClaims: Array<string>
      clockTolerance: number
      currentDate: Date
    }
  ) => Promise<{ readonly payload: Readonly<Record<string, unknown>> }>
}

/** The asymmetric algorithms. With a secret that both sides know, a node that checks a token could make one. */
const asymmetric = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]

/** How far the clocks of issuer and node may differ. */
const toleranceSeconds = 30
/** How long the key set may take to come: less than an authenticator has. */
const keySetTimeoutMs = 4_000

/** Options of tokens. */
export interface JwtOptions<KeySet> {
  /** The library: `import * as jose from "jose"`. */
  readonly jose: Jose<KeySet>
  /** A token must have this `iss`. */
  readonly issuer: string
  /** A token must have one of these in its `aud`. */
  readonly audience: string | ReadonlyArray<string>
  /** Where the issuer publishes its keys, or the keys themselves (RFC 7517). */
  readonly keys: URL | { readonly keys: ReadonlyArray<object> }
  /** The algorithms to take; all asymmetric ones by default. */
  readonly algorithms?: ReadonlyArray<string>
  /** The roles that the claims of a token give; none by default. */
  readonly roles?: (claims: Readonly<Record<string, unknown>>) => ReadonlyArray<string>
  /** The claims that rules may use, by name; none by default. */
  readonly claims?: ReadonlyArray<string>
  /** The name of the scheme in the OpenAPI document; `jwt` by default. */
  readonly name?: string
}

/**
 * Takes tokens of one issuer. The principal is `issuer|sub`, until the token's `exp`. A token needs `exp` and `sub`. If the
 * key set cannot be had, the answer is 503, since the token may be a good one; keys that the node has go on for a day.
 */
export const jwt = <KeySet>(options: JwtOptions<KeySet>): Authenticator => {
  const { audience, issuer, jose, name = "jwt" } = options
  const algorithms = [...(options.algorithms ?? asymmetric)]
  const other = algorithms.find((each) => !asymmetric.includes(each))
  invariant(other === undefined, `JWT: ${other} is not one of the asymmetric algorithms ${asymmetric.join(", ")}`)
  invariant(issuer !== "" && audience.length > 0, "JWT: name the issuer and the audience")
  const [keySet, ready] = keySetOf(options)
  const checks = {
    issuer,
    audience: typeof audience === "string" ? audience : [...audience],
    algorithms,
    requiredClaims: ["exp", "sub"],
    clockTolerance: toleranceSeconds
  }
  const checked = CheckedTokens.make()
  return {
    _tag: "Authenticator",
    name,
    security: HttpApiSecurity.bearer,
    authenticate: Effect.fnUntraced(function* (credential) {
      yield* Effect.mapError(ready, () => unavailable)
      const token = Redacted.value(credential)
      const nowMs = yield* monotonicMs
      const timeMs = yield* Clock.currentTimeMillis
      const known = checked.find(token, nowMs, timeMs)
      if (known !== undefined) return known
      const outside = yield* OutsideWork
      const { payload } = yield* Effect.tryPromise({
        try: () => outside.during(jose.jwtVerify(token, keySet, { ...checks, currentDate: new Date(timeMs) })),
        catch: refusalOf
      })
      const { exp, sub } = payload
      if (typeof sub !== "string" || sub === "" || typeof exp !== "number") return yield* bad
      const found = {
        id: `${issuer}|${sub}`,
        roles: options.roles?.(payload) ?? [],
        claims: Object.fromEntries(
          (options.claims ?? []).flatMap((claim) =>
            Object.hasOwn(payload, claim) ? [[claim, payload[claim] as Schema.Json] as const] : []
          )
        ),
        expiresMs: Math.min(Number.MAX_SAFE_INTEGER, Math.floor((exp + toleranceSeconds) * 1000))
      }
      // One that is too large is refused each time: its claims would take more room than a principal may.
      if (wrongWith(found) === undefined) checked.remember(token, found, nowMs)
      return found
    })
  }
}

/** The keys to check tokens with, and what says that they are there. */
const keySetOf = <KeySet>({
  issuer,
  jose,
  keys
}: JwtOptions<KeySet>): readonly [KeySet, Effect.Effect<void, unknown>] => {
  if (!(keys instanceof URL)) return [jose.createLocalJWKSet(keys as never), Effect.void]
  // IssuerKeys.ts says when they are too old.
  const options = { timeoutDuration: keySetTimeoutMs, cacheMaxAge: Number.POSITIVE_INFINITY }
  const keySet = jose.createRemoteJWKSet(keys, options)
  // The types of a library that has one key set for both kinds would not name the method of this kind.
  return [keySet, IssuerKeys.make(issuer, keySet as RemoteKeySet)]
}

const bad = new Unauthenticated({ message: "The token is not valid: sign in again" })
const unavailable = new AuthUnavailable({ message: "The keys of the tokens' issuer cannot be had now: try again" })

/** What `jose` says of the token itself. Any other failure is one of the key set, and says nothing of the token. */
const ofToken =
  /^ERR_(JWT_|JWS_|JWK_|JWKS_NO_MATCHING_KEY|JWKS_MULTIPLE_MATCHING_KEYS|JOSE_ALG_NOT_ALLOWED|JOSE_NOT_SUPPORTED)/

const refusalOf = (met: unknown): Unauthenticated | AuthUnavailable => {
  const { code } = (typeof met === "object" && met !== null ? met : {}) as { readonly code?: unknown }
  return typeof code === "string" && ofToken.test(code) ? bad : unavailable
}
