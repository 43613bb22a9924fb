/** Each kind of change of a model, on each path that reads, before its records are stored anew and after. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import * as Machine from "../../src/Machine/Machine.ts"
import { showRow } from "../../src/Machine/ReadRow.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { decode } from "../../src/Machine/Transaction.ts"
import * as Model from "../../src/Model.ts"
import { eventsOf } from "../../src/Projection/Event.ts"
import { ask, byId, idsOf, list } from "./Listing.ts"
import { leader } from "./Store.ts"

const id = Model.id(Schema.String)
const references = { owner: { model: "Owner", onDelete: "restrict" } } as const

class Owner extends Model.Class<Owner>("Owner")({ id, name: Model.replicate(Schema.String) }) {}
const fields = { id, name: Model.replicate(Schema.String), price: Schema.String, owner: Schema.String }
class Former extends Model.Class<Former>("Item")(
  { ...fields, sku: Schema.optionalKey(Schema.String) },
  { unique: ["name"], references }
) {}

interface Kind {
  readonly model: Model.Described<"replicated" | "mixed">
  /** The record `a` as it is shown. */
  readonly shown: Model.EncodedRecord
  /** A field with an index that both records are found by, in the order of the ids. */
  readonly indexed: readonly [field: string, value: Schema.Json]
  /** A field that is unique, and the value of `a`. */
  readonly unique: string
  readonly patch: Model.EncodedRecord
}

class WithDefault extends Model.Class<WithDefault>("Item")(
  {
    ...fields,
    sku: Schema.optionalKey(Schema.String),
    rank: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(7)))
  },
  { unique: ["name"], indexes: ["rank"], references }
) {}
class Without extends Model.Class<Without>("Item")(fields, { unique: ["name"], indexes: ["price"], references }) {}
class Wider extends Model.Class<Wider>("Item")(
  { ...fields, sku: Schema.optionalKey(Schema.String), price: Schema.Union([Schema.String, Schema.Int]) },
  { unique: ["name"], indexes: ["price"], references }
) {}
class Renamed extends Model.Class<Renamed>("Article")(
  { ...fields, sku: Schema.optionalKey(Schema.String) },
  { storedAs: "Item", unique: ["name"], indexes: ["price"], references }
) {}
class Lifted extends Model.Class<Lifted>("Item")(
  { id, title: Model.replicate(Schema.String), cents: Schema.Int, owner: Schema.String, currency: Schema.String },
  {
    version: 2,
    unique: ["title"],
    indexes: ["cents"],
    references,
    lift: Model.from(1, {
      id: Schema.String,
      name: Schema.String,
      price: Schema.String,
      owner: Schema.String,
      sku: Schema.optionalKey(Schema.String)
    })
      .rename("name", "title")
      .drop("sku")
      .map(({ price, ...rest }) => ({ ...rest, cents: Number(price) * 100 }))
      .add("currency", "EUR")
      .to(2)
  }
) {}

const a = { id: "a", name: "anvil", price: "5", owner: "o" }
const kinds: Readonly<Record<string, Kind>> = {
  "a field with a default": {
    model: WithDefault,
    shown: { ...a, sku: "s", rank: 7 },
    indexed: ["rank", 7],
    unique: "name",
    patch: { rank: 8 }
  },
  "a field that is gone": { model: Without, shown: a, indexed: ["price", "5"], unique: "name", patch: { price: "6" } },
  "a wider type": {
    model: Wider,
    shown: { ...a, sku: "s" },
    indexed: ["price", "5"],
    unique: "name",
    patch: { price: 6 }
  },
  "a renamed class": {
    model: Renamed,
    shown: { ...a, sku: "s" },
    indexed: ["price", "5"],
    unique: "name",
    patch: { price: "6" }
  },
  "a new version with steps": {
    model: Lifted,
    shown: { id: "a", title: "anvil", cents: 500, owner: "o", currency: "EUR" },
    indexed: ["cents", 500],
    unique: "title",
    patch: { cents: 600 }
  }
}

/** A leader of the release with the change, over a log that the former release wrote. */
const started = ({ model }: Kind) => {
  const former = leader(undefined, [Model.describe(Former), Model.describe(Owner)])
  former.submit({ _tag: "Create", model: "Owner", id: "o", data: { name: "owner" } })
  const data = { name: "anvil", price: "5", owner: "o", sku: "s" }
  former.submit({ _tag: "Create", model: "Item", id: "a", data })
  former.submit({ _tag: "Create", model: "Item", id: "b", data: { ...data, name: "bolt" } })
  const leading = leader(undefined, [Model.describe(model), Model.describe(Owner)])
  for (const entry of former.entries) Machine.apply(leading.machine, entry)
  Machine.beginSpeculation(leading.machine)
  const { version } = Model.describe(model)
  const { index } = leading.machine.applied
  leading.submit({ _tag: "Activate", model: "Item", version, checkedIndex: index })
  const table = () => leading.machine.applied.byModel.get("Item")!
  const lift = () => leading.submit({ _tag: "Lift", model: "Item", ids: ["a", "b"] })
  return { ...leading, former, lift, table, tables: leading.machine.applied }
}

const paths: Readonly<Record<string, (kind: Kind, node: ReturnType<typeof started>) => void>> = {
  GET: ({ shown }, { table }) =>
    assert.deepStrictEqual(showRow(table(), table().rows.get("a")!), Result.succeed(shown)),
  list: ({ shown }, { table }) =>
    assert.deepStrictEqual(list({ table: table(), idField: "id" }, ask({ limit: 1 })).rows[0]?.record, shown),
  filter: ({ indexed: [field, operand] }, { table }) =>
    assert.deepStrictEqual(
      idsOf({ table: table(), idField: "id" }, { filters: [{ _tag: "Compare", field, op: "eq", operand }] }),
      ["a", "b"]
    ),
  order: ({ indexed: [field] }, { table }) =>
    assert.deepStrictEqual(
      idsOf({ table: table(), idField: "id" }, { orderBy: [{ field, direction: "desc" }, byId] }),
      ["a", "b"]
    ),
  unique: ({ shown, unique }, { submit }) => {
    const { id: _, ...rest } = shown
    assert.deepInclude(submit({ _tag: "Create", model: "Item", id: "c", data: rest }), {
      rejection: { _tag: "UniqueViolation", model: "Item", field: unique }
    })
  },
  references: (_, { submit }) =>
    assert.deepInclude(submit({ _tag: "Delete", model: "Owner", id: "o" }), { _tag: "Rejected" }),
  decide: ({ patch, shown }, { submit, table }) => {
    assert.strictEqual(submit({ _tag: "Patch", model: "Item", id: "a", data: patch, ifMatch: [1] })._tag, "Accepted")
    assert.deepStrictEqual(showRow(table(), table().rows.get("a")!), Result.succeed({ ...shown, ...patch }))
  },
  "several together": ({ patch, shown }, { submit, table }) => {
    const operation = { _tag: "Patch", model: "Item", id: "a" } as const
    const operations = [
      { ...operation, data: { owner: "o" } },
      { ...operation, data: patch }
    ]
    assert.strictEqual(submit({ _tag: "Transact", operations })._tag, "Accepted")
    assert.deepStrictEqual(showRow(table(), table().rows.get("a")!), Result.succeed({ ...shown, ...patch }))
  },
  "projections, reactions and changes": ({ model, shown }, { former }) => {
    const { index, payload } = former.entries[1]!
    const transaction = Result.getOrThrow(decode(payload))
    const [event] = Result.getOrThrow(eventsOf([model as never])({ index, transaction }))
    const encoded = Schema.encodeUnknownSync(Schema.toCodecJson((model as typeof Former).replicated))(event!.record)
    assert.deepStrictEqual(encoded as unknown, shown)
    assert.deepInclude(event, { version: 1, id: "a", type: "created" })
  },
  "a deletion": (_, { submit, tables }) => {
    assert.strictEqual(submit({ _tag: "Delete", model: "Item", id: "a" })._tag, "Accepted")
    assert.isUndefined(Tables.get(tables, "Item", "a"))
  }
}

describe.each(Object.entries(kinds))("%s", (_, kind) => {
  for (const [path, check] of Object.entries(paths)) {
    it(`is read alike by ${path}, also once it is stored anew`, () => {
      check(kind, started(kind))
      const node = started(kind)
      const isLifted = Model.describe(kind.model).version > 1
      assert.strictEqual(node.lift().entry !== undefined, isLifted)
      check(kind, node)
    })
  }
})
