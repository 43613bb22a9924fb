/** Declarations that are refused: by the compiler where it can, else at once, with the names of model and field (issue 9). */
import { assert, describe, it } from "@effect/vitest"
import { Schema, SchemaTransformation } from "effect"
import * as Lithair from "../../src/Lithair.ts"
import { checkTogether } from "../../src/Model/Declaring.ts"
import * as Model from "../../src/Model.ts"
import * as Projection from "../../src/Projection.ts"

const Id = Schema.String.check(Schema.isUUID())
const fields = { id: Model.id(Id), name: Schema.String }
const declare = (name: string, path?: string) =>
  Model.Class<object>(name)(fields, { mode: "replicate", ...(path === undefined ? {} : { path }) })

class Ticket {
  readonly seat = 1
}

describe("a model is refused", () => {
  it("under a name, or at a path, that cannot stand in a path or a document", () => {
    for (const name of ["", " ", "1a", "a b", "a/b", "a.b", "_a", "ä", "a?", "__proto__", "a".repeat(65)]) {
      assert.throws(() => declare(name), /must have a name/, name)
    }
    for (const path of ["", "a/b", "a b", "a?d", "a/b c?d", "/a", "_bulk", "_tx", "..", ".a", "ä", "%61", "a#b"]) {
      assert.throws(() => declare("Ware", path), `Model "Ware" cannot be at the path "${path}"`)
    }
    for (const path of ["wares", "Wares2", "v1.wares", "a-b_c~d"])
      assert.strictEqual(Model.describe(declare("Ware", path) as never).path, path)
  })

  it("beside another of its name, or at its path, whatever the case of their letters", () => {
    const together = (...models: ReadonlyArray<readonly [string, string?]>) =>
      checkTogether(models.map(([name, path]) => Model.describe(declare(name, path) as never)))
    together(["Ware"], ["Order"])
    assert.throws(() => together(["Ware"], ["Order"], ["Ware", "others"]), /Two models have the name "Ware"/)
    assert.throws(() => together(["Ware"], ["WARE", "others"]), /Two models have the name "WARE"/)
    assert.throws(() => together(["Ware"], ["Good", "wares"]), /"Ware" and "Good" have the path "wares"/)
    assert.throws(() => together(["Ware", "Wares"], ["Good", "wares"]), /"Ware" and "Good" have the path "wares"/)
    class One extends Model.Class<One>("Same")(fields, { mode: "replicate" }) {}
    class Two extends Model.Class<Two>("Same")(fields, { mode: "local" }) {}
    assert.throws(() => Lithair.layer({ models: [One, Two] }), /Two models have the name "Same"/)
  })

  it("with an id that is no text as it is stored", () => {
    const trimmed = Schema.String.pipe(
      Schema.decodeTo(
        Schema.String,
        SchemaTransformation.transform({ decode: (text) => text.trim(), encode: (text) => text })
      )
    )
    const withId = (id: unknown) => () =>
      Model.Class<object>("Ware")({ key: id as (typeof fields)["id"], name: Schema.String }, { mode: "replicate" })
    const said = /Model "Ware", field "key": an id is a text without a transformation/
    assert.throws(withId(Model.id(trimmed)), said)
    // @ts-expect-error an id is a text
    assert.throws(withId(Model.id(Schema.NumberFromString)), said)
    // @ts-expect-error an id is a text
    assert.throws(withId(Model.id(Schema.Int)), said)
    // @ts-expect-error an id is a text
    assert.throws(withId(Model.id(Schema.Date)), said)
  })

  it("with a field that has no JSON, at any depth", () => {
    const withField = (what: Schema.Top) => () =>
      Model.Class<object>("Ware")({ id: Model.id(Id), what } as never, { mode: "replicate" })
    const said = /Model "Ware", field "what": its schema has values that are no JSON/
    const ticket = Schema.instanceOf(Ticket)
    for (const schema of [
      ticket,
      Schema.NullOr(ticket),
      Schema.Array(Schema.Struct({ a: ticket })),
      Schema.Option(ticket),
      Schema.optionalKey(ticket)
    ]) {
      assert.throws(withField(schema), said)
    }
    assert.throws(
      withField(Schema.Struct({ [Symbol("a")]: Schema.String })),
      /Model "Ware", field "what": its schema cannot be written as JSON/
    )
    const named = Schema.declare((u): u is Ticket => u instanceof Ticket, { toCodecJson: () => undefined })
    for (const schema of [
      named,
      Schema.Any,
      Schema.Unknown,
      Schema.Json,
      Schema.Date,
      Schema.ReadonlyMap(Schema.String, Schema.Date)
    ]) {
      withField(schema)()
    }
  })

  it("with an index of what has no order, or as unique what is no single value", () => {
    const with_ = (schema: Schema.Top, options: object) => () =>
      Model.Class<object>("Ware")(
        { id: Model.id(Id), what: schema } as never,
        { mode: "replicate", ...options } as never
      )
    const unordered = [
      Schema.Struct({ a: Schema.Int }),
      Schema.Array(Schema.String),
      Schema.Any,
      Schema.Json,
      Schema.Uint8Array,
      Schema.URL
    ]
    for (const schema of unordered) {
      assert.throws(
        with_(schema, { indexes: ["what"] }),
        /Model "Ware", field "what": no index, since its values have no order/
      )
    }
    for (const schema of [Schema.Struct({ a: Schema.Int }), Schema.Array(Schema.String), Schema.Any]) {
      assert.throws(with_(schema, { unique: ["what"] }), /Model "Ware", field "what": it cannot be unique/)
    }
    for (const schema of [Schema.BigInt, Schema.Date, Schema.Duration, Schema.NullOr(Schema.Number), Schema.Boolean]) {
      with_(schema, { indexes: ["what"], unique: ["what"] })()
    }
    with_(Schema.Uint8Array, { unique: ["what"] })()
  })

  it("as local where a projection would follow it", () => {
    class Draft extends Model.Class<Draft>("Draft")(fields, { mode: "local" }) {}
    const declared = () =>
      Projection.make("drafts", {
        // @ts-expect-error a local model is in no log that all nodes hold
        from: [Draft],
        version: 1,
        state: Schema.Int,
        initial: 0,
        evolve: (count: number) => count + 1
      })
    assert.throws(declared, /cannot follow Draft: a local model is not in the replicated log/)
  })
})
