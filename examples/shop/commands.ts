/** The commands of the shop, and their errors. A browser may import them. */
import { Schema } from "effect"
import * as Command from "lithair/command"
import { Count, Id, Order } from "./models.ts"
import { OrderStatus } from "./OrderStatus.ts"

/** The order asks for more than the stock. */
export class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", { left: Schema.Int }) {
  override get message() {
    return this.left === 0 ? "None is left" : `Only ${this.left} left`
  }
}

/** The order cannot take this step from its status. */
export class WrongStatus extends Schema.TaggedError<WrongStatus>()("WrongStatus", {
  from: OrderStatus,
  to: OrderStatus
}) {
  override get message() {
    return `An order that is ${this.from} cannot become ${this.to}`
  }
}

/** Takes from the stock, and notes the amount to pay. */
export const placeOrder = Command.make("placeOrder", {
  payload: Schema.Struct({ productId: Id, count: Count }),
  success: Order,
  error: [SoldOut]
})

/** Notes that the order was paid, shipped or delivered. */
export const advanceOrder = Command.make("advanceOrder", {
  payload: Schema.Struct({ orderId: Id, to: Schema.Literals(["paid", "shipped", "delivered"]) }),
  success: Order,
  error: [WrongStatus]
})

/** Gives the ordered pieces back to the stock. */
export const cancelOrder = Command.make("cancelOrder", {
  payload: Schema.Struct({ orderId: Id }),
  success: Order,
  error: [WrongStatus]
})
