/** Ticketing on three nodes: an API of one's own, a page, SQL, mails, and no seat sold twice. See README.md. */
import { Console, Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { Http, Lithair } from "lithair"
import { layerServer, run } from "lithair/node"
import { application, routes } from "./application.ts"
import type { SignIn } from "./Caller.ts"
import { Mailer } from "./confirmation.ts"
import { handlers } from "./handlers.ts"

/** Here a line on the leader's output; elsewhere a mail service, which tells copies by their id. */
const layerMailer = Layer.succeed(Mailer, { send: ({ id, text, to }) => Console.log(`Mail ${id} to ${to}: ${text}`) })

/** The issuer of issuer.ts, and the nodes of the demo, unless the environment names others. */
const issuer = process.env.TICKETING_ISSUER ?? "http://127.0.0.1:8090"
const origins =
  process.env.TICKETING_ORIGINS?.split(",") ?? [8081, 8082, 8083].map((port) => `http://127.0.0.1:${port}`)
const [first = "", ...others] = origins
const signIn: SignIn = { issuer, keys: new URL(`${issuer}/.well-known/jwks.json`), origins: [first, ...others] }

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

const node = HttpRouter.serve(Layer.mergeAll(routes(signIn), Http.layerPeers, Http.layerNotFound), {
  disableLogger: true
}).pipe(Layer.provide(Lithair.layer(application(signIn))), Layer.provide([handlers, layerMailer, forOperators]))

const show = "00000000-0000-4000-8000-000000000001"
const token = (name: string) => `-H "authorization: Bearer $(curl -s -d name=${name} ${issuer}/token)"`
const json = "-H 'content-type: application/json'"

run(node, {
  directory: ".lithair/ticketing",
  path: "/",
  docs: (port) => `http://127.0.0.1:${operatorsPort(port)}/docs`,
  curls: [
    "node examples/ticketing/issuer.ts   # in another terminal: it signs the tokens",
    `curl -X POST http://127.0.0.1:8081/manage/api/shows ${token("organizer")} ${json} -d '{"id":"${show}","title":"Hamlet","seats":1}'`,
    `curl -X POST http://127.0.0.1:8082/tickets ${token("ada")} ${json} -d '{"showId":"${show}"}'`,
    "curl http://127.0.0.1:8083/sales",
    "curl http://127.0.0.1:9081/_admin/api/cluster   # for operators"
  ]
})
