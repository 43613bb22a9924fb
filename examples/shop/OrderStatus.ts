/** The state machine of an order. It is plain data, so a browser can show the same buttons by it. */
import { Schema } from "effect"

export const OrderStatus = Schema.Literals(["pending", "paid", "shipped", "delivered", "cancelled"])
export type OrderStatus = typeof OrderStatus.Type

const next: Record<OrderStatus, ReadonlyArray<OrderStatus>> = {
  pending: ["paid", "cancelled"],
  paid: ["shipped", "cancelled"],
  shipped: ["delivered"],
  delivered: [],
  cancelled: []
}

/** Whether an order that is `from` may become `to`. */
export const mayBecome = ({ from, to }: { readonly from: OrderStatus; readonly to: OrderStatus }): boolean =>
  next[from].includes(to)
