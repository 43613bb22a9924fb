/** The application as one value, and its routes as one layer, for its nodes and for its tests. */
import { Layer } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Http } from "lithair"
import { Api, salesLayer, ticketsLayer } from "./Api.ts"
import { layerBearer, organizersOnly } from "./Caller.ts"
import { confirmation } from "./confirmation.ts"
import { buyTicket, Show, Ticket } from "./models.ts"
import { page } from "./page.ts"
import { sales } from "./sales.ts"

export const application = {
  models: [Show, Ticket],
  commands: [buyTicket],
  projections: [sales],
  reactions: [confirmation]
}

/** Visitors use the application's own API. The derived one is for the organizer, under `/manage`. */
export const routes = Layer.mergeAll(
  page,
  HttpApiBuilder.layer(Api).pipe(Layer.provide([ticketsLayer, salesLayer]), Layer.provide(layerBearer)),
  Http.layerApi({ prefix: "/manage" }).pipe(Layer.provide(organizersOnly)),
  Http.layerDocs({ prefix: "/manage", apis: [Api], title: "Ticketing" }),
  Http.layerHealth
)
