/** Ticketing on three nodes: an API of one's own, a page, SQL, mails, and no seat sold twice. See README.md. */
import { Console, Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Http, Lithair } from "lithair"
import { layerServer, run } from "lithair/node"
import { application, routes } from "./application.ts"
import { Mailer } from "./confirmation.ts"
import { handlers } from "./handlers.ts"

/** Here a line on the leader's output; elsewhere a mail service, which tells copies by their id. */
const layerMailer = Layer.succeed(Mailer, { send: ({ id, text, to }) => Console.log(`Mail ${id} to ${to}: ${text}`) })

/** Operators have a port of this host alone: 9081 beside 8081. */
const operatorsPort = (port: number) => port + 1000

const forOperators = Layer.unwrap(
  Effect.gen(function* () {
    // A flag has named another place.
    if ((yield* Http.OperatorServer) !== undefined) return Layer.empty
    const { address } = yield* Lithair.Place
    const port = operatorsPort(Number(address.replace(/^.*:/, "")))
    return Layer.provide(Layer.effect(Http.OperatorServer, HttpServer.HttpServer), layerServer({ port }))
  })
)

const node = HttpRouter.serve(Layer.mergeAll(routes, Http.layerPeers, Http.layerNotFound), {
  disableLogger: true
}).pipe(Layer.provide(Lithair.layer(application)), Layer.provide([handlers, layerMailer, forOperators]))

const show = "00000000-0000-4000-8000-000000000001"

run(node, {
  directory: ".lithair/ticketing",
  path: "/",
  docs: (port) => `http://127.0.0.1:${operatorsPort(port)}/docs`,
  curls: [
    `curl -X POST http://127.0.0.1:8081/manage/api/shows -H 'authorization: Bearer token-of-the-organizer' -H 'content-type: application/json' -d '{"id":"${show}","title":"Hamlet","seats":1}'`,
    `curl -X POST http://127.0.0.1:8082/tickets -H 'authorization: Bearer token-of-ada' -H 'content-type: application/json' -d '{"showId":"${show}"}'`,
    "curl http://127.0.0.1:8083/sales",
    "curl http://127.0.0.1:9081/_admin/api/cluster   # for operators"
  ]
})
