/** What the shop holds: products and orders, which all nodes agree on, and each node's own cache of rendered pages. */
import { Schema } from "effect"
import * as Model from "lithair/model"
import { NonNegative } from "../Money.ts"
import { OrderStatus } from "./OrderStatus.ts"

export const Id = Schema.String.check(Schema.isUUID())

/** How many are asked for: one at least. */
export const Count = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))

/** A day as `2026-05-01`, in UTC. */
const Day = Schema.String.check(Schema.isPattern(/^\d{4}-\d{2}-\d{2}$/u))

/** Stock is what may still be ordered. Whatever writes it, it is never below zero. */
export class Product extends Model.Class<Product>("Product")(
  {
    id: Model.id(Id),
    name: Schema.NonEmptyString.pipe(Model.replicate),
    price: NonNegative,
    stock: Schema.Int
  },
  { check: { oversold: ({ stock }) => stock >= 0 || `A stock of ${stock}` } }
) {}

/** Made and changed by commands alone, so that it never leaves the state machine. */
export class Order extends Model.Class<Order>("Order")(
  {
    id: Model.id(Id),
    productId: Id.pipe(Model.replicate),
    count: Count,
    /** What it cost when it was placed. */
    total: NonNegative,
    status: OrderStatus,
    /** From its payment on, even if it is cancelled later: the day on which it counts as sold. */
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
