/** The shop's orders as a user of the library would test them: on a cluster inside the test, without ports or files. */
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { application } from "../../examples/shop/application.ts"
import { advanceOrder, cancelOrder, placeOrder } from "../../examples/shop/commands.ts"
import { handlersLayer } from "../../examples/shop/handlers.ts"
import { Product } from "../../examples/shop/models.ts"
import { OrderStatus } from "../../examples/shop/OrderStatus.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"

const ShopTest = Layer.provide(TestCluster.layer(application), handlersLayer)

/** Nothing becomes pending: an order is that when it is placed. */
const targets = ["paid", "shipped", "delivered", "cancelled"] as const

/** The ways to each status: no order gets there otherwise. */
const stepsTo = {
  pending: [],
  paid: ["paid"],
  shipped: ["paid", "shipped"],
  delivered: ["paid", "shipped", "delivered"],
  cancelled: ["cancelled"]
} as const

const allowed = [
  "pending to paid",
  "pending to cancelled",
  "paid to shipped",
  "paid to cancelled",
  "shipped to delivered"
]

it.effect("an order takes only the steps of its state machine (issue 4)", () =>
  Effect.gen(function* () {
    const cluster = yield* TestCluster
    const program = Effect.gen(function* () {
      const { records, run } = yield* Repository.Repository
      const products = records(Product)
      const { row } = yield* products.create({ name: "Anvil", price: "19.90", stock: 100 })
      const become = (orderId: string, to: Exclude<OrderStatus, "pending">) =>
        to === "cancelled" ? run(cancelOrder, { orderId }) : run(advanceOrder, { orderId, to: to })
      for (const from of OrderStatus.literals) {
        for (const to of targets) {
          const { id } = yield* run(placeOrder, { productId: row.id, count: 1 })
          for (const step of stepsTo[from]) yield* become(id, step)
          const said = yield* become(id, to).pipe(
            Effect.map(({ status }) => `${status}`),
            Effect.catchTag("WrongStatus", (wrong) => Effect.succeed(`no: ${wrong.from} to ${wrong.to}`))
          )
          assert.strictEqual(said, allowed.includes(`${from} to ${to}`) ? to : `no: ${from} to ${to}`)
        }
      }
    })
    yield* cluster.on("n2", program)
  }).pipe(Effect.provide(ShopTest))
)

it.effect("an order of more than the stock is refused, with the number that is left", () =>
  Effect.gen(function* () {
    const cluster = yield* TestCluster
    const program = Effect.gen(function* () {
      const { records, run } = yield* Repository.Repository
      const products = records(Product)
      const { row } = yield* products.create({ name: "Anvil", price: "19.90", stock: 3 })
      const { total } = yield* run(placeOrder, { productId: row.id, count: 2 })
      assert.strictEqual(total, "39.80")
      const refused = yield* Effect.flip(run(placeOrder, { productId: row.id, count: 2 }))
      assert.deepInclude(refused, { _tag: "SoldOut", left: 1 })
      const left = Option.getOrThrow(yield* products.get(row.id))
      assert.strictEqual(left.row.stock, 1)
    })
    yield* cluster.on("n3", program)
  }).pipe(Effect.provide(ShopTest))
)
