import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { derivedInMemory } from "../../src/EventStore/DerivedFiles.ts"
import { checkModels, type ModelMismatch, reportsOf } from "../../src/Local/checkModels.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import { describeReport, isFit } from "../../src/Machine/ModelCheck.ts"
import * as Model from "../../src/Model.ts"
import { leader } from "../Machine/Store.ts"

const id = Model.id(Schema.String)

class First extends Model.Class<First>("Product")({
  id,
  name: Model.replicate(Schema.String),
  price: Schema.String,
  sku: Schema.optionalKey(Schema.String)
}) {}

/** Tables of a node with another release, which has applied what the first one wrote. */
const tablesOf = (model: Model.Described, records: ReadonlyArray<Model.EncodedRecord>) => {
  const former = leader(undefined, [Model.describe(First)])
  for (const data of records) former.submit({ _tag: "Create", model: "Product", data })
  const machine = Machine.make([Model.describe(model)])
  for (const entry of former.entries) Machine.apply(machine, entry)
  return machine.applied
}
const three = [
  { name: "a", price: "1", sku: "s" },
  { name: "b", price: "x", sku: "t" },
  { name: "b", price: "3" }
]
const reportOf = (model: Model.Described, records: ReadonlyArray<Model.EncodedRecord> = three) =>
  Effect.map(reportsOf(tablesOf(model, records), [Model.describe(model)]), ([report]) => report!)

describe("a check of stored records", () => {
  it.effect("passes where nothing has changed", () =>
    Effect.gen(function* () {
      const report = yield* reportOf(First)
      assert.isTrue(isFit(report))
      assert.strictEqual(describeReport(report), "Product: stored v1 (3 records), code v1")
    })
  )

  it.effect("says what to write for fields that are new, gone, or of another type", () =>
    Effect.gen(function* () {
      class Second extends Model.Class<Second>("Product")(
        { id, title: Model.replicate(Schema.String), currency: Schema.String, price: Schema.NumberFromString },
        { version: 2 }
      ) {}
      const report = yield* reportOf(Second)
      assert.isFalse(isFit(report))
      assert.strictEqual(
        describeReport(report),
        [
          "Product: stored v1 (3 records), code v2",
          '  + title     required, absent in 3  → .add("title", …) or a default in the schema',
          '  + currency  required, absent in 3  → .add("currency", …) or a default in the schema',
          '  - name      stored in 3  → .drop("name") or .rename("name", …)',
          '  - sku       stored in 2  → .drop("sku") or .rename("sku", …)'
        ].join("\n")
      )
    })
  )

  it.effect("checks every value, also of records that have the right fields", () =>
    Effect.gen(function* () {
      class Stricter extends Model.Class<Stricter>("Product")({
        id,
        name: Model.replicate(Schema.String),
        price: Schema.String.check(Schema.isPattern(/^\d+$/)),
        sku: Schema.optionalKey(Schema.String)
      }) {}
      const report = yield* reportOf(Stricter)
      assert.isFalse(isFit(report))
      assert.deepStrictEqual(
        report.findings.map(({ count, firstId, path }) => ({ count, firstId, path })),
        [{ count: 1, firstId: "id2", path: "price" }]
      )
    })
  )

  it.effect("forbids a new version whose records share a unique value, and counts them for the same version", () =>
    Effect.gen(function* () {
      const fields = {
        id,
        name: Model.replicate(Schema.String),
        price: Schema.String,
        sku: Schema.optionalKey(Schema.String)
      }
      const Same = Model.Class<object>("Product")(fields, { unique: ["name"] })
      const Newer = Model.Class<object>("Product")(fields, { unique: ["name"], version: 2 })
      const same = yield* reportOf(Same)
      assert.isTrue(isFit(same))
      assert.deepStrictEqual(
        same.findings.map(({ count, kind }) => ({ count, kind })),
        [{ count: 1, kind: "duplicate" }]
      )
      assert.isFalse(isFit(yield* reportOf(Newer)))
    })
  )

  it.effect("counts records that break a rule, and forbids nothing", () =>
    Effect.gen(function* () {
      class Ruled extends Model.Class<Ruled>("Product")(
        { id, name: Model.replicate(Schema.String), price: Schema.String, sku: Schema.optionalKey(Schema.String) },
        { version: 2, check: { "never-x": ({ price }) => price !== "x" } }
      ) {}
      const report = yield* reportOf(Ruled)
      assert.isTrue(isFit(report))
      assert.include(describeReport(report), "breaks the rule never-x: 1, first id2")
    })
  )
})

describe("the check of a start", () => {
  it.effect("fails with the report, and again at each start", () =>
    Effect.gen(function* () {
      class Second extends Model.Class<Second>("Product")(
        { id, name: Model.replicate(Schema.String), currency: Schema.String },
        { version: 2 }
      ) {}
      const tables = tablesOf(Second, three)
      const derived = derivedInMemory()
      const options = { tables, descriptors: [Model.describe(Second)], derived, name: "models" }
      for (let start = 0; start < 2; start++) {
        const failure: ModelMismatch | unknown = yield* Effect.flip(checkModels(options))
        assert.include(String((failure as ModelMismatch).message), '→ .add("currency", …)')
      }
    })
  )

  it.effect("is not made again while the models stay as they are, and is made for one that changes", () =>
    Effect.gen(function* () {
      const files = new Map<string, Uint8Array>()
      const derived = derivedInMemory(files)
      let checkedCount = 0
      const counting = (model: Model.Described): Model.Descriptor => {
        const descriptor = Model.describe(model)
        const recordWhole: typeof descriptor.read.recordWhole = (stored) => {
          checkedCount += 1
          return descriptor.read.recordWhole(stored)
        }
        return { ...descriptor, read: { ...descriptor.read, recordWhole } }
      }
      const check = (model: Model.Described) =>
        checkModels({ tables: tablesOf(model, three), descriptors: [counting(model)], derived, name: "models" })
      yield* check(First)
      assert.strictEqual(checkedCount, 3)
      yield* check(First)
      assert.strictEqual(checkedCount, 3)
      class Wider extends Model.Class<Wider>("Product")({
        id,
        name: Model.replicate(Schema.String),
        price: Schema.Union([Schema.String, Schema.Int]),
        sku: Schema.optionalKey(Schema.String)
      }) {}
      yield* check(Wider)
      assert.strictEqual(checkedCount, 6)
      class Unique extends Model.Class<Unique>("Product")(
        {
          id,
          name: Model.replicate(Schema.String),
          price: Schema.Union([Schema.String, Schema.Int]),
          sku: Schema.optionalKey(Schema.String)
        },
        { unique: ["name"], check: ({ price }) => price !== "never" }
      ) {}
      yield* check(Unique)
      assert.strictEqual(checkedCount, 9, "with a unique field and a rule that are new")
      yield* check(Wider)
      assert.strictEqual(checkedCount, 12)
      files.set("models", new TextEncoder().encode("no JSON"))
      yield* check(Wider)
      assert.strictEqual(checkedCount, 15)
      const exit = yield* Effect.exit(check(Wider))
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(checkedCount, 15)
    })
  )
})
