/** The kinds of changes of a model, with records of the former release, and a leader of the later one over its log. */
import { Effect, Result, Schema } from "effect"
import * as Machine from "../../src/Machine/Machine.ts"
import type { Procedure } from "../../src/Machine/Procedure.ts"
import * as Model from "../../src/Model.ts"
import { leader } from "./Store.ts"

const id = Model.id(Schema.String)
const references = { owner: { model: "Owner", onDelete: "restrict" } } as const

class Owner extends Model.Class<Owner>("Owner")({ id, name: Model.replicate(Schema.String) }) {}
const fields = { id, name: Model.replicate(Schema.String), price: Schema.String, owner: Schema.String }
export class Former extends Model.Class<Former>("Item")(
  { ...fields, sku: Schema.optionalKey(Schema.String) },
  { unique: ["name"], references }
) {}

/** A kind of change of a model, of which records are stored in the former form. */
export interface Kind {
  readonly model: Model.Described<"replicated" | "mixed"> & { readonly replicated: Schema.Top }
  /** The record `a` as it is shown. */
  readonly shown: Model.EncodedRecord
  /** A field with an index that both records are found by, in the order of the ids. */
  readonly indexed: readonly [field: string, value: Schema.Json]
  /** A field that is unique, and the value of `a`. */
  readonly unique: string
  readonly patch: Model.EncodedRecord
}

class WithOptional extends Model.Class<WithOptional>("Item")(
  { ...fields, sku: Schema.optionalKey(Schema.String), note: Schema.optionalKey(Schema.String) },
  { unique: ["name"], indexes: ["price", "note"], references }
) {}
class WithIndex extends Model.Class<WithIndex>("Item")(
  { ...fields, sku: Schema.optionalKey(Schema.String) },
  { unique: ["name"], indexes: ["sku"], references }
) {}
/** The records that are stored break the rule: it binds what is written from now on. */
class WithRule extends Model.Class<WithRule>("Item")(
  { ...fields, sku: Schema.optionalKey(Schema.String) },
  { unique: ["name"], indexes: ["price"], references, check: { dear: ({ price }) => Number(price) > 5 } }
) {}
/** A new version without steps, as for a rule that all must know. */
class Raised extends Model.Class<Raised>("Item")(
  { ...fields, sku: Schema.optionalKey(Schema.String) },
  { version: 2, unique: ["name"], indexes: ["price"], references }
) {}
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
/** The kinds of docs/evolution.md, by their names. */
export const kinds: Readonly<Record<string, Kind>> = {
  "an optional field": {
    model: WithOptional,
    shown: { ...a, sku: "s" },
    indexed: ["price", "5"],
    unique: "name",
    patch: { note: "new" }
  },
  "another index": {
    model: WithIndex,
    shown: { ...a, sku: "s" },
    indexed: ["sku", "s"],
    unique: "name",
    patch: { sku: "t" }
  },
  "a new rule": {
    model: WithRule,
    shown: { ...a, sku: "s" },
    indexed: ["price", "5"],
    unique: "name",
    patch: { price: "6" }
  },
  "a new version alone": {
    model: Raised,
    shown: { ...a, sku: "s" },
    indexed: ["price", "5"],
    unique: "name",
    patch: { price: "6" }
  },
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

/** A command that reads a record in both ways, and then patches it with the payload. */
const readAndPatch: Procedure = (access, payload) =>
  Result.gen(function* () {
    const got = yield* access.get("Item", "a")
    const listed = yield* access.list({ model: "Item", where: { owner: "o" }, limit: 9 })
    yield* access.apply({ _tag: "Patch", model: "Item", id: "a", data: payload })
    return { got: got ?? null, listed: listed.map(({ id }) => id ?? null) }
  })

/** A leader of the release with the change, over a log that the former release wrote. */
export const started = ({ model }: Kind) => {
  const former = leader(undefined, [Model.describe(Former), Model.describe(Owner)])
  former.submit({ _tag: "Create", model: "Owner", id: "o", data: { name: "owner" } })
  const data = { name: "anvil", price: "5", owner: "o", sku: "s" }
  former.submit({ _tag: "Create", model: "Item", id: "a", data })
  former.submit({ _tag: "Create", model: "Item", id: "b", data: { ...data, name: "bolt" } })
  const leading = leader(new Map([["readAndPatch", readAndPatch]]), [Model.describe(model), Model.describe(Owner)])
  for (const entry of former.entries) Machine.apply(leading.machine, entry)
  Machine.beginSpeculation(leading.machine)
  const { version } = Model.describe(model)
  const { index } = leading.machine.applied
  leading.submit({ _tag: "Activate", model: "Item", version, checkedIndex: index })
  const table = () => leading.machine.applied.byModel.get("Item")!
  const lift = () => leading.submit({ _tag: "Lift", model: "Item", ids: ["a", "b"] })
  const descriptors = [Model.describe(model), Model.describe(Owner)]
  return { ...leading, descriptors, former, lift, table, tables: leading.machine.applied }
}
