/** The typed client against real processes: all that the API serves, and changes that are done once while leaders die. */
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { FetchHttpClient } from "effect/http"
import { Account } from "../../examples/models.ts"
import { advanceOrder, placeOrder, SoldOut } from "../../examples/shop/commands.ts"
import { Order, Product, ProductView } from "../../examples/shop/models.ts"
import { orderHistory } from "../../examples/shop/orderHistory.ts"
import { sales } from "../../examples/shop/sales.ts"
import * as Client from "../../src/Client.ts"
import * as Repository from "../../src/Repository.ts"
import {
  allReady,
  equalHash,
  eventually,
  expectThat,
  leaderOf,
  listAll,
  runToEnd,
  startCluster,
  type TestNode
} from "./Processes.ts"

const example = (name: string) => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))
const startShop = startCluster(["node", "node", "node"], undefined, example("shop.ts"))

/** Of all nodes, beginning with the one at this place. */
const clientOf = (nodes: ReadonlyArray<TestNode>, at = 0) => {
  const [first, ...others] = [...nodes.slice(at), ...nodes.slice(0, at)].map(({ url }) => url)
  return Client.make({ nodes: [first!, ...others] }).pipe(Effect.provide(FetchHttpClient.layer))
}

const anvil = { name: "Anvil", price: "19.90", stock: 5 }

describe("the typed client of three processes", () => {
  it.live(
    "reads and changes records, runs commands, and reads projections, as they are declared (issue 4)",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startShop
        const client = yield* clientOf(nodes)
        const other = yield* clientOf(nodes, 1)
        const products = client.records(Product)

        const { row: product, version } = yield* products.create(anvil)
        assert.instanceOf(product, Product)
        assert.strictEqual(version, 1)
        const patched = yield* products.patch(product.id, { stock: 6 }, { ifVersion: 1 })
        assert.deepStrictEqual([patched.row.stock, patched.version], [6, 2])
        const conflict = yield* Effect.flip(products.put(product.id, anvil, { ifVersion: 1 }))
        assert.isTrue(conflict._tag === "Problem" && Repository.isProblem(conflict, "version-conflict"))
        assert.strictEqual(conflict._tag === "Problem" ? conflict.members.currentVersion : undefined, 2)
        const oversold = yield* Effect.flip(products.patch(product.id, { stock: -1 }))
        assert.strictEqual(oversold._tag === "Problem" ? oversold.kind : oversold._tag, "oversold")
        assert.deepStrictEqual(yield* other.records(Product).get(product.id), Option.some(patched))
        assert.deepStrictEqual(yield* products.get(crypto.randomUUID()), Option.none())

        const names = Array.from({ length: 7 }, (_, at) => `Bolt ${at}`)
        const bolts = yield* products.createAll(names.map((name, at) => ({ name, price: `${at}.00`, stock: at })))
        assert.deepStrictEqual(
          bolts.map(({ row }) => row.name),
          names
        )
        const dear = {
          where: [
            ["price", "gte", "2.00"],
            ["name", "like", "Bolt*"]
          ],
          orderBy: [["price", "desc"]],
          limit: 3,
          countsTotal: true
        } as const
        const first = yield* products.list(dear)
        assert.deepStrictEqual([first.items.map(({ row }) => row.stock), first.total], [[6, 5, 4], 5])
        const second = yield* products.list({ ...dear, cursor: first.next! })
        assert.deepStrictEqual([second.items.map(({ row }) => row.stock), second.next], [[3, 2], undefined])

        const order = yield* client.run(placeOrder, { productId: product.id, count: 4 }, { key: "order-1" })
        assert.instanceOf(order, Order)
        const again = yield* other.run(placeOrder, { productId: product.id, count: 4 }, { key: "order-1" })
        assert.deepStrictEqual(again, order, "the same key is the same order, through whichever node")
        const refused = yield* Effect.flip(other.run(placeOrder, { productId: product.id, count: 4 }))
        assert.instanceOf(refused, SoldOut)
        assert.deepInclude(refused, { left: 2 })
        const { body, state, status } = yield* client.operation("order-1")
        assert.deepStrictEqual([state, status, (body as Order).id], ["committed", 200, order.id])
        assert.strictEqual((yield* client.closeOperation("never-sent")).state, "absent")
        const closed = yield* Effect.flip(products.create(anvil, { key: "never-sent" }))
        assert.isTrue(closed._tag === "Problem" && Repository.isProblem(closed, "operation-closed"))

        const paid = yield* client.run(advanceOrder, { orderId: order.id, to: "paid" })
        const sold = yield* other.projections.getKey(sales, paid.paidOn!)
        assert.deepStrictEqual(Option.getOrThrow(sold), { orders: 1, revenue: "79.60" })
        const page = yield* client.projections.page(sales, { limit: 1 })
        assert.deepStrictEqual([page.items.map(({ key }) => key), page.next], [[paid.paidOn!], undefined])
        const history = Option.getOrThrow(yield* client.projections.getKey(orderHistory, order.id))
        assert.deepStrictEqual(
          history.map(({ status }) => status),
          ["pending", "paid"]
        )
        assert.deepStrictEqual(yield* client.projections.getKey(orderHistory, "none"), Option.none())

        const [made, changed, removed] = yield* other.transact([
          Repository.create(Product, { name: "Nut", price: "0.10", stock: 100 }),
          Repository.patch(Product, product.id, { name: "Heavy anvil" }),
          Repository.remove(Product, bolts[0]!.row.id, { ifVersion: 1 })
        ])
        assert.instanceOf(made.row, Product)
        assert.deepStrictEqual([changed.row?.name, removed.row], ["Heavy anvil", undefined])
        const nothing = yield* Effect.flip(
          client.transact([Repository.remove(Product, made.id), Repository.remove(Product, product.id)])
        )
        assert.isTrue(nothing._tag === "Problem" && Repository.isProblem(nothing, "referenced"))
        assert.strictEqual(nothing._tag === "Problem" ? nothing.members.opIndex : undefined, 1)
        assert.isTrue(Option.isSome(yield* products.get(made.id, { consistency: "session" })))

        const view = { productId: product.id, renderedHtml: "<b>Anvil</b>" }
        const { row: kept } = yield* client.records(ProductView).create(view)
        assert.isTrue(Option.isSome(yield* client.records(ProductView).get(kept.id)))
        assert.deepStrictEqual(yield* other.records(ProductView).get(kept.id), Option.none(), "it is of one node")
      }).pipe(Effect.scoped),
    90_000
  )

  it.live(
    "does each change once, and each has an answer, while leaders are paused and killed with -9",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startShop
        const clients = yield* Effect.forEach(nodes, (_, at) => clientOf(nodes, at))
        const { row: product } = yield* clients[0]!.records(Product).create({ ...anvil, stock: 300 })
        let soldCount = 0
        const buy = Effect.fnUntraced(function* (buyer: number) {
          const ids: Array<string> = []
          while (true) {
            const bought = clients[buyer % clients.length]!.run(placeOrder, { productId: product.id, count: 1 })
            const order = yield* Effect.catchTag(bought, "SoldOut", () => Effect.undefined)
            if (order === undefined) return ids
            ids.push(order.id)
            soldCount += 1
          }
        })
        const harm = Effect.gen(function* () {
          for (const soldBefore of [60, 140]) {
            yield* eventually(
              `${soldBefore} are sold`,
              Effect.suspend(() => expectThat(soldCount >= soldBefore, "they are")),
              60_000
            )
            const leader = yield* leaderOf(nodes)
            if (soldBefore === 60) yield* leader.stop("SIGKILL")
            else yield* leader.signal("SIGSTOP")
            yield* leaderOf(nodes.filter((node) => node !== leader))
            if (soldBefore === 60) yield* leader.start
            else yield* leader.signal("SIGCONT")
            yield* allReady(nodes)
          }
        })
        const buying = Effect.forEach(
          Array.from({ length: 12 }, (_, at) => at),
          buy,
          { concurrency: "unbounded" }
        )
        const [bought] = yield* Effect.all([buying, harm], { concurrency: "unbounded" })
        const ids = bought.flat()
        assert.lengthOf(ids, 300)
        yield* equalHash(nodes)
        const orders = yield* listAll(nodes[1]!, "orders")
        assert.sameMembers(
          orders.map(({ id }) => id),
          ids,
          "there is an order for each answer, and no other"
        )
        const left = Option.getOrThrow(yield* clients[2]!.records(Product).get(product.id))
        assert.strictEqual(left.row.stock, 0)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "moves money by the script of the bank's README, with a node that is dead, and says what is refused",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startCluster(["node", "node", "node"], undefined, example("bank.ts"))
        const client = yield* clientOf(nodes)
        const rows = ["Ada", "Bob"].map((owner) => ({ owner, balance: "100.00" }))
        const [ada, bob] = (yield* client.records(Account).createAll(rows)).map(({ row }) => row)
        yield* nodes[0]!.stop("SIGKILL")
        const pay = (amount: string) => {
          const flags = ["--nodes", nodes.map(({ url }) => url).join(","), ada!.id, bob!.id, amount]
          return runToEnd(flags, example("bank/pay.ts"))
        }
        const paid = yield* pay("30")
        assert.strictEqual(paid.code, 0, paid.stderr)
        assert.match(paid.stdout, /^Transferred by \S+\n +100\.00 +100\.00\n +-30\.00 +70\.00\n$/)
        const refused = yield* pay("70.01")
        assert.deepStrictEqual([refused.code, refused.stderr], [1, "Not done: there is only 70.00\n"])
        assert.strictEqual((yield* pay("-1")).code, 1)
        assert.strictEqual(Option.getOrThrow(yield* client.records(Account).get(bob!.id)).row.balance, "130.00")
      }).pipe(Effect.scoped),
    90_000
  )
})
