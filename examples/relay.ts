/**
 * Orders, and what happens to them in a stream of NATS: three nodes, of which the leader publishes. Start it with the URL
 * of a server that has JetStream: `NATS_URL=nats://localhost:4222 npm run relay`.
 */
import { Effect, Layer, Schema } from "effect"
import { Lithair, Model, Projection, Reaction } from "lithair"
import { run } from "lithair/node"
import { Out } from "./relay/Out.ts"

class Order extends Model.Class<Order>("Order")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  customer: Schema.NonEmptyString.pipe(Model.replicate),
  cents: Schema.Int
}) {}

/** The event's id is the id of the message: the stream keeps the first of several copies. */
const out = Reaction.make("out", {
  from: [Order],
  run: Effect.fnUntraced(function* (event) {
    const { publish } = yield* Out
    const { customer, cents } = event.record
    yield* publish(`orders.${event.type}`, { order: event.id, customer, cents }, Projection.eventId(event))
  })
})

const order = JSON.stringify({ customer: "ann", cents: 1990 })

run(Lithair.layerHttp({ models: [Order], reactions: [out] }).pipe(Layer.provide(Out.layer)), {
  directory: ".lithair/relay",
  path: "/api/orders",
  curls: [
    `curl -X POST http://127.0.0.1:8081/api/orders -H 'content-type: application/json' -d '${order}'`,
    "curl http://127.0.0.1:8082/_admin/api/reactions"
  ]
})
