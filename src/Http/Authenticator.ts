/** How an application finds out who asks: the credentials that it takes, and what each says. docs/access.md. */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import type * as Redacted from "effect/Redacted"
import type { Principal } from "../Access/Caller.ts"
import type { SetSource } from "../Access/Policy.ts"
import { type Described, describe } from "../Model/Class.ts"

/** The credential is no good: it is malformed, expired or revoked, or somebody else made it. Answers with 401. */
export class Unauthenticated extends Data.TaggedError("Unauthenticated")<{ readonly message: string }> {}

/** Nobody can say now whether the credential is good: a service that is needed for it does not answer. Answers with 503. */
export class AuthUnavailable extends Data.TaggedError("AuthUnavailable")<{ readonly message: string }> {}

/** Takes one kind of credential. `R` are the services that it uses: a node has its `Repository` for them. */
export interface Authenticator<out R = never> {
  readonly _tag: "Authenticator"
  /** The name of the security scheme in the OpenAPI document. */
  readonly name: string
  /** Where the credential is: a bearer token, or a value in a header or cookie. */
  readonly security: HttpApiSecurity.Http | HttpApiSecurity.ApiKey
  /** Whether a bearer token is meant for this authenticator, if there are several; true by default. */
  readonly takes?: (credential: string) => boolean
  /** If the credential is one that browsers send by themselves: the origins of pages that may change something. */
  readonly origins?: ReadonlyArray<string>
  readonly authenticate: (
    credential: Redacted.Redacted
  ) => Effect.Effect<Omit<Principal, "_tag" | "apiKey">, Unauthenticated | AuthUnavailable, R>
}

/** Takes the API keys that the cluster keeps: `Authorization: Bearer lk1_…`. */
export interface ApiKeys {
  readonly _tag: "ApiKeys"
  readonly name: string
  readonly security: HttpApiSecurity.Http
}

/** API keys, which operators make and revoke at `/_admin/api/keys`. */
export const apiKeys: ApiKeys = { _tag: "ApiKeys", name: "apiKey", security: HttpApiSecurity.bearer }

/** Who may ask, and how they show who they are. */
export interface Auth<out R = never> {
  readonly _tag?: undefined
  readonly authenticators: readonly [ApiKeys | Authenticator<R>, ...ReadonlyArray<ApiKeys | Authenticator<R>>]
  /** The sets of a caller, by the names that rules use. */
  readonly sets?: Readonly<Record<string, SetSource>>
}

/** The application guards the API by its own middleware. Lithair enforces no rules. */
export interface External {
  readonly _tag: "External"
}

/** The application guards the API by its own middleware. Lithair enforces no rules. */
export const external: External = { _tag: "External" }

/**
 * Declares a set of the caller: the values of one field of the records of a model whose other field is the caller's id.
 * That field must be indexed.
 */
export const set = <M extends Described>(model: M, by: string, value: string): SetSource => ({
  model: describe(model).name,
  by,
  value
})
