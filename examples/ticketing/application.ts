/** The application as one value, and its routes as one layer, for its nodes and for its tests. */
import { Layer } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Http } from "lithair"
import { Api, salesLayer, ticketsLayer } from "./Api.ts"
import { auth } from "./Caller.ts"
import { confirmation } from "./confirmation.ts"
import { buyTicket, Show, Ticket } from "./models.ts"
import { page } from "./page.ts"
import { sales } from "./sales.ts"

export const application = {
  models: [Show, Ticket],
  commands: [buyTicket],
  projections: [sales],
  reactions: [confirmation],
  auth
}

/**
 * Visitors use the application's own API. The derived one is under `/manage`: the rules of the models guard it. Operators are
 * served here, unless the node has a listener for them.
 */
export const routes = Layer.mergeAll(
  page,
  HttpApiBuilder.layer(Api).pipe(Layer.provide([ticketsLayer, salesLayer])),
  Http.layerApi({ prefix: "/manage" }),
  Http.layerOperators({ prefix: "/manage", apis: [Api], title: "Ticketing" }),
  Http.layerHealth
)
