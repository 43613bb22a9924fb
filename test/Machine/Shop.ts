/** Models with every rule: what the tests of rules, references and indexes decide on. */
import { Schema } from "effect"
import * as Model from "../../src/Model.ts"

const id = Model.id(Schema.String)
const Amount = Schema.String.check(Schema.isPattern(/^-?\d+(\.\d+)?$/)).pipe(Model.decimal)

export class Customer extends Model.Class<Customer>("Customer")(
  { id, name: Model.replicate(Schema.String), invitedBy: Schema.optionalKey(Schema.String) },
  { unique: ["name"], references: { invitedBy: { model: "Customer", onDelete: "cascade" } } }
) {}

export class Order extends Model.Class<Order>("Order")(
  {
    id,
    customerId: Model.replicate(Schema.String),
    giftFor: Schema.optionalKey(Schema.NullOr(Schema.String)),
    amount: Amount,
    status: Schema.Literals(["pending", "paid"])
  },
  {
    references: {
      customerId: { model: Customer, onDelete: "cascade" },
      giftFor: { model: Customer, onDelete: "restrict" }
    },
    indexes: ["status", "amount"],
    check: {
      "amount-negative": ({ amount }) => !amount.startsWith("-") || `An order of ${amount}`,
      "nothing-paid": ({ amount, status }) => status === "pending" || Number(amount) > 0
    }
  }
) {}

/** Of an order; it ends with it. */
export class Note extends Model.Class<Note>("Note")(
  { id, orderId: Model.replicate(Schema.NullOr(Schema.String)), text: Schema.optionalKey(Schema.String) },
  { references: { orderId: { model: Order, onDelete: "cascade" } } }
) {}

/** Refers to a note, and is referred to by nobody: what it refers to stays. */
export class Seal extends Model.Class<Seal>("Seal")(
  { id, noteId: Model.replicate(Schema.String) },
  { references: { noteId: { model: Note, onDelete: "restrict" } } }
) {}

export class Account extends Model.Class<Account>("Account")(
  { id, balance: Model.replicate(Schema.Finite) },
  { check: ({ balance }) => balance >= 0, writes: { change: "commands" } }
) {}

export class Transfer extends Model.Class<Transfer>("Transfer")(
  { id, amount: Model.replicate(Schema.Finite) },
  { writes: { create: "commands", change: "never" } }
) {}

export const shop = [Customer, Order, Note, Seal, Account, Transfer].map((model) => Model.describe(model))
