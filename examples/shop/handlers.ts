/** The handlers of the shop's commands, on the leader, each all or nothing: stock and orders never disagree. */
import { DateTime, Effect, Layer } from "effect"
import * as Command from "lithair/command"
import { times } from "../Money.ts"
import { advanceOrder, cancelOrder, placeOrder, SoldOut, WrongStatus } from "./commands.ts"
import { Order, Product } from "./models.ts"
import { mayBecome, type OrderStatus } from "./OrderStatus.ts"

/** The order, if it may become that. */
const orderFor = Effect.fnUntraced(function* (orderId: string, to: OrderStatus) {
  const transaction = yield* Command.Transaction
  const order = yield* transaction.get(Order, orderId)
  return mayBecome({ from: order.status, to }) ? order : yield* new WrongStatus({ from: order.status, to })
})

const placeOrderLayer = Command.layer(
  placeOrder,
  Effect.fnUntraced(function* ({ count, productId }) {
    const transaction = yield* Command.Transaction
    const { price, stock } = yield* transaction.get(Product, productId)
    if (stock < count) return yield* new SoldOut({ left: stock })
    yield* transaction.patch(Product, productId, { stock: stock - count })
    return yield* transaction.create(Order, { productId, count, total: times(price, count), status: "pending" })
  })
)

const advanceOrderLayer = Command.layer(
  advanceOrder,
  Effect.fnUntraced(function* ({ orderId, to }) {
    const transaction = yield* Command.Transaction
    yield* orderFor(orderId, to)
    // The time of the entry, by the leader's clock: every node counts the sale on the same day.
    const today = DateTime.formatIsoDateUtc(yield* DateTime.now)
    return yield* transaction.patch(Order, orderId, { status: to, ...(to === "paid" ? { paidOn: today } : {}) })
  })
)

const cancelOrderLayer = Command.layer(
  cancelOrder,
  Effect.fnUntraced(function* ({ orderId }) {
    const transaction = yield* Command.Transaction
    const { count, productId } = yield* orderFor(orderId, "cancelled")
    const { stock } = yield* transaction.get(Product, productId)
    yield* transaction.patch(Product, productId, { stock: stock + count })
    return yield* transaction.patch(Order, orderId, { status: "cancelled" })
  })
)

export const handlersLayer = Layer.mergeAll(placeOrderLayer, advanceOrderLayer, cancelOrderLayer)
