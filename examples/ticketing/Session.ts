/**
 * Sessions of browsers. A cookie has a random value that no script of the page can read; the cluster keeps its digest. So a
 * session is known to every node, and ends on all of them at once.
 */
import { createHash, randomBytes } from "node:crypto"
import { Clock, Effect, Option, Redacted, Schema } from "effect"
import { HttpApiSecurity } from "effect/http-api"
import { Access, Model, Repository } from "lithair"

export const cookieName = "__Host-session"
export const security = HttpApiSecurity.apiKey({ key: cookieName, in: "cookie" })
const lifeMs = 12 * 60 * 60 * 1000

export class Session extends Model.Class<Session>("Session")(
  {
    id: Model.id(Schema.String),
    principal: Model.replicate(Schema.NonEmptyString),
    name: Schema.NonEmptyString,
    roles: Schema.Array(Schema.String),
    expiresMs: Schema.Int
  },
  { indexes: ["expiresMs"], http: false }
) {}

const digestOf = (value: string) => createHash("sha256").update(value).digest("base64url")

/** Begins a session of a principal, and gives the value of its cookie. It removes some sessions whose time is over. */
export const begin = Effect.fnUntraced(function* (principal: Access.Principal, name: string) {
  const sessions = yield* Repository.make(Session)
  const nowMs = yield* Clock.currentTimeMillis
  const { items: over } = yield* sessions.list({ where: [["expiresMs", "lt", nowMs]], limit: 10 })
  yield* Effect.forEach(over, ({ row }) => end(row.id))
  const value = randomBytes(32).toString("base64url")
  const expiresMs = Math.min(nowMs + lifeMs, principal.expiresMs ?? Number.POSITIVE_INFINITY)
  const { id, roles } = principal
  yield* sessions.create({ id: digestOf(value), principal: id, name, roles: [...roles], expiresMs })
  return { value, expires: new Date(expiresMs) }
})

/** Ends the session of a cookie, on all nodes. */
export const endOf = (value: string) => end(digestOf(value))

const end = Effect.fnUntraced(function* (id: string) {
  const sessions = yield* Repository.make(Session)
  // It may have ended before.
  yield* Effect.catchIf(sessions.delete(id), Repository.isProblem("not-found"), () => Effect.void)
})

/** The sign-in by the cookie. Pages of these origins may change something with it. */
export const cookieOf = (origins: readonly [string, ...ReadonlyArray<string>]) =>
  Access.cookie({
    name: cookieName,
    origins,
    verify: Effect.fnUntraced(function* (credential) {
      const sessions = yield* Repository.make(Session)
      const nowMs = yield* Clock.currentTimeMillis
      const found = yield* sessions
        .get(digestOf(Redacted.value(credential)))
        .pipe(Effect.mapError(({ message }) => new Access.AuthUnavailable({ message })))
      if (Option.isNone(found) || found.value.row.expiresMs <= nowMs)
        return yield* new Access.Unauthenticated({ message: "The session is over: sign in again" })
      const { expiresMs, name, principal, roles } = found.value.row
      return { id: principal, roles, claims: { name }, expiresMs }
    })
  })
