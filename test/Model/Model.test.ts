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
  assert.throws(() => Model.Class<object>("B")(fields, { unique: ["b"] }), /Model "B", field "b"/)
  // @ts-expect-error there is no such field
  assert.throws(() => Model.Class<object>("C")(fields, { unique: ["d"] }), /Model "C", field "d"/)
  // @ts-expect-error the id is unique already
  assert.throws(() => Model.Class<object>("D")(fields, { unique: ["id"] }), /Model "D", field "id"/)
})

it("the descriptor tells name, path, mode and fields", () => {
  const {
    brokenRule: _,
    codecs: __,
    fields,
    ids,
    fingerprint: _____,
    mergeShapes: ___,
    read: ____,
    ...user
  } = Model.describe(User)
  assert.deepStrictEqual(Object.keys(fields), ["id", "email", "cacheData"])
  assert.deepInclude(ids, { kind: "text", areMade: true })
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
    access: undefined,
    isServed: true,
    guarded: undefined,
    ruleNames: [],
    orders: new Map([
      ["id", "plain"],
      ["email", "plain"],
      ["cacheData", "plain"]
    ] as const)
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

it("rules, references and indexes name fields of the model, or it does not compile", () => {
  const fields = {
    id: Model.id(UserId),
    name: Model.replicate(Schema.NonEmptyString),
    age: Schema.Int,
    born: Schema.optionalKey(Schema.DateFromString),
    boss: Schema.optionalKey(Schema.NullOr(UserId)),
    note: Model.local(Schema.String)
  }
  type Row = {
    readonly id: typeof UserId.Type
    readonly name: string
    readonly age: number
    readonly born?: Date
    readonly boss?: typeof UserId.Type | null
  }
  const Person = Model.Class<object>("Person")(fields, {
    indexes: ["name", "age", "born"],
    references: { boss: { model: "Person", onDelete: "restrict" }, name: { model: Product, onDelete: "cascade" } },
    check: {
      // The record is decoded, and is what the cluster holds of it.
      "too-young": (person) => {
        typed<Equal<typeof person, Row>>(true)
        return person.age >= 18 || `${person.name} is ${person.age}`
      },
      "from-the-future": ({ born }) => born === undefined || born.getTime() < 0
    },
    writes: { change: "commands" }
  })
  const { brokenRule, indexedFields, references, ruleNames, writes } = Model.describe(Person)
  assert.deepStrictEqual(indexedFields, ["boss", "name", "age", "born"])
  assert.deepStrictEqual(references, [
    { field: "boss", model: "Person", onDelete: "restrict" },
    { field: "name", model: "Product", onDelete: "cascade" }
  ])
  assert.deepStrictEqual(writes, { create: "anyone", change: "commands" })
  assert.deepStrictEqual(ruleNames, ["too-young", "from-the-future"])
  assert.deepStrictEqual(brokenRule({ id: "1", name: "n", age: 3 }), { rule: "too-young", message: "n is 3" })
  assert.strictEqual(brokenRule({ id: "1", name: "n", age: 18, born: "1960-01-01T00:00:00.000Z" }), undefined)
  assert.strictEqual(brokenRule({ id: "1", name: "n", age: 18, born: "2960-01-01" })?.rule, "from-the-future")

  // @ts-expect-error there is no such field
  assert.throws(() => Model.Class<object>("A")(fields, { indexes: ["none"] }), /Model "A", field "none"/)
  // @ts-expect-error of a mixed model the local fields are in another log
  assert.throws(() => Model.Class<object>("B")(fields, { indexes: ["note"] }), /Model "B", field "note"/)
  // @ts-expect-error tables are ordered by the id already
  assert.throws(() => Model.Class<object>("C")(fields, { indexes: ["id"] }), /Model "C", field "id"/)
  // @ts-expect-error a number is no id of a record
  Model.Class<object>("D")(fields, { references: { age: { model: Product, onDelete: "restrict" } } })
  // @ts-expect-error only this node knows a local field
  Model.Class<object>("E")(fields, { references: { note: { model: Product, onDelete: "restrict" } } })
  // @ts-expect-error no other node has the records of a local model
  Model.Class<object>("F")(fields, { references: { name: { model: ProductView, onDelete: "restrict" } } })
  // @ts-expect-error a reference says what a deletion does
  Model.Class<object>("G")(fields, { references: { name: { model: Product } } })
  // @ts-expect-error a rule sees no local field
  Model.Class<object>("H")(fields, { check: ({ note }) => note !== "" })
  // @ts-expect-error a rule says whether it holds
  Model.Class<object>("I")(fields, { check: ({ age }) => age })
  // @ts-expect-error a rule waits for nothing
  Model.Class<object>("J")(fields, { check: ({ age }) => Promise.resolve(age > 1) })
  // @ts-expect-error there is no such writer
  Model.Class<object>("K")(fields, { writes: { create: "nobody" } })
  Model.Class<object>("L")({ id: Model.id(Schema.String), a: Schema.String }, { mode: "local", indexes: ["a"] })
  const local = { id: Model.id(Schema.String), a: Schema.String }
  // @ts-expect-error a record that stays on its node refers to none that all nodes hold
  Model.Class<object>("M")(local, { mode: "local", references: { a: { model: Product, onDelete: "restrict" } } })
  assert.throws(() => Model.Class<object>("N")(local, { mode: "local", writes: { change: "commands" } }), /no command/)
})
