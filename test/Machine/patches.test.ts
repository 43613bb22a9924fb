/** Two kinds of patches: what a client sends is merged (RFC 7396), what typed code gives takes the place of whole fields. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Patch } from "../../src/Machine/Command.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { leader } from "./Store.ts"

class Guest extends Model.Class<Guest>("Guest")(
  {
    id: Model.id(Schema.String),
    address: Schema.Struct({ street: Schema.String, zip: Schema.optionalKey(Schema.String) }),
    paid: Schema.Union([
      Schema.Struct({ _tag: Schema.Literal("Card"), number: Schema.String }),
      Schema.Struct({ _tag: Schema.Literal("Cash") })
    ]),
    seats: Schema.Record(Schema.String, Schema.Int),
    note: Schema.NullOr(Schema.String),
    nick: Schema.optionalKey(Schema.String)
  },
  { mode: "replicate" }
) {}

const guest = {
  id: "a",
  address: { street: "High", zip: "1" },
  paid: { _tag: "Card", number: "4711" },
  seats: { a: 1 },
  note: "early",
  nick: "Ann"
}

/** The record after a patch, or what is wrong with it. */
const patched = (data: unknown, how: Pick<Patch, "isByField"> = {}) => {
  const { machine, submit } = leader(undefined, [Model.describe(Guest)])
  submit({ _tag: "Create", model: "Guest", data: guest })
  const decision = submit({ _tag: "Patch", model: "Guest", id: "a", data, ...how })
  if (decision._tag === "Rejected") {
    return decision.rejection._tag === "InvalidRequest" ? decision.rejection.errors.map(({ path }) => path) : undefined
  }
  return Tables.get(machine.applied, "Guest", "a")?.data
}
const byField = { isByField: true } as const

describe("a patch", () => {
  it("of a client merges objects, and removes what is null (RFC 7396)", () => {
    const data = { address: { street: "Low" }, seats: { b: 2, a: null }, nick: null }
    const { nick: _, ...others } = guest
    assert.deepStrictEqual(patched(data), { ...others, address: { street: "Low", zip: "1" }, seats: { b: 2 } })
    assert.deepStrictEqual(patched({ paid: { _tag: "Cash" } }), ["paid.number"])
    assert.deepStrictEqual(patched({ note: null }), ["note"])
  })

  it("of typed code has whole values: a union changes its case, a null is one where the field must be there", () => {
    const data = { address: { street: "Low" }, paid: { _tag: "Cash" }, seats: { b: 2 }, note: null, nick: null }
    const { nick: _, ...others } = guest
    const { nick: __, ...given } = data
    assert.deepStrictEqual(patched(data, byField), { ...others, ...given })
  })

  it("with a field that the model does not know is refused, null or not (HTTP contract, Errors)", () => {
    for (const how of [{}, byField]) {
      assert.deepStrictEqual(patched({ nope: null, other: 1, nick: "Bo" }, how), ["nope", "other"])
      assert.deepStrictEqual(patched(JSON.parse('{"__proto__":null,"constructor":null}'), how), [
        "__proto__",
        "constructor"
      ])
    }
  })

  it("with a hundred thousand unknown fields is told a hundred of them, without looking at the rest", () => {
    const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`k${at}`, null]))
    assert.lengthOf(patched(many) as ReadonlyArray<string>, 100)
  })
})
