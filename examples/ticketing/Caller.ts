/** Who asks: the holders of tokens, and of API keys that the organizer makes. */
import { Effect, Redacted } from "effect"
import { HttpApiSecurity } from "effect/http-api"
import { Access } from "lithair"

const names = new Map([
  ["token-of-ada", "ada"],
  ["token-of-bob", "bob"],
  ["token-of-the-organizer", "organizer"]
])

/** A real application would look the token up, or take signed ones by `Access.jwt`. */
const tokens: Access.Authenticator = {
  _tag: "Authenticator",
  name: "token",
  security: HttpApiSecurity.bearer,
  authenticate: (credential) => {
    const name = names.get(Redacted.value(credential))
    return name === undefined
      ? Effect.fail(new Access.Unauthenticated({ message: "There is no such token" }))
      : Effect.succeed({ id: `ticketing|${name}`, roles: name === "organizer" ? [name] : [], claims: { name } })
  }
}

export const auth: Access.Auth = { authenticators: [tokens, Access.apiKeys] }

/** The name of a caller; the holder of an API key has none but its id. */
export const nameOf = (caller: Access.Caller): string =>
  caller._tag === "Principal" && typeof caller.claims.name === "string"
    ? caller.claims.name
    : (Access.idOf(caller) ?? "nobody")
