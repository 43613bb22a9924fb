/** Models, and projections of them, that the tests of projections follow. */
import { Schema } from "effect"
import * as Model from "../../src/Model.ts"
import * as Projection from "../../src/Projection.ts"

export class Order extends Model.Class<Order>("Order")(
  { id: Model.id(Schema.String), customer: Schema.String, cents: Schema.Int },
  { mode: "replicate" }
) {}

export class Refund extends Model.Class<Refund>("Refund")(
  { id: Model.id(Schema.String), order: Schema.String, at: Schema.DateFromString },
  { mode: "replicate" }
) {}

export const models = [Order, Refund]

export const order = (customer: string, cents: number) =>
  ({ _tag: "Create", model: "Order", data: { customer, cents } }) as const

/** How much each customer spent; a customer without orders is none. `seen` is told of every event that is folded. */
export const makeSpent = (options: { readonly version?: number; readonly seen?: (index: number) => void } = {}) =>
  Projection.make("spent", {
    from: [Order],
    version: options.version ?? 1,
    state: Schema.Struct({ orders: Schema.Int, cents: Schema.Int }),
    initial: { orders: 0, cents: 0 },
    key: ({ record }) => record.customer,
    evolve: ({ cents, orders }, { index, record, type }) => {
      options.seen?.(index)
      switch (type) {
        case "created":
          return { orders: orders + 1, cents: cents + record.cents }
        case "updated":
          return { orders, cents }
        case "deleted":
          return orders === 1 ? undefined : { orders: orders - 1, cents: cents - record.cents }
      }
    }
  })

/** What happened, in order, by the type of each event's own model. */
export const makeHistory = () =>
  Projection.make("history", {
    from: [Order, Refund],
    version: 1,
    state: Schema.Array(Schema.String),
    initial: [],
    evolve: (lines, event) => [
      ...lines,
      Projection.isOf(event, Refund)
        ? `${Projection.eventId(event)} refund of ${event.record.order} in ${event.record.at.getUTCFullYear()}`
        : `${Projection.eventId(event)} ${event.type} ${event.model} ${event.id} v${event.version}`
    ]
  })

/** Throws when it meets an order of `customer`. */
export const makeFaulty = (customer: string) =>
  Projection.make("faulty", {
    from: [Order],
    version: 1,
    state: Schema.Int,
    initial: 0,
    evolve: (count, { record }) => {
      if (record.customer === customer) throw new Error(`no orders of ${customer}, please`)
      return count + 1
    }
  })

/** Each order a row. The file refuses an order of a negative amount. */
export const makeOrders = (options: { readonly version?: number; readonly ddl?: string } = {}) =>
  Projection.sqlite("orders", {
    from: [Order],
    version: options.version ?? 1,
    ddl: options.ddl ?? ordersDdl,
    evolve: ({ id, index, record, type }) =>
      type === "deleted"
        ? [{ sql: "DELETE FROM orders WHERE id = ?", params: [id] }]
        : [
            { sql: "INSERT INTO changes VALUES (?, ?)", params: [index, id] },
            { sql: "INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", params: [id, record.customer, record.cents] }
          ]
  })

const ordersDdl = `
  CREATE TABLE orders (id TEXT PRIMARY KEY, customer TEXT NOT NULL, cents INTEGER NOT NULL CHECK (cents >= 0));
  CREATE TABLE changes (entry INTEGER NOT NULL, id TEXT NOT NULL);
`
