/** Who asks: visitors with a token of the issuer or a session in the browser, and programs with an API key. */
import * as jose from "jose"
import { Access } from "lithair"
import { cookieOf } from "./Session.ts"

/** Who signs tokens, with which keys, and the origins of the nodes, whose pages may use the cookie. */
export interface SignIn {
  readonly issuer: string
  readonly keys: URL | jose.JSONWebKeySet
  readonly origins: readonly [string, ...ReadonlyArray<string>]
}

/** A token says its holder's name, and whether the holder is one of the organizers or of the staff. */
const tokens = ({ issuer, keys }: SignIn) =>
  Access.jwt({
    jose,
    issuer,
    audience: "ticketing",
    keys,
    roles: ({ groups }) => (Array.isArray(groups) ? groups.filter((group) => typeof group === "string") : []),
    claims: ["name"]
  })

export const auth = (signIn: SignIn) =>
  ({ authenticators: [Access.apiKeys, tokens(signIn), cookieOf(signIn.origins)] }) as const

/** The name of a caller; the holder of an API key has none but its id. */
export const nameOf = (caller: Access.Caller): string =>
  caller._tag === "Principal" && typeof caller.claims.name === "string"
    ? caller.claims.name
    : (Access.idOf(caller) ?? "nobody")
