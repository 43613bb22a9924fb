/** The sales of each day. A cancelled sale is taken from the day of its payment. */
import { Schema } from "effect"
import * as Projection from "lithair/projection"
import { add, subtract } from "../Money.ts"
import { Order } from "./models.ts"

/** By the day, as `2026-05-01`. Orders that were never paid have no day, and do not count. */
export const sales = Projection.make("sales", {
  from: [Order],
  version: 1,
  // A sum of any length: together orders may cost more than one of them can.
  state: Schema.Struct({ orders: Schema.Int, revenue: Schema.String }),
  initial: { orders: 0, revenue: "0.00" },
  key: ({ record }) => record.paidOn,
  // The state machine lets an order become each status once.
  evolve: ({ orders, revenue }, { record: { status, total } }) => {
    switch (status) {
      case "paid":
        return { orders: orders + 1, revenue: add(revenue, total) }
      case "cancelled":
        return { orders: orders - 1, revenue: subtract(revenue, total) }
      case "pending":
      case "shipped":
      case "delivered":
        return { orders, revenue }
    }
  }
})
