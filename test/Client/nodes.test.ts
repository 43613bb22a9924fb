/** The repository of each node of a cluster: what one writes, all read, but for local fields. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import * as Model from "../../src/Model.ts"
import * as Projection from "../../src/Projection.ts"
import * as Reaction from "../../src/Reaction.ts"
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

const kindOf = <A, E, R>(change: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(change), (error) => (error instanceof Repository.Problem ? error.kind : error))

describe("the repository of a node", () => {
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

  it.effect("a reaction has the repository of its node, with projections", () => {
    const names = Projection.make("names", {
      from: [Product],
      version: 1,
      state: Schema.Int,
      initial: 0,
      evolve: (count) => count + 1
    })
    const seen: Array<unknown> = []
    const welcome = Reaction.make("welcome", {
      from: [User],
      run: ({ record }) =>
        Effect.gen(function* () {
          const { projections, records } = yield* Repository.Repository
          const { items } = yield* records(Product).list()
          seen.push([record.email, items.map(({ row }) => row.name), yield* projections.get(names)])
        })
    })
    return Effect.gen(function* () {
      const { advance, on } = yield* TestCluster
      const create = Effect.gen(function* () {
        const { records } = yield* Repository.Repository
        yield* records(Product).create({ name: "Anvil", price: 5, added })
        yield* records(User).create({ email: "a@b.c" })
      })
      yield* on("n1", create)
      yield* advance("1 second")
      assert.deepStrictEqual(seen, [["a@b.c", ["Anvil"], 1]])
    }).pipe(
      Effect.provide(
        TestCluster.layer({ models: [Product, User], projections: [names], reactions: [welcome], size: 1 })
      )
    )
  })
})
