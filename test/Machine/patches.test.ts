/** A patch is merged (RFC 7396), whoever sends it; what must be there and admits null is null where the patch says so. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Tables from "../../src/Machine/Tables.ts"
import { codecsOf } from "../../src/Model/RowCodecs.ts"
import * as Model from "../../src/Model.ts"
import { leader } from "./Store.ts"

class Contact extends Schema.Class<Contact>("Contact")({
  name: Schema.String,
  phone: Schema.optionalKey(Schema.String),
  address: Schema.optionalKey(Schema.Struct({ street: Schema.String, zip: Schema.optionalKey(Schema.String) }))
}) {}

interface Tree {
  readonly label: Schema.NullOr<Schema.String>["Type"]
  readonly next: Tree | null
}
const Tree = Schema.Struct({
  label: Schema.NullOr(Schema.String),
  next: Schema.NullOr(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

class Guest extends Model.Class<Guest>("Guest")(
  {
    id: Model.id(Schema.String),
    address: Schema.Struct({
      street: Schema.String,
      zip: Schema.optionalKey(Schema.String),
      floor: Schema.NullOr(Schema.Int),
      lift: Schema.optionalKey(Schema.NullOr(Schema.Boolean))
    }),
    paid: Schema.Union([
      Schema.Struct({ _tag: Schema.Literal("Card"), number: Schema.String, until: Schema.NullOr(Schema.Date) }),
      Schema.Struct({ _tag: Schema.Literal("Cash"), note: Schema.NullOr(Schema.String) })
    ]),
    seats: Schema.Record(Schema.String, Schema.NullOr(Schema.Int)),
    note: Schema.NullOr(Schema.String),
    nick: Schema.optionalKey(Schema.String),
    alias: Schema.optionalKey(Schema.NullOr(Schema.String)),
    extra: Schema.Any,
    contact: Contact,
    host: Schema.NullOr(Contact),
    since: Schema.OptionFromNullOr(Schema.Date),
    tree: Tree
  },
  { mode: "replicate" }
) {}

const guest = {
  id: "a",
  address: { street: "High", zip: "1", floor: 2, lift: true },
  paid: { _tag: "Card", number: "4711", until: "2030-01-01T00:00:00.000Z" },
  seats: { a: 1, c: null },
  note: "early",
  nick: "Ann",
  alias: "A",
  extra: { deep: { a: 1 } },
  contact: { name: "Bo", phone: "1", address: { street: "Low", zip: "2" } },
  host: { name: "Cy", phone: "2" },
  since: "2020-01-01T00:00:00.000Z",
  tree: { label: "root", next: { label: "leaf", next: null } }
}

const submitPatch = (data: unknown) => {
  const { machine, submit } = leader(undefined, [Model.describe(Guest)])
  const created = submit({ _tag: "Create", model: "Guest", data: guest })
  assert.strictEqual(created._tag, "Accepted", JSON.stringify(created))
  const decision = submit({ _tag: "Patch", model: "Guest", id: "a", data })
  const isInvalid = decision._tag === "Rejected" && decision.rejection._tag === "InvalidRequest"
  return { machine, decision, errors: isInvalid ? decision.rejection.errors : undefined }
}

/** The record after a patch, or what is wrong with it. */
const patched = (data: unknown) => {
  const { decision, errors, machine } = submitPatch(data)
  if (decision._tag === "Rejected") return errors?.map(({ path }) => path)
  return Tables.get(machine.applied, "Guest", "a")?.data
}

/** The same of a patch that a program writes, with values of the model's own types. */
const typed = (patch: (typeof Guest)["patch"]["Type"]) => patched(Result.getOrThrow(codecsOf(Guest).encodePatch(patch)))

describe("a patch", () => {
  it("merges objects, and removes what is null and may be absent (RFC 7396)", () => {
    const data = {
      address: { street: "Low", zip: null, lift: null },
      seats: { b: 2, a: null },
      nick: null,
      alias: null
    }
    const { alias: _, nick: __, ...others } = guest
    const after = { ...others, address: { street: "Low", floor: 2 }, seats: { b: 2, c: null } }
    assert.deepStrictEqual(patched(data), after)
    assert.deepStrictEqual(typed(data), after)
    assert.deepStrictEqual(patched({ extra: { deep: { a: null, b: 2 } } }), { ...guest, extra: { deep: { b: 2 } } })
    assert.deepStrictEqual(patched({ paid: { _tag: "Cash" } }), ["paid.number", "paid.until", "paid.note"])
    assert.deepStrictEqual(patched({ address: { street: null } }), ["address.street"])
  })

  it("makes null what must be there and admits null, at every depth", () => {
    assert.deepStrictEqual(patched({ note: null }), { ...guest, note: null })
    assert.deepStrictEqual(patched({ extra: null }), { ...guest, extra: null })
    assert.deepStrictEqual(patched({ since: null, host: null }), { ...guest, since: null, host: null })
    assert.deepStrictEqual(patched({ address: { floor: null } }), {
      ...guest,
      address: { ...guest.address, floor: null }
    })
    assert.deepStrictEqual(patched({ paid: { until: null } }), { ...guest, paid: { ...guest.paid, until: null } })
    assert.deepStrictEqual(patched({ tree: { next: { label: null } } }), {
      ...guest,
      tree: { label: "root", next: { label: null, next: null } }
    })
    assert.deepStrictEqual(patched({ tree: { next: { next: { label: null, next: null } } } }), {
      ...guest,
      tree: { label: "root", next: { label: "leaf", next: { label: null, next: null } } }
    })
    assert.deepStrictEqual(typed({ note: null, address: { floor: null } }), {
      ...guest,
      note: null,
      address: { ...guest.address, floor: null }
    })
  })

  it("changes the kind of a union, where it takes away what the other kind has", () => {
    const cash = { _tag: "Cash", note: null } as const
    assert.deepStrictEqual(patched({ paid: { ...cash, number: null, until: null } }), { ...guest, paid: cash })
    assert.deepStrictEqual(patched({ paid: cash }), ["paid.number", "paid.until"])
  })

  it("that a program writes has unions and classes as a whole, in place of what was there", () => {
    assert.deepStrictEqual(typed({ paid: { _tag: "Cash", note: "x" } }), {
      ...guest,
      paid: { _tag: "Cash", note: "x" }
    })
    const contact = new Contact({ name: "Di", address: { street: "Mid" } })
    assert.deepStrictEqual(typed({ contact, host: contact }), {
      ...guest,
      contact: { name: "Di", address: { street: "Mid" } },
      host: { name: "Di", address: { street: "Mid" } }
    })
    // @ts-expect-error a class is no patch of itself
    assert.isDefined((): unknown => typed({ contact: { phone: "3" } }))
    // @ts-expect-error null is for what may be absent or null
    assert.isDefined((): unknown => typed({ address: { street: null } }))
  })

  it("with a field that the model does not know is refused, null or not (docs/http.md, Problems)", () => {
    assert.deepStrictEqual(patched({ nope: null, other: 1, nick: "Bo" }), ["nope", "other"])
    assert.deepStrictEqual(patched(JSON.parse('{"__proto__":null,"constructor":null}')), ["__proto__", "constructor"])
  })

  it("that removes a required field gets an error that says so, at every depth", () => {
    const { errors = [] } = submitPatch({ tree: null, address: { street: null }, paid: { _tag: "Cash" } })
    const said = Object.fromEntries(errors.map(({ message, path }) => [path, message]))
    const required = "This field is required: null cannot remove it"
    assert.deepInclude(said, { tree: required, "address.street": required })
    assert.notStrictEqual(said["paid.note"] ?? required, required, "the patch does not name it")
  })

  it("with a hundred thousand unknown fields is told a hundred of them, without looking at the rest", () => {
    const many = Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`k${at}`, null]))
    assert.lengthOf(patched(many) as ReadonlyArray<string>, 100)
  })
})
