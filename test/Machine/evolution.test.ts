import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import type { Command } from "../../src/Machine/Command.ts"
import * as List from "../../src/Machine/List.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import type { Access, Procedures } from "../../src/Machine/Procedure.ts"
import { showRow } from "../../src/Machine/ReadRow.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { ask, byId, idsOf } from "./Listing.ts"
import { isUnchanged, leader, type Played } from "./Store.ts"

const id = Model.id(Schema.String)

class Former extends Model.Class<Former>("Item")(
  {
    id,
    name: Model.replicate(Schema.String),
    price: Schema.String,
    sku: Schema.optionalKey(Schema.String),
    size: Schema.optionalKey(Schema.Struct({ wide: Schema.Int, high: Schema.optionalKey(Schema.Int) }))
  },
  { unique: ["name"] }
) {}

/** One release later, compatibly: `sku` and `high` are gone, `rank` has a default, `note` is optional. */
class Compatible extends Model.Class<Compatible>("Item")(
  {
    id,
    name: Model.replicate(Schema.String),
    price: Schema.Union([Schema.String, Schema.Int]),
    size: Schema.optionalKey(Schema.Struct({ wide: Schema.Int })),
    rank: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(7))),
    note: Schema.optionalKey(Schema.String)
  },
  { unique: ["name"], indexes: ["rank"] }
) {}

/** One version later: `name` is `title`, `price` is a number, `currency` is required. */
class Lifted extends Model.Class<Lifted>("Item")(
  {
    id,
    title: Model.replicate(Schema.String),
    cents: Schema.Int,
    currency: Schema.String,
    size: Schema.optionalKey(Schema.Struct({ wide: Schema.Int, high: Schema.optionalKey(Schema.Int) }))
  },
  {
    version: 2,
    unique: ["title"],
    indexes: ["cents", "currency"],
    lift: Model.from(1, {
      id: Schema.String,
      name: Schema.String,
      price: Schema.String,
      sku: Schema.optionalKey(Schema.String),
      size: Schema.optionalKey(Schema.Struct({ wide: Schema.Int, high: Schema.optionalKey(Schema.Int) }))
    })
      .rename("name", "title")
      .drop("sku")
      .map(({ price, ...rest }) => ({ ...rest, cents: Math.round(Number(price) * 100) }))
      .add("currency", "EUR")
      .to(2)
  }
) {}

const written: ReadonlyArray<Command> = [
  {
    _tag: "Create",
    model: "Item",
    id: "a",
    data: { name: "anvil", price: "19.90", sku: "s", size: { wide: 1, high: 2 } }
  },
  { _tag: "Create", model: "Item", id: "b", data: { name: "bolt", price: "0.10" } }
]

/** A log that the former release wrote, and a node of another release that has applied it, or restored its snapshot. */
const releases = (model: Model.Described, procedures?: Procedures) => {
  const former = leader(undefined, [Model.describe(Former)])
  for (const command of written) former.submit(command)
  const fromLog = leader(procedures, [Model.describe(model)])
  for (const entry of former.entries) Machine.apply(fromLog.machine, entry)
  Machine.beginSpeculation(fromLog.machine)
  const restoring = Snapshot.restoring([Model.describe(model)])
  for (const bytes of Snapshot.encode(Snapshot.take(former.machine.applied))) restoring.take(bytes)
  const fromSnapshot = Result.getOrThrow(restoring.end())
  const { version } = Model.describe(model)
  const checkedIndex = fromLog.machine.applied.index
  const activate = () => fromLog.submit({ _tag: "Activate", model: "Item", version, checkedIndex })
  return { activate, former: former.machine.applied, fromLog, tables: fromLog.machine.applied, fromSnapshot }
}

const shownOf = (tables: Tables.Tables, id: string) => {
  const table = tables.byModel.get("Item")!
  return showRow(table, table.rows.get(id)!)
}
const sourceOf = (tables: Tables.Tables): List.ListSource => ({ table: tables.byModel.get("Item")!, idField: "id" })
const eq = (field: string, operand: Schema.Json) => ({ _tag: "Compare", field, op: "eq", operand }) as const
const dataOf = (tables: Tables.Tables, id: string) => Tables.get(tables, "Item", id)?.data

describe("a compatible change of a model", () => {
  const shownA = { id: "a", name: "anvil", price: "19.90", size: { wide: 1 }, rank: 7 }

  it("shows defaults, and hides fields that are gone, in every read", () => {
    const { fromSnapshot, tables } = releases(Compatible)
    for (const each of [tables, fromSnapshot]) {
      assert.deepStrictEqual(shownOf(each, "a"), Result.succeed(shownA))
      assert.deepStrictEqual(idsOf(sourceOf(each), { filters: [eq("rank", 7)] }), ["a", "b"])
      assert.deepStrictEqual(idsOf(sourceOf(each), { orderBy: [{ field: "rank", direction: "asc" }, byId] }), [
        "a",
        "b"
      ])
      const page = Result.getOrThrow(List.list(sourceOf(each), ask()))
      assert.deepStrictEqual(page.rows[0]?.record, shownA)
    }
  })

  it("is seen by commands as by reads", () => {
    const seen: Array<unknown> = []
    const looks = (access: Access) =>
      Result.gen(function* () {
        seen.push(yield* access.get("Item", "a"))
        seen.push((yield* access.list({ model: "Item", where: { rank: 7 }, limit: 9 })).map(({ id }) => id))
        const { record } = yield* access.apply({ _tag: "Patch", model: "Item", id: "b", data: { rank: 8 } })
        seen.push(record)
        return null
      })
    const { fromLog } = releases(Compatible, new Map([["looks", looks]]))
    assert.strictEqual(fromLog.submit({ _tag: "Call", name: "looks", payload: null })._tag, "Accepted")
    assert.deepStrictEqual(seen, [shownA, ["a", "b"], { id: "b", name: "bolt", price: "0.10", rank: 8 }])
  })

  it("carries over what it does not know, in a patch and in a put, so that the former release loses nothing", () => {
    const { former, fromLog, tables } = releases(Compatible)
    const patched = fromLog.submit({ _tag: "Patch", model: "Item", id: "a", data: { size: { wide: 5 } } })
    assert.deepStrictEqual(patched._tag === "Accepted" ? patched.answer.operations[0]?.record : undefined, {
      ...shownA,
      size: { wide: 5 }
    })
    const kept = { ...shownA, size: { wide: 5, high: 2 }, sku: "s" }
    assert.deepStrictEqual(dataOf(tables, "a"), kept)
    const [entry] = fromLog.entries
    const machine = Machine.make([Model.describe(Former)])
    machine.applied = former
    Machine.apply(machine, entry!)
    assert.deepStrictEqual(
      shownOf(former, "a"),
      Result.succeed({ id: "a", name: "anvil", price: "19.90", size: { wide: 5, high: 2 }, sku: "s" })
    )
    fromLog.submit({ _tag: "Put", model: "Item", id: "a", data: { name: "anvil", price: 3, rank: 1 } })
    assert.deepStrictEqual(dataOf(tables, "a"), { id: "a", name: "anvil", price: 3, rank: 1, sku: "s" })
  })

  it("changes nothing by a patch that says what is shown", () => {
    const { fromLog } = releases(Compatible)
    assert.isTrue(isUnchanged(fromLog.submit({ _tag: "Patch", model: "Item", id: "a", data: { rank: 7 } })))
  })

  it("refuses a field that it does not know from a client", () => {
    const { fromLog } = releases(Compatible)
    for (const data of [{ sku: "t" }, { size: { high: 3 } }]) {
      const decision = fromLog.submit({ _tag: "Patch", model: "Item", id: "a", data })
      assert.strictEqual(decision._tag === "Rejected" ? decision.rejection._tag : decision._tag, "InvalidRequest")
    }
  })
})

describe("a new version of a model with a lift", () => {
  const shownA = { id: "a", title: "anvil", cents: 1990, currency: "EUR", size: { wide: 1, high: 2 } }
  const shownB = { id: "b", title: "bolt", cents: 10, currency: "EUR" }

  it("shows lifted records in every read, and finds them by lifted values", () => {
    const { fromSnapshot, tables } = releases(Lifted)
    for (const each of [tables, fromSnapshot]) {
      assert.deepStrictEqual(shownOf(each, "a"), Result.succeed(shownA))
      const source = sourceOf(each)
      assert.deepStrictEqual(idsOf(source, { filters: [eq("currency", "EUR")] }), ["a", "b"])
      assert.deepStrictEqual(idsOf(source, { orderBy: [{ field: "cents", direction: "asc" }, byId] }), ["b", "a"])
      assert.deepStrictEqual(
        idsOf(source, { filters: [{ _tag: "Compare", field: "cents", op: "gt", operand: 100 }] }),
        ["a"]
      )
      assert.deepStrictEqual(idsOf(source, { filters: [eq("title", "bolt")] }), ["b"])
      assert.deepStrictEqual(
        Result.getOrThrow(List.list(source, ask())).rows.map(({ record }) => record),
        [shownA, shownB]
      )
    }
  })

  it("holds unique values of records that are not written again", () => {
    const { activate, fromLog } = releases(Lifted)
    activate()
    const data = { title: "bolt", cents: 1, currency: "USD" }
    const decision = fromLog.submit({ _tag: "Create", model: "Item", id: "c", data })
    assert.strictEqual(decision._tag === "Rejected" ? decision.rejection._tag : decision._tag, "UniqueViolation")
  })

  it("stores the lifted record with the next change, and frees the former unique value", () => {
    const { activate, fromLog, tables } = releases(Lifted)
    activate()
    fromLog.submit({ _tag: "Patch", model: "Item", id: "a", data: { title: "hammer" } })
    assert.deepStrictEqual(dataOf(tables, "a"), { ...shownA, title: "hammer" })
    assert.strictEqual(Tables.get(tables, "Item", "a")?.modelVersion, 2)
    assert.deepStrictEqual(idsOf(sourceOf(tables), { filters: [eq("title", "anvil")] }), [])
    const data = { title: "anvil", cents: 1, currency: "USD" }
    assert.strictEqual(fromLog.submit({ _tag: "Create", model: "Item", id: "c", data })._tag, "Accepted")
  })

  it("leaves the state and its hash alone, so that nodes of both releases agree", () => {
    const { former, fromSnapshot, tables } = releases(Lifted)
    assert.strictEqual(Tables.stateHash(tables), Tables.stateHash(former))
    assert.strictEqual(Tables.stateHash(fromSnapshot), Tables.stateHash(former))
    assert.deepStrictEqual(dataOf(tables, "b"), dataOf(former, "b"))
  })

  it("deletes a record in the version that stored it, and answers with what it showed", () => {
    const { activate, fromLog } = releases(Lifted)
    activate()
    const decision = fromLog.submit({ _tag: "Delete", model: "Item", id: "b" })
    assert.deepStrictEqual(
      decision._tag === "Accepted" ? decision.entry?.transaction.events[0]?.modelVersion : undefined,
      1
    )
    assert.deepStrictEqual(decision._tag === "Accepted" ? decision.answer.operations[0]?.record : undefined, shownB)
  })

  it("has the former release refuse to change what it cannot know", () => {
    const { activate, former, fromLog } = releases(Lifted)
    activate()
    fromLog.submit({ _tag: "Patch", model: "Item", id: "a", data: { title: "hammer" } })
    const machine = Machine.make([Model.describe(Former)])
    machine.applied = former
    for (const entry of fromLog.entries) Machine.apply(machine, entry)
    assert.strictEqual(Tables.stateHash(former), Tables.stateHash(fromLog.machine.applied))
    Machine.beginSpeculation(machine)
    const at = { index: former.index + 1, nowMs: 0, newId: () => "n" }
    const decision = Machine.decideNext(
      machine,
      { _tag: "Patch", model: "Item", id: "b", data: { price: "1" } },
      at
    ).result
    assert.strictEqual(decision._tag === "Rejected" ? decision.rejection._tag : decision._tag, "UpgradeRequired")
    assert.isTrue(Result.isFailure(shownOf(former, "a")))
    assert.deepStrictEqual(idsOf(sourceOf(former), { filters: [eq("id", "b")] }), ["b"])
  })
})

describe("a version that is not active", () => {
  const tagOf = (decision: Played) => (decision._tag === "Rejected" ? decision.rejection._tag : decision._tag)
  const change: Command = { _tag: "Patch", model: "Item", id: "a", data: { title: "hammer" } }

  it("is read, and neither written nor deleted, and no key remembers the refusal", () => {
    const { fromLog, tables } = releases(Lifted)
    const looks = { ...change, key: "k", fingerprint: "f" } as Command
    assert.strictEqual(tagOf(fromLog.submit(looks)), "UpgradePending")
    assert.strictEqual(tagOf(fromLog.submit({ _tag: "Delete", model: "Item", id: "a" })), "UpgradePending")
    assert.strictEqual(fromLog.entries.length, 0)
    assert.isTrue(Result.isSuccess(shownOf(tables, "a")))
  })

  it("becomes active once, and stays so in a snapshot and for a node without the code", () => {
    const { activate, former, fromLog, tables } = releases(Lifted)
    assert.strictEqual(activate()._tag, "Accepted")
    assert.isTrue(isUnchanged(activate()))
    assert.strictEqual(fromLog.submit(change)._tag, "Accepted")
    const restoring = Snapshot.restoring([Model.describe(Lifted)])
    for (const bytes of Snapshot.encode(Snapshot.take(tables))) restoring.take(bytes)
    assert.strictEqual(Result.getOrThrow(restoring.end()).byModel.get("Item")?.modelVersion, 2)
    for (const entry of fromLog.entries) Machine.apply({ ...Machine.make([]), applied: former }, entry)
    assert.strictEqual(former.byModel.get("Item")?.modelVersion, 2)
  })

  it("does not become active if a record has changed since the check", () => {
    const { fromLog } = releases(Lifted)
    const checkedIndex = fromLog.machine.applied.index - 1
    const decision = fromLog.submit({ _tag: "Activate", model: "Item", version: 2, checkedIndex })
    assert.strictEqual(tagOf(decision), "UpgradePending")
  })

  it("is written at once where the model has no record yet", () => {
    const machine = leader(undefined, [Model.describe(Lifted)])
    const data = { title: "anvil", cents: 1, currency: "EUR" }
    assert.strictEqual(machine.submit({ _tag: "Create", model: "Item", id: "a", data })._tag, "Accepted")
  })
})

/** A required field is new, and nothing says what it is in the stored records. */
class Incompatible extends Model.Class<Incompatible>("Item")(
  { id, name: Model.replicate(Schema.String), color: Schema.String },
  { unique: ["name"] }
) {}

describe("a record that a release cannot read", () => {
  const errors = [{ path: "color", message: "Missing key" }]

  it("is never shown, listed, patched or read by a command", () => {
    const looks = (access: Access) => Result.map(access.get("Item", "a"), () => null)
    const lists = (access: Access) => Result.map(access.list({ model: "Item", where: {}, limit: 9 }), () => null)
    const { fromLog, tables } = releases(
      Incompatible,
      new Map([
        ["looks", looks],
        ["lists", lists]
      ])
    )
    assert.deepStrictEqual(shownOf(tables, "a"), Result.fail(errors))
    assert.deepStrictEqual(List.list(sourceOf(tables), ask()), Result.fail({ id: "a", errors }))
    const commands: ReadonlyArray<Command> = [
      { _tag: "Patch", model: "Item", id: "a", data: { color: "red" } },
      { _tag: "Call", name: "looks", payload: null },
      { _tag: "Call", name: "lists", payload: null }
    ]
    for (const command of commands) {
      const decision = fromLog.submit({ ...command, key: "k", fingerprint: "f" } as Command)
      assert.deepStrictEqual(decision._tag === "Rejected" ? decision.rejection : decision._tag, {
        _tag: "RecordUnreadable",
        model: "Item",
        id: "a",
        errors
      })
      assert.isUndefined(decision._tag === "Rejected" ? decision.entry : undefined)
    }
  })

  it("may be replaced as a whole, and deleted", () => {
    const { fromLog, tables } = releases(Incompatible)
    fromLog.submit({ _tag: "Put", model: "Item", id: "a", data: { name: "anvil", color: "red" } })
    assert.deepStrictEqual(shownOf(tables, "a"), Result.succeed({ id: "a", name: "anvil", color: "red" }))
    assert.strictEqual(fromLog.submit({ _tag: "Delete", model: "Item", id: "b" })._tag, "Accepted")
  })
})

describe("a renamed model", () => {
  class Article extends Model.Class<Article>("Article")(
    {
      id,
      name: Model.replicate(Schema.String),
      price: Schema.String,
      sku: Schema.optionalKey(Schema.String),
      parent: Schema.optionalKey(Schema.String),
      size: Schema.optionalKey(Schema.Struct({ wide: Schema.Int, high: Schema.optionalKey(Schema.Int) }))
    },
    { storedAs: "Item", unique: ["name"], references: { parent: { model: "Article", onDelete: "restrict" } } }
  ) {}

  it("has the records of its former name, under that name and at its path", () => {
    const { former, fromLog, tables } = releases(Article)
    const { name, path, references } = Model.describe(Article)
    assert.deepStrictEqual([name, path], ["Item", "items"])
    assert.deepStrictEqual(references, [{ field: "parent", model: "Item", onDelete: "restrict" }])
    assert.deepStrictEqual(shownOf(tables, "b"), Result.succeed({ id: "b", name: "bolt", price: "0.10" }))
    assert.strictEqual(Tables.stateHash(tables), Tables.stateHash(former))
    const taken = fromLog.submit({ _tag: "Create", model: "Item", data: { name: "anvil", price: "1" } })
    assert.deepInclude(taken, { rejection: { _tag: "UniqueViolation", model: "Item", field: "name" } })
    const child = { name: "c", price: "1", parent: "a" }
    assert.strictEqual(fromLog.submit({ _tag: "Create", model: "Item", id: "c", data: child })._tag, "Accepted")
    const restricted = fromLog.submit({ _tag: "Delete", model: "Item", id: "a" })
    assert.deepInclude(restricted, { _tag: "Rejected" })
  })

  it("needs a name that a model may have", () => {
    const wrong = () => Model.Class<object>("Article")({ id }, { mode: "replicate", storedAs: "no name" })
    assert.throws(wrong, /Model "no name" must have a name/)
  })
})
