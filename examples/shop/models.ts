/** The models of the shop: products and orders, on which all nodes agree, and each node's own cache of rendered pages. */
import { Schema } from "effect"
import * as Model from "lithair/model"
import { NonNegative } from "../Money.ts"
import { OrderStatus } from "./OrderStatus.ts"

export const Id = Schema.String.check(Schema.isUUID())

/** The number of ordered pieces: at least one. */
export const Count = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))

/** A day as `2026-05-01`, in UTC. */
const Day = Schema.String.check(Schema.isPattern(/^\d{4}-\d{2}-\d{2}$/u))

/** `stock` counts the pieces that may still be ordered. No write brings it below zero. */
export class Product extends Model.Class<Product>("Product")(
  {
    id: Model.id(Id),
    name: Schema.NonEmptyString.pipe(Model.replicate),
    price: NonNegative,
    stock: Schema.Int
  },
  { check: { oversold: ({ stock }) => stock >= 0 || `A stock of ${stock}` } }
) {}

/** Only commands make and change an order, so that it never leaves the state machine. */
export class Order extends Model.Class<Order>("Order")(
  {
    id: Model.id(Id),
    productId: Id.pipe(Model.replicate),
    count: Count,
    /** The price when the order was placed. */
    total: NonNegative,
    status: OrderStatus,
    /** The day of its payment, on which it counts as sold, even if it is cancelled later. */
    paidOn: Schema.optionalKey(Day)
  },
  {
    indexes: ["status"],
    references: { productId: { model: Product, onDelete: "restrict" } },
    writes: { create: "commands", change: "commands" }
  }
) {}

/** A cache: it never leaves the node that wrote it. */
export class ProductView extends Model.Class<ProductView>("ProductView")(
  { id: Model.id(Id), productId: Id, renderedHtml: Schema.String },
  { mode: "local" }
) {}
