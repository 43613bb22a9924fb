import { assert, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Model from "../../src/Model.ts"

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const typed = <T extends true>(..._facts: ReadonlyArray<T>): void => {}

const UserId = Schema.String.pipe(Schema.brand("UserId"))
const Email = Schema.String.check(Schema.isPattern(/^[^@\s]+@[^@\s]+$/))

class User extends Model.Class<User>("User")(
  { id: Model.id(UserId), email: Model.replicate(Email), cacheData: Model.local(Schema.String) },
  { unique: ["email"] }
) {}

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String),
  name: Schema.NonEmptyString.pipe(Model.replicate),
  price: Schema.Finite,
  category: Schema.optionalKey(Schema.String)
}) {}

class ProductView extends Model.Class<ProductView>("ProductView")(
  { id: Model.id(Schema.String), renderedHtml: Schema.String },
  { mode: "local" }
) {}

class Category extends Model.Class<Category>("Category")(
  { id: Model.id(Schema.String), title: Schema.String },
  { mode: "replicate", unique: ["title"], version: 3 }
) {}

it("each variant has the type of its fields: local ones are optional to read, a patch may omit all", () => {
  typed<Equal<typeof User.replicated.Type, { readonly id: typeof UserId.Type; readonly email: string }>>(true)
  typed<Equal<typeof User.local.Type, { readonly id: typeof UserId.Type; readonly cacheData?: string }>>(true)
  typed<Equal<typeof User.patch.Type, { readonly email?: string; readonly cacheData?: string | null }>>(true)
  typed<
    Equal<
      typeof Product.patch.Type,
      { readonly name?: string; readonly price?: number; readonly category?: string | null }
    >
  >(true)
  typed<
    Equal<
      typeof Product.replicated.Type,
      { readonly id: string; readonly name: string; readonly price: number; readonly category?: string }
    >
  >(true)
  typed<Equal<typeof ProductView.local.Type, { readonly id: string; readonly renderedHtml: string }>>(true)
  typed<Equal<typeof Category.create.Type, { readonly id?: string; readonly title: string }>>(true)
  const user = new User({ id: UserId.make("u1"), email: "a@b" })
  const cached: string | undefined = user.cacheData
  assert.strictEqual(cached, undefined)
  assert.instanceOf(user, User)
  assert.deepStrictEqual(Schema.encodeUnknownSync(User.replicated)(new User({ ...user, cacheData: "x" })), {
    id: "u1",
    email: "a@b"
  })
})

it("a model with no mode at all, or a bare field that no mode covers, does not compile", () => {
  // @ts-expect-error no field and no option says a mode
  Model.Class<object>("A")({ id: Model.id(Schema.String), name: Schema.String })
  // @ts-expect-error an id alone has no mode either
  Model.Class<object>("B")({ id: Model.id(Schema.String) })
  // @ts-expect-error a local field says nothing of the bare one beside it
  Model.Class<object>("C")({ id: Model.id(Schema.String), name: Schema.String, note: Model.local(Schema.String) })
  // @ts-expect-error a local model has no replicated field
  Model.Class<object>("D")({ id: Model.id(Schema.String), name: Model.replicate(Schema.String) }, { mode: "local" })
})

it("a unique field is a replicated one, or the model does not compile", () => {
  const fields = {
    id: Model.id(Schema.String),
    a: Model.replicate(Schema.String),
    b: Model.local(Schema.String),
    c: Schema.String
  }
  Model.Class<object>("A")(fields, { unique: ["a", "c"] })
  // @ts-expect-error only this node knows a local field
  Model.Class<object>("B")(fields, { unique: ["b"] })
  // @ts-expect-error there is no such field
  Model.Class<object>("C")(fields, { unique: ["d"] })
  // @ts-expect-error the id is unique already
  Model.Class<object>("D")(fields, { unique: ["id"] })
})

it("the descriptor tells name, path, mode and fields", () => {
  const { brokenRule: _, codecs: __, fields, ...user } = Model.describe(User)
  assert.deepStrictEqual(Object.keys(fields), ["id", "email", "cacheData"])
  assert.deepStrictEqual(user, {
    name: "User",
    path: "users",
    version: 1,
    mode: "mixed",
    idField: "id",
    replicatedFields: ["email"],
    localFields: ["cacheData"],
    uniqueFields: ["email"],
    indexedFields: ["email"],
    references: [],
    writes: { create: "anyone", change: "anyone" },
    ruleNames: [],
    decimalFields: []
  })
  assert.deepStrictEqual(Model.describe(Product).replicatedFields, ["name", "price", "category"])
  assert.strictEqual(Model.describe(Product).mode, "replicated")
  assert.strictEqual(Model.describe(ProductView).mode, "local")
  assert.strictEqual(Model.describe(ProductView).path, "product-views")
  assert.strictEqual(Model.describe(Category).path, "categories")
  assert.strictEqual(Model.describe(Category).version, 3)
})

it("a check names every wrong field, unknown and dangerous names included", () => {
  const { record } = Model.describe(Product).codecs
  assert.deepStrictEqual(Result.getOrUndefined(record({ price: 1, name: "n", id: "1" })), {
    id: "1",
    name: "n",
    price: 1
  })
  const wrong = record(JSON.parse('{"id":"1","name":"","extra":1,"__proto__":{"a":1},"constructor":2}'))
  assert.isTrue(Result.isFailure(wrong))
  const paths = Result.isFailure(wrong) ? wrong.failure.map((error) => error.path) : []
  assert.sameMembers([...paths], ["name", "price", "extra", "__proto__", "constructor"])
})

it("a patch may say null of a field that may be absent, and of no other (RFC 7396)", () => {
  const decode = Schema.decodeUnknownSync(Product.patch)
  assert.deepStrictEqual(decode({ category: null }), { category: null })
  assert.throws(() => decode({ price: null }))
})
