/**
 * A node of a bank with two releases, as a process: `BANK_RELEASE` says whose business code it runs. It
 * takes the flags of the example's nodes.
 *
 * Release 2 takes a fee of each transfer, keeps a minimum on each account, knows one more command and one more model. Its
 * product has another field and a rule, without a new version. Its ware has a new version: another name, and a currency.
 */
import { Effect, Layer, Schema } from "effect"
import { add, isLess, Money, NonNegative, Positive, subtract } from "../../examples/Money.ts"
import * as Command from "../../src/Command.ts"
import * as Lithair from "../../src/Lithair.ts"
import * as Model from "../../src/Model.ts"
import { run } from "../../src/node.ts"
import * as Projection from "../../src/Projection.ts"
import { amountOf, centsOf } from "./Bank.ts"

const release = Number(process.env.BANK_RELEASE)
const isSecond = release === 2

/** The account that fees are paid to. */
const house = process.env.BANK_HOUSE ?? ""
const minimum = "10.00"
/** The first release takes none, the second one percent, rounded up to a cent. The payee bears it. */
const feeOf = (amount: string) => amountOf(isSecond ? Math.ceil(centsOf(amount) / 100) : 0)

const Id = Schema.String.check(Schema.isUUID())

class Account extends Model.Class<Account>("Account")(
  { id: Model.id(Id), owner: Schema.NonEmptyString.pipe(Model.replicate), balance: NonNegative },
  {
    writes: { change: "commands" },
    check: {
      "below-minimum": ({ balance }) => !isSecond || !isLess(balance, minimum) || `The account would hold ${balance}`
    }
  }
) {}

/** Which release decided a transfer is a part of its record, as the fee is. */
class Transaction extends Model.Class<Transaction>("Transaction")(
  {
    id: Model.id(Id),
    from: Model.replicate(Id),
    to: Id,
    amount: Positive,
    fee: NonNegative,
    release: Schema.Int
  },
  { writes: { create: "commands", change: "never" } }
) {}

const productFields = { id: Model.id(Id), name: Schema.NonEmptyString.pipe(Model.replicate), price: NonNegative }
class FirstProduct extends Model.Class<FirstProduct>("Product")(productFields) {}
class SecondProduct extends Model.Class<SecondProduct>("Product")(
  { ...productFields, category: Schema.optionalKey(Schema.NonEmptyString) },
  { check: { "free-of-charge": ({ price }) => price !== "0.00" || "It costs nothing" } }
) {}
const Product = isSecond ? SecondProduct : FirstProduct

class FirstWare extends Model.Class<FirstWare>("Ware")(productFields) {}
class SecondWare extends Model.Class<SecondWare>("Ware")(
  { id: Model.id(Id), title: Schema.NonEmptyString.pipe(Model.replicate), price: NonNegative, currency: Schema.String },
  {
    version: 2,
    lift: Model.from(1, { id: Schema.String, name: Schema.String, price: Schema.String })
      .rename("name", "title")
      .add("currency", "EUR")
      .to(2)
  }
) {}
const Ware = isSecond ? SecondWare : FirstWare

/** Of the second release alone. */
class Complaint extends Model.Class<Complaint>("Complaint")(
  { id: Model.id(Id), accountId: Model.replicate(Id), text: Schema.NonEmptyString },
  { references: { accountId: { model: Account, onDelete: "restrict" } } }
) {}

class InsufficientFunds extends Schema.TaggedError<InsufficientFunds>()("InsufficientFunds", { balance: Money }) {}

const transfer = Command.make("transfer", {
  payload: Schema.Struct({ from: Id, to: Id, amount: Positive }),
  success: Transaction,
  error: [InsufficientFunds]
})

/** Moves all that an account may give. Of the second release alone. */
const sweep = Command.make("sweep", {
  payload: Schema.Struct({ from: Id, to: Id }),
  success: Transaction,
  error: [InsufficientFunds]
})

const move = Effect.fnUntraced(function* (from: string, to: string, amount: string) {
  const transaction = yield* Command.Transaction
  const book = (id: string, change: (balance: string) => string) =>
    Effect.flatMap(transaction.get(Account, id), ({ balance }) =>
      transaction.patch(Account, id, { balance: change(balance) })
    )
  const { balance } = yield* transaction.get(Account, from)
  if (isLess(balance, amount)) return yield* new InsufficientFunds({ balance })
  const fee = feeOf(amount)
  yield* book(from, (held) => subtract(held, amount))
  yield* book(to, (held) => add(held, subtract(amount, fee)))
  if (fee !== "0.00") yield* book(house, (held) => add(held, fee))
  return yield* transaction.create(Transaction, { from, to, amount, fee, release })
})

const handlersLayer = Layer.mergeAll(
  Command.layer(transfer, ({ amount, from, to }) => move(from, to, amount)),
  Command.layer(
    sweep,
    Effect.fnUntraced(function* ({ from, to }) {
      const transaction = yield* Command.Transaction
      const { balance } = yield* transaction.get(Account, from)
      if (!isLess(minimum, balance)) return yield* new InsufficientFunds({ balance })
      return yield* move(from, to, subtract(balance, minimum))
    })
  )
)

/** The sums of opened and moved money, as the bank of the examples keeps them. */
const audit = Projection.make("audit", {
  from: [Account, Transaction],
  version: 1,
  state: Schema.Struct({ opened: Schema.String, transfers: Schema.Int, moved: Schema.String, fees: Schema.String }),
  initial: { opened: "0.00", transfers: 0, moved: "0.00", fees: "0.00" },
  evolve: (sums, event) => {
    if (event.type !== "created") return sums
    if (Projection.isOf(event, Account)) return { ...sums, opened: add(sums.opened, event.record.balance) }
    if (!Projection.isOf(event, Transaction)) return sums
    const { amount, fee } = event.record
    return { ...sums, transfers: sums.transfers + 1, moved: add(sums.moved, amount), fees: add(sums.fees, fee) }
  }
})

/** The order in which the transactions of each payer were decided: by the index of the log. */
const ledger = Projection.make("ledger", {
  from: [Transaction],
  version: 1,
  state: Schema.Array(Schema.Struct({ index: Schema.Int, id: Schema.String })),
  initial: [],
  key: ({ record }) => record.from,
  evolve: (entries, { id, index }) => [...entries, { index, id }]
})

/** Follows a model that has another version in the second release. */
const catalogue = Projection.make("catalogue", {
  from: [Ware],
  version: 1,
  state: Schema.Int,
  initial: 0,
  evolve: (count, { type }) => (type === "created" ? count + 1 : count)
})

const models = [Account, Transaction, Product, Ware]
const application = {
  models: isSecond ? [...models, Complaint] : models,
  commands: isSecond ? [transfer, sweep] : [transfer],
  projections: [audit, ledger, catalogue]
}

run(Layer.provide(Lithair.layerHttp(application), handlersLayer), {
  directory: ".lithair/releases",
  path: "/api/accounts",
  curls: []
})
