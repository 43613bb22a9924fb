/** The API for visitors, declared once for the server, its document, and a typed client. */
import { Effect, Schema } from "effect"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { Access, Http, Projection, Repository } from "lithair"
import { Bought, buyTicket, Id, SoldOut, Ticket } from "./models.ts"
import { bestShows, sales } from "./sales.ts"

const Sold = Schema.Struct({ showId: Schema.String, sold: Schema.Int })

export const Api = HttpApi.make("ticketing").add(
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
