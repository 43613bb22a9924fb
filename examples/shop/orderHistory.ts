/** The steps of each order, with their times. */
import { Schema } from "effect"
import * as Projection from "lithair/projection"
import { Order } from "./models.ts"
import { OrderStatus } from "./OrderStatus.ts"

/** By the order's id. The state machine has no way back, so that a history has four steps at most. */
export const orderHistory = Projection.make("order-history", {
  from: [Order],
  version: 1,
  state: Schema.Array(Schema.Struct({ status: OrderStatus, timeMs: Schema.Int })),
  initial: [],
  key: ({ id }) => id,
  evolve: (steps, { record: { status }, timeMs }) => [...steps, { status, timeMs }]
})
