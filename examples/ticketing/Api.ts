/** The API for visitors, declared once for the server, its document, and a typed client. */
import { Effect, Schema } from "effect"
import { HttpServerRequest } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Access, Http, Projection, Repository } from "lithair"
import { nameOf } from "./Caller.ts"
import { Bought, buyTicket, Id, SoldOut, Ticket } from "./models.ts"
import * as Session from "./Session.ts"
import { bestShows, sales } from "./sales.ts"

const Sold = Schema.Struct({ showId: Schema.String, sold: Schema.Int })

const Visitor = Schema.Struct({ name: Schema.String, roles: Schema.Array(Schema.String) })

export const Api = HttpApi.make("ticketing").add(
  HttpApiGroup.make("session").add(
    // A browser begins it with a token of the issuer, and goes on with the cookie alone.
    HttpApiEndpoint.post("begin", "/session", { success: Visitor }),
    HttpApiEndpoint.get("current", "/session", { success: Visitor }),
    HttpApiEndpoint.delete("end", "/session", { success: HttpApiSchema.NoContent })
  ),
  HttpApiGroup.make("tickets").add(
    HttpApiEndpoint.post("buy", "/tickets", {
      headers: { "idempotency-key": Schema.optionalKey(Schema.String) },
      payload: Schema.Struct({ showId: Id }),
      success: Bought,
      error: SoldOut
    }),
    HttpApiEndpoint.get("mine", "/tickets", { success: Schema.Array(Bought) })
  ),
  HttpApiGroup.make("sales").add(HttpApiEndpoint.get("best", "/sales", { success: Schema.Array(Sold) }))
)

/** The repository of the caller of a request: what its rules do not allow is refused. */
const asCaller = Effect.flatMap(Effect.orDie(Http.caller), (caller) =>
  Effect.map(Repository.as(caller), (repository) => ({ caller, repository }))
)

/** Removes the cookie from the browser. */
const forget = HttpApiBuilder.securitySetCookie(Session.security, "", { path: "/", sameSite: "lax", maxAge: 0 })

/** The caller, if it has signed in. A cookie that is not good any more would have each request refused, the sign-in too. */
const visitor = Effect.gen(function* () {
  const found = Effect.tapError(Http.caller, ({ status }) => (status === 401 ? forget : Effect.void))
  const caller = yield* Effect.orDie(found)
  if (caller._tag !== "Principal") return yield* Effect.die(Http.problem("unauthenticated", "Sign in first", {}))
  return caller
})

/**
 * A failure that an endpoint does not declare answers itself: 401 without a credential, 503 where no quorum confirms, 504
 * where the outcome is unknown.
 */
export const ticketsLayer = HttpApiBuilder.group(
  Api,
  "tickets",
  Effect.fnUntraced(function* (handlers) {
    return handlers
      .handle("buy", ({ headers, payload: { showId } }) =>
        Effect.gen(function* () {
          const { repository } = yield* asCaller
          const key = headers["idempotency-key"]
          const bought = repository.run(buyTicket, { showId }, key === undefined ? {} : { key })
          return yield* Effect.catchIf(bought, (error) => error._tag !== "SoldOut", Effect.die)
        })
      )
      .handle("mine", () =>
        Effect.gen(function* () {
          const { caller, repository } = yield* asCaller
          // The organizer may read every ticket, and has some too.
          const own = [["ownerId", "eq", Access.idOf(caller) ?? ""]] as const
          const { items } = yield* Effect.orDie(repository.records(Ticket).list({ where: own, limit: 100 }))
          return items.map(({ row: { holder, id, showId } }) => ({ id, showId, holder }))
        })
      )
  })
)

export const sessionLayer = HttpApiBuilder.group(
  Api,
  "session",
  Effect.fnUntraced(function* (handlers) {
    const shown = (caller: Access.Principal) => ({ name: nameOf(caller), roles: caller.roles })
    return handlers
      .handle("begin", () =>
        Effect.gen(function* () {
          const caller = yield* visitor
          // It would outlive the key, and no cookie has the id of one.
          if (caller.apiKey !== undefined)
            return yield* Effect.die(Http.problem("forbidden", "A session begins with a token, and not with a key", {}))
          const { expires, value } = yield* Effect.orDie(Session.begin(caller, nameOf(caller)))
          yield* HttpApiBuilder.securitySetCookie(Session.security, value, { path: "/", sameSite: "lax", expires })
          return shown(caller)
        })
      )
      .handle("current", () => Effect.map(visitor, shown))
      .handle("end", () =>
        Effect.gen(function* () {
          // The caller is asked for first: a page of another origin may not sign anybody out.
          yield* visitor
          const { cookies } = yield* HttpServerRequest.HttpServerRequest
          yield* Effect.orDie(Session.endOf(cookies[Session.cookieName] ?? ""))
          yield* forget
        })
      )
  })
)

export const salesLayer = HttpApiBuilder.group(
  Api,
  "sales",
  Effect.fnUntraced(function* (handlers) {
    const node = yield* Effect.context<Projection.Projections>()
    const best = Projection.query(sales, bestShows).pipe(
      Effect.flatMap(Schema.decodeUnknownEffect(Schema.Array(Sold))),
      Effect.orDie,
      Effect.provideContext(node)
    )
    return handlers.handle("best", () => best)
  })
)
