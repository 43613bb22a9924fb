/** The application as one value, and its routes as one layer, for its nodes and for its tests. */
import { Layer } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Http } from "lithair"
import { Api, salesLayer, sessionLayer, ticketsLayer } from "./Api.ts"
import { auth, type SignIn } from "./Caller.ts"
import { confirmation } from "./confirmation.ts"
import { admit, buyTicket, Show, Ticket } from "./models.ts"
import { page } from "./page.ts"
import { Session } from "./Session.ts"
import { sales } from "./sales.ts"

export const application = (signIn: SignIn) => ({
  models: [Show, Ticket, Session],
  commands: [buyTicket, admit],
  projections: [sales],
  reactions: [confirmation],
  auth: auth(signIn)
})

/**
 * Visitors use the application's own API. The derived one is under `/manage`: the rules of the models guard it. Operators are
 * served here, unless the node has a listener for them.
 */
export const routes = ({ issuer }: Pick<SignIn, "issuer">) =>
  Layer.mergeAll(
    page(issuer),
    HttpApiBuilder.layer(Api).pipe(Layer.provide([sessionLayer, ticketsLayer, salesLayer])),
    Http.layerApi({ prefix: "/manage" }),
    Http.layerOperators({ prefix: "/manage", apis: [Api], title: "Ticketing" }),
    Http.layerHealth
  )
