/** The models of the example cluster, replicated, mixed and local, and the command that moves money. A browser may import them. */
import { Schema } from "effect"
import * as Command from "lithair/command"
import * as Model from "lithair/model"
import { Money, NonNegative, Positive } from "./Money.ts"

const Id = Schema.String.check(Schema.isUUID())

/** One `replicate` distributes the whole model. */
export class Product extends Model.Class<Product>("Product")({
  id: Model.id(Id),
  name: Schema.NonEmptyString.pipe(Model.replicate),
  price: NonNegative,
  category: Schema.optionalKey(Schema.NonEmptyString)
}) {}

/** Every node agrees on the email; each keeps its own `cacheData`. */
export class User extends Model.Class<User>("User")(
  {
    id: Model.id(Id),
    email: Schema.String.check(Schema.isPattern(/^[^@\s]+@[^@\s]+$/u, { message: "Expected an email address" })).pipe(
      Model.replicate
    ),
    cacheData: Model.local(Schema.String)
  },
  { unique: ["email"] }
) {}

/** Indexes find orders by customer and by status. A rule checks the fields together. */
export class Order extends Model.Class<Order>("Order")(
  {
    id: Model.id(Id),
    customerId: Id.pipe(Model.replicate),
    amount: NonNegative,
    status: Schema.Literals(["pending", "paid", "shipped", "delivered", "cancelled"])
  },
  {
    indexes: ["customerId", "status"],
    check: {
      "nothing-to-pay": ({ amount, status }) =>
        amount !== "0.00" || status === "pending" || status === "cancelled" || `An order of 0.00 cannot be ${status}`
    }
  }
) {}

/** A cache: it never leaves the node that wrote it. */
export class ProductView extends Model.Class<ProductView>("ProductView")(
  { id: Model.id(Id), productId: Id, renderedHtml: Schema.String },
  { mode: "local" }
) {}

/** Any request may open an account. Only commands change its balance. */
export class Account extends Model.Class<Account>("Account")(
  { id: Model.id(Id), owner: Schema.NonEmptyString.pipe(Model.replicate), balance: NonNegative },
  { writes: { change: "commands" } }
) {}

/** One movement of money. A command makes it, and nothing changes it. */
export class Transaction extends Model.Class<Transaction>("Transaction")(
  { id: Model.id(Id), from: Model.replicate(Id), to: Id, amount: Positive },
  { writes: { create: "commands", change: "never" } }
) {}

/** The account that pays holds less than the amount. */
export class InsufficientFunds extends Schema.TaggedError<InsufficientFunds>()("InsufficientFunds", {
  balance: Money
}) {
  override get message() {
    return `The account holds ${this.balance}`
  }
}

/** Moves an amount from one account to another. The handler is in transfer.ts. */
export const transfer = Command.make("transfer", {
  payload: Schema.Struct({ from: Id, to: Id, amount: Positive }).check(
    Schema.makeFilter(({ from, to }) => from !== to || { path: ["to"], issue: "Expected another account" })
  ),
  success: Transaction,
  error: [InsufficientFunds]
})

export const models = [Product, User, Order, ProductView, Account, Transaction]

export const commands = [transfer]
