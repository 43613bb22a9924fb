import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import * as Model from "../../src/Model.ts"

const Id = Schema.String.check(Schema.isUUID())
const id = "01930000-0000-7000-8000-000000000001"

const first = Model.from(1, { id: Schema.String, name: Schema.String, price: Schema.String, sku: Schema.String })

class Product extends Model.Class<Product>("Product")(
  {
    id: Model.id(Id),
    title: Model.replicate(Schema.NonEmptyString),
    cents: Model.replicate(Schema.Int),
    currency: Model.replicate(Schema.Literals(["EUR", "USD"]))
  },
  {
    version: 3,
    lift: first
      .rename("name", "title")
      .drop("sku")
      .to(2)
      .map(({ price, ...rest }) => ({ ...rest, cents: Math.round(Number(price) * 100) }))
      .add("currency", "EUR")
      .to(3)
  }
) {}

const { read } = Model.describe(Product)
const shownOf = (modelVersion: number, data: Model.EncodedRecord) =>
  Result.map(read.record({ modelVersion, data }), ({ shown }) => shown)
const messagesOf = (modelVersion: number, data: Model.EncodedRecord) =>
  Result.match(read.record({ modelVersion, data }), {
    onSuccess: () => [],
    onFailure: (errors) => errors.map(({ message, path }) => `${path}: ${message}`)
  })

describe("a model's lift", () => {
  it("brings a record of every earlier version into the present one", () => {
    const present = { id, title: "Anvil", cents: 1990, currency: "EUR" }
    assert.deepStrictEqual(shownOf(1, { id, name: "Anvil", price: "19.90", sku: "a" }), Result.succeed(present))
    assert.deepStrictEqual(shownOf(2, { id, title: "Anvil", price: "19.90" }), Result.succeed(present))
    assert.deepStrictEqual(shownOf(3, present), Result.succeed(present))
  })

  it("reads the same record alike each time, also where a step is not a function", () => {
    let count = 0
    class Counted extends Model.Class<Counted>("Counted")(
      { id: Model.id(Id), count: Model.replicate(Schema.Int) },
      {
        version: 2,
        lift: Model.from(1, { id: Schema.String })
          .map((record) => ({ ...record, count: ++count }))
          .to(2)
      }
    ) {}
    const stored = { modelVersion: 1, data: { id } }
    const { record } = Model.describe(Counted).read
    assert.deepStrictEqual(record(stored), record(stored))
  })

  it("refuses a record that no step leads from, a newer one of another shape, and one that the steps do not make valid", () => {
    assert.deepStrictEqual(messagesOf(4, { id }), [
      ": Stored in version 4 of the model, and this release knows version 3"
    ])
    assert.match(messagesOf(2, { id, title: "", price: "1" }).join(), /^title: /)
    assert.match(messagesOf(2, { id, title: "Anvil" }).join(), /^cents: /)
    const failing = Model.from(2, { id: Schema.String }).map((_): { readonly id: string } => {
      throw new Error("secret")
    })
    class Failing extends Model.Class<Failing>("Failing")(
      { id: Model.id(Id) },
      { mode: "replicate", version: 3, lift: failing.to(3) }
    ) {}
    const failed = (modelVersion: number) => Model.describe(Failing).read.record({ modelVersion, data: { id } })
    assert.deepStrictEqual(failed(2), Result.fail([{ path: "", message: "The step map to version 3 failed" }]))
    assert.deepStrictEqual(
      failed(1),
      Result.fail([{ path: "", message: "Stored in version 1 of the model, and its lift begins at version 2" }])
    )
  })

  it("must end with the model's version", () => {
    const fields = { id: Model.id(Id), title: Model.replicate(Schema.String) }
    const lift = Model.from(1, { id: Schema.String, name: Schema.String }).rename("name", "title").to(2)
    assert.throws(
      () => Model.Class<object>("A")(fields, { version: 3, lift }),
      /version 3, and its lift leads to version 2/
    )
    assert.throws(() => Model.from(2, { id: Schema.String }).to(2), /must lead to a later one/)
    assert.throws(() => Model.from(0, { id: Schema.String }), /from 1 on/)
  })

  it("does not compile if it ends with other fields than the model has", () => {
    const fields = {
      id: Model.id(Id),
      title: Model.replicate(Schema.String),
      on: Schema.optionalKey(Schema.Date).pipe(Model.replicate)
    }
    Model.Class<object>("A")(fields, {
      version: 2,
      lift: Model.from(1, { id: Schema.String, title: Schema.String }).to(2)
    })
    // @ts-expect-error the title is missing
    Model.Class<object>("B")(fields, { version: 2, lift: Model.from(1, { id: Schema.String }).to(2) })
    // @ts-expect-error a title is a text
    Model.Class<object>("C")(fields, { version: 2, lift: Model.from(1, { id: Schema.String }).add("title", 1).to(2) })
    const more = Model.from(1, { id: Schema.String, title: Schema.String, sku: Schema.String })
    // @ts-expect-error the model has no sku: it must be dropped
    Model.Class<object>("D")(fields, { version: 2, lift: more.to(2) })
    // @ts-expect-error there is no such field
    more.drop("nothing")
  })
})

class Note extends Model.Class<Note>("Note")({
  id: Model.id(Id),
  text: Model.replicate(Schema.String),
  size: Schema.Struct({
    wide: Schema.Int,
    unit: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("mm")))
  }).pipe(Model.replicate),
  tags: Schema.Array(Schema.Struct({ name: Schema.String })).pipe(Schema.optionalKey, Model.replicate)
}) {}

describe("a stored record of the same version", () => {
  const { record } = Model.describe(Note).read
  const readOf = (data: Model.EncodedRecord) => record({ modelVersion: 1, data })

  it("is not copied if it has all fields that the model knows, and no others", () => {
    const data = { id, text: "t", size: { wide: 1, unit: "cm" }, tags: [{ name: "a" }] }
    const read = Result.getOrThrow(readOf(data))
    assert.strictEqual(read.shown, data)
    assert.strictEqual(read.kept, data)
  })

  it("shows defaults and hides unknown fields, at every depth", () => {
    const data = { id, text: "t", size: { wide: 1, high: 2 }, tags: [{ name: "a", color: "red" }], sku: 1 }
    const shown = { id, text: "t", size: { wide: 1, unit: "mm" }, tags: [{ name: "a" }] }
    assert.deepStrictEqual(readOf(data), Result.succeed({ kept: data, shown }))
  })

  it("is unreadable if a field is missing, or has another type", () => {
    assert.deepStrictEqual(
      Result.getFailure(readOf({ id, size: { wide: 1 } })).pipe((failed) => failed._tag),
      "Some"
    )
    assert.strictEqual(Result.isFailure(readOf({ id, text: 1, size: {} })), true)
  })
})
