/** The API for visitors, declared once for the server, its document, and a typed client. */
import { Effect, Schema } from "effect"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { Projection, Repository } from "lithair"
import { Bearer, Caller } from "./Caller.ts"
import { buyTicket, Id, SoldOut, Ticket } from "./models.ts"
import { bestShows, sales } from "./sales.ts"

const Sold = Schema.Struct({ showId: Schema.String, sold: Schema.Int })

export const Api = HttpApi.make("ticketing").add(
  HttpApiGroup.make("tickets")
    .add(
      HttpApiEndpoint.post("buy", "/tickets", {
        headers: { "idempotency-key": Schema.optionalKey(Schema.String) },
        payload: Schema.Struct({ showId: Id }),
        success: Ticket,
        error: SoldOut
      }),
      HttpApiEndpoint.get("mine", "/tickets", { success: Schema.Array(Ticket) })
    )
    .middleware(Bearer),
  HttpApiGroup.make("sales").add(HttpApiEndpoint.get("best", "/sales", { success: Schema.Array(Sold) }))
)

/** A failure that an endpoint does not declare answers itself: 503 where no quorum confirms, 504 where the outcome is unknown. */
export const ticketsLayer = HttpApiBuilder.group(
  Api,
  "tickets",
  Effect.fnUntraced(function* (handlers) {
    const { records, run } = yield* Repository.Repository
    const tickets = records(Ticket)
    return handlers
      .handle("buy", ({ headers, payload: { showId } }) =>
        Effect.gen(function* () {
          const { name } = yield* Caller
          const key = headers["idempotency-key"]
          const bought = run(buyTicket, { showId, holder: name }, key === undefined ? {} : { key })
          return yield* Effect.catchIf(bought, (error) => error._tag !== "SoldOut", Effect.die)
        })
      )
      .handle("mine", () =>
        Effect.gen(function* () {
          const { name } = yield* Caller
          const { items } = yield* Effect.orDie(tickets.list({ where: [["holder", "eq", name]], limit: 100 }))
          return items.map(({ row }) => row)
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
