/** One model's records from code: typed rows, versions, lists, keys, and what is refused. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import { layer } from "../../src/Client/near/layer.ts"
import * as Model from "../../src/Model.ts"
import { Records } from "../../src/Repository/Records.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"

class Product extends Model.Class<Product>("Product")(
  {
    id: Model.id(Schema.String.check(Schema.isUUID())),
    name: Schema.NonEmptyString.pipe(Model.replicate),
    price: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
    added: Schema.DateTimeUtcFromString,
    category: Schema.optionalKey(Schema.String)
  },
  { unique: ["name"] }
) {}

class User extends Model.Class<User>("User")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  email: Model.replicate(Schema.NonEmptyString),
  cacheData: Model.local(Schema.String)
}) {}

class Loose extends Model.Class<Loose>("Loose")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  extra: Schema.Any.pipe(Model.replicate)
}) {}

const provide = Effect.provide(TestCluster.layer({ models: [Product, User, Loose] }))

const added = Schema.decodeSync(Schema.DateTimeUtcFromString)("2026-05-01T10:00:00.000Z")

const onFirst = <A, E, R>(program: Effect.Effect<A, E, R>) => Effect.flatMap(TestCluster, ({ on }) => on("n1", program))

const kindOf = <A, E, R>(change: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(change), (error) => (error instanceof Repository.Problem ? error.kind : error))

describe("Repository", () => {
  it.effect("rows come back as the model's class, decoded, on whatever node they are read", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const { row } = yield* on(
        "n1",
        Effect.flatMap(Repository.make(Product), (products) => products.create({ name: "Anvil", price: 5, added }))
      )
      assert.instanceOf(row, Product)
      assert.deepStrictEqual(row.added, added)
      const read = yield* on(
        "n3",
        Effect.flatMap(Repository.make(Product), (products) => products.get(row.id))
      )
      assert.deepStrictEqual(read, Option.some({ row, version: 1 }))
    }).pipe(provide)
  )

  it.effect("a change says that this node could not keep its local fields (D4)", () =>
    Effect.gen(function* () {
      const records = yield* Records
      const losing = (isLocalPartLost: boolean): Records["Service"] => ({
        ...records,
        change: (...change) => Effect.map(records.change(...change), (changed) => ({ ...changed, isLocalPartLost }))
      })
      for (const isLost of [true, false]) {
        const repository = Layer.fresh(Layer.provide(layer, Layer.succeed(Records, losing(isLost))))
        const users = yield* Effect.provide(Repository.make(User), repository)
        const created = yield* users.create({ email: `${isLost}@b`, cacheData: "x" })
        assert.strictEqual(created.isLocalPartLost, isLost ? true : undefined)
      }
    }).pipe(onFirst, provide)
  )

  it.effect("what is no JSON is refused, though its schema lets it through: the log would hold another record", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      for (const node of ["n1", "n2", "n3"]) {
        for (const extra of [undefined, 1n, new Date(0), Number.NaN]) {
          const created = Effect.flatMap(Repository.make(Loose), (loose) => loose.create({ extra }))
          assert.strictEqual(yield* on(node, kindOf(created)), "invalid-request", `${String(extra)} on ${node}`)
        }
      }
    }).pipe(provide)
  )

  it.effect("a record is put, patched and deleted, under the version that is named and no other", () =>
    Effect.gen(function* () {
      const products = yield* Repository.make(Product)
      const { row } = yield* products.create({ name: "Anvil", price: 5, added, category: "tools" })
      const patched = yield* products.patch(row.id, { price: 6, category: null }, { ifVersion: 1 })
      assert.deepStrictEqual([patched.row.price, patched.row.category, patched.version], [6, undefined, 2])
      assert.strictEqual(yield* kindOf(products.patch(row.id, { price: 7 }, { ifVersion: 1 })), "version-conflict")
      const put = yield* products.put(row.id, { name: "Hammer", price: 1, added })
      assert.deepStrictEqual([put.row.name, put.version], ["Hammer", 3])
      yield* products.delete(row.id)
      assert.deepStrictEqual(yield* products.get(row.id), Option.none())
      assert.strictEqual(yield* kindOf(products.delete(row.id)), "not-found")
    }).pipe(onFirst, provide)
  )

  it.effect("what breaks the model's rules is refused, and changes nothing", () =>
    Effect.gen(function* () {
      const products = yield* Repository.make(Product)
      yield* products.create({ name: "Anvil", price: 5, added })
      assert.strictEqual(yield* kindOf(products.create({ name: "Nail", price: -1, added })), "invalid-request")
      assert.strictEqual(yield* kindOf(products.create({ name: "Anvil", price: 1, added })), "unique-violation")
      assert.lengthOf((yield* products.list()).items, 1)
    }).pipe(onFirst, provide)
  )

  it.effect("a change that is sent again with its key is done once (C17)", () =>
    Effect.gen(function* () {
      const products = yield* Repository.make(Product)
      const first = yield* products.create({ name: "Anvil", price: 5, added }, { key: "one" })
      const again = yield* products.create({ name: "Anvil", price: 5, added }, { key: "one" })
      assert.deepStrictEqual(again, first)
      assert.strictEqual(
        yield* kindOf(products.create({ name: "Nail", price: 5, added }, { key: "one" })),
        "key-reused"
      )
    }).pipe(onFirst, provide)
  )

  it.effect("a list is filtered by decoded values, ordered, and followed page by page", () =>
    Effect.gen(function* () {
      const products = yield* Repository.make(Product)
      for (const price of [3, 1, 2, 5, 4]) yield* products.create({ name: `of ${price}`, price, added })
      const options = { where: [["price", "gte", 2]], orderBy: [["price", "desc"]], limit: 3 } as const
      const page = yield* products.list(options)
      assert.deepStrictEqual(
        page.items.map(({ row }) => row.price),
        [5, 4, 3]
      )
      const last = yield* products.list({ ...options, ...(page.next === undefined ? {} : { cursor: page.next }) })
      assert.deepStrictEqual(
        last.items.map(({ row }) => row.price),
        [2]
      )
      assert.isUndefined(last.next)
      const on = yield* products.list({ where: [["added", "in", [added]]] })
      assert.lengthOf(on.items, 5)
      assert.lengthOf((yield* products.list({ where: [["category", "is", "notnull"]] })).items, 0)
    }).pipe(onFirst, provide)
  )

  it.effect("a list that cannot be is refused before anything is read", () =>
    Effect.gen(function* () {
      const products = yield* Repository.make(Product)
      for (const wrong of [{ limit: 0 }, { limit: 1_001 }, { cursor: "x" }, { where: [["price", "eq", 1.5]] }]) {
        const error = yield* Effect.flip(products.list(wrong as never))
        assert.isTrue(Repository.isProblem(error, "invalid-request"))
      }
    }).pipe(onFirst, provide)
  )

  it.effect("a local field is kept by the node that was asked, and by no other (promise 1)", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const users = Repository.make(User)
      const { row } = yield* on(
        "n1",
        Effect.flatMap(users, (it) => it.create({ email: "a@b.c", cacheData: "here" }))
      )
      assert.strictEqual(row.cacheData, "here")
      const elsewhere = yield* on(
        "n2",
        Effect.flatMap(users, (it) => it.get(row.id))
      )
      assert.isUndefined(Option.getOrThrow(elsewhere).row.cacheData)
    }).pipe(provide)
  )

  it("fields and values are checked by the compiler", () => {
    const program = Effect.gen(function* () {
      const products = yield* Repository.make(Product)
      // @ts-expect-error: there is no such field
      yield* products.create({ name: "Anvil", price: 5, added, weight: 1 })
      // @ts-expect-error: a price is a number
      yield* products.list({ where: [["price", "eq", "5"]] })
      // @ts-expect-error: there is no such field
      yield* products.list({ orderBy: [["weight", "asc"]] })
    })
    assert.isTrue(Effect.isEffect(program))
  })
})
