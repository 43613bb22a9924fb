/** Places orders and tells how they are, on any node. */
import { Effect, Exit, Layer, Option, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Order } from "./order.ts"

const Placed = Schema.Struct({ id: Schema.String, cents: Schema.Int, city: Schema.String })

const place = HttpRouter.add(
  "POST",
  "/orders",
  Effect.gen(function* () {
    const order = yield* HttpServerRequest.schemaBodyJson(Placed)
    // It is answered once the order is in the log: from then on it goes on, whatever happens to this node.
    yield* Order.execute(order, { discard: true })
    return HttpServerResponse.jsonUnsafe({ id: order.id }, { status: 202 })
  })
)

const ask = HttpRouter.add(
  "GET",
  "/orders/:id",
  Effect.gen(function* () {
    const { id = "" } = yield* HttpRouter.params
    const result = yield* Effect.flatMap(Order.executionId({ id, cents: 0, city: "" }), (execution) =>
      Order.poll(execution)
    )
    return HttpServerResponse.jsonUnsafe({ id, ...shown(result) })
  })
)

type Result = Effect.Success<ReturnType<typeof Order.poll>>

const shown = (result: Result) => {
  if (Option.isNone(result) || result.value._tag === "Suspended") return { state: "under way" }
  return Exit.match(result.value.exit, {
    onSuccess: ({ parcel }) => ({ state: "shipped", parcel }),
    onFailure: () => ({ state: "paid back" })
  })
}

export const routes = Layer.mergeAll(place, ask)
