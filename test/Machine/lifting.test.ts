import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import type * as Format from "../../src/Machine/Format.ts"
import type * as List from "../../src/Machine/List.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import { storedVersions } from "../../src/Machine/Rows.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as StateContent from "../../src/Machine/StateContent.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { decode, encode, entryBytesMax } from "../../src/Machine/Transaction.ts"
import * as Model from "../../src/Model.ts"
import { ask, byId, list } from "./Listing.ts"
import { isUnchanged, leader } from "./Store.ts"

const id = Model.id(Schema.String)

class Former extends Model.Class<Former>("Item")({
  id,
  name: Model.replicate(Schema.String),
  sku: Schema.optionalKey(Schema.String)
}) {}

/** A step that is no function: each node, and each reading of another copy, gets another number. */
let drawn = 0

class Present extends Model.Class<Present>("Item")(
  {
    id,
    title: Model.replicate(Schema.String),
    number: Schema.Int,
    rank: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(7)))
  },
  {
    version: 2,
    unique: ["title"],
    indexes: ["number"],
    lift: Model.from(1, { id: Schema.String, name: Schema.String, sku: Schema.optionalKey(Schema.String) })
      .rename("name", "title")
      .map((record) => ({
        ...record,
        number: ++drawn,
        ...(record.sku === "double" ? { title: record.title + record.title } : {})
      }))
      .drop("sku")
      .to(2)
  }
) {}

/** A log of the former release, and a leader and a follower of the present one that have applied it. */
const started = (formats?: Format.Formats) => {
  const former = leader(undefined, [Model.describe(Former)], formats)
  for (const id of ["a", "b", "c"]) {
    former.submit({ _tag: "Create", model: "Item", id, data: { name: `name ${id}`, sku: "s" } })
  }
  former.submit({ _tag: "Patch", model: "Item", id: "a", data: { sku: "t" } })
  const leading = leader(undefined, [Model.describe(Present)])
  const follower = Machine.make([Model.describe(Present)])
  for (const entry of former.entries) {
    Machine.apply(leading.machine, entry)
    Machine.apply(follower, entry)
  }
  Machine.beginSpeculation(leading.machine)
  const activate = () =>
    leading.submit({
      _tag: "Activate",
      model: "Item",
      version: 2,
      checkedIndex: leading.machine.applied.index
    })
  const lift = (...ids: ReadonlyArray<string>) => leading.submit({ _tag: "Lift", model: "Item", ids })
  const follow = () => {
    for (const entry of leading.entries) if (entry.index > follower.applied.index) Machine.apply(follower, entry)
    return follower.applied
  }
  return { activate, follow, former, leading, lift, tables: leading.machine.applied }
}

const rowOf = (tables: Tables.Tables, id: string) => Tables.get(tables, "Item", id)!
const byNumber: Partial<List.ListRequest> = { orderBy: [{ field: "number", direction: "asc" }, byId] }
const listed = (tables: Tables.Tables) =>
  list({ table: tables.byModel.get("Item")!, idField: "id" }, ask(byNumber)).rows.map(({ record }) => record)
const counted = (tables: Tables.Tables) => Object.fromEntries(storedVersions(tables.byModel.get("Item")))
const assertHashed = (tables: Tables.Tables) =>
  assert.strictEqual(StateHash.toHex(StateContent.hashOf(tables)), Tables.stateHash(tables))

describe("a record that is stored in the active version of its model", () => {
  it("has the data that the leader read, on every node, even if a step is no function", () => {
    const { activate, follow, lift, tables } = started()
    activate()
    const seen = listed(tables)
    assert.notDeepEqual(listed(follow()), seen)
    assert.strictEqual(lift("a", "b", "c")._tag, "Accepted")
    const followed = follow()
    assert.deepStrictEqual(listed(tables), seen)
    assert.deepStrictEqual(listed(followed), seen)
    assert.strictEqual(Tables.stateHash(followed), Tables.stateHash(tables))
    for (const each of [tables, followed]) assertHashed(each)
  })

  it("is not changed: its version, its entries and its creation stay, and the entry has no event", () => {
    const { activate, leading, lift, tables } = started()
    activate()
    const before = rowOf(tables, "a")
    lift("a")
    const { data, modelVersion, ...same } = rowOf(tables, "a")
    assert.deepStrictEqual(same, { version: before.version, createdIndex: before.createdIndex, index: before.index })
    assert.strictEqual(modelVersion, 2)
    assert.containsAllKeys(data, ["title", "number"])
    assert.notProperty(data, "rank", "a default is no part of what is stored")
    const { events } = Result.getOrThrow(decode(leading.entries.at(-1)!.payload))
    assert.deepStrictEqual(events, [])
    const patched = leading.submit({ _tag: "Patch", model: "Item", id: "a", data: { title: "b2" }, ifMatch: [2] })
    assert.strictEqual(patched._tag, "Accepted")
    assert.strictEqual(rowOf(tables, "a").version, 3)
  })

  it("is counted by its version, in a snapshot too", () => {
    const { activate, former, leading, lift, tables } = started()
    activate()
    assert.deepStrictEqual(counted(former.machine.applied), { 1: 3 })
    lift("a", "b")
    assert.deepStrictEqual(counted(tables), { 1: 1, 2: 2 })
    const restoring = Snapshot.restoring([Model.describe(Present)])
    for (const bytes of Snapshot.encode(Snapshot.take(tables))) restoring.take(bytes)
    assert.deepStrictEqual(counted(Result.getOrThrow(restoring.end())), { 1: 1, 2: 2 })
    leading.submit({ _tag: "Delete", model: "Item", id: "c" })
    assert.deepStrictEqual(counted(tables), { 2: 2 })
    const [speculative] = [leading.machine.speculative!]
    assert.deepStrictEqual(counted(speculative), { 2: 2 })
  })

  it("is lifted once, and never before the version and the format are active", () => {
    const old = started({ newest: 1, begins: 1 })
    old.activate()
    assert.isTrue(isUnchanged(old.lift("a")))
    const { activate, lift, tables } = started()
    assert.deepStrictEqual(lift("a"), {
      _tag: "Rejected",
      rejection: { _tag: "UpgradePending", model: "Item" }
    })
    activate()
    assert.strictEqual(lift("a")._tag, "Accepted")
    const row = rowOf(tables, "a")
    assert.isTrue(isUnchanged(lift("a", "none")))
    assert.strictEqual(rowOf(tables, "a")!.data, row!.data)
  })

  it("keeps an id and a unique value as a change would", () => {
    const { activate, leading, lift, tables } = started()
    activate()
    lift("a", "b", "c")
    const taken = leading.submit({ _tag: "Create", model: "Item", id: "d", data: { title: "name b", number: 1 } })
    assert.deepInclude(taken, { rejection: { _tag: "UniqueViolation", model: "Item", field: "title" } })
    assert.strictEqual(tables.byModel.get("Item")!.indexes.get("title")!.size, 3)
  })

  it("that is gone when the entry is applied stays gone", () => {
    const { activate, leading, tables } = started()
    activate()
    leading.submit({ _tag: "Delete", model: "Item", id: "a" })
    const index = tables.index + 1
    const lifted = [{ model: "Item", modelVersion: 2, id: "a", data: {} }]
    const base = { timeMs: 0, logAgeMs: 0, command: "Lift", events: [], outcome: { _tag: "Accepted" } } as const
    Machine.dropSpeculation(leading.machine)
    Machine.apply(leading.machine, { index, payload: encode({ ...base, lifted }) })
    assert.isUndefined(Tables.get(tables, "Item", "a"))
    assertHashed(tables)
  })

  it("stays as it is if it would no longer fit into an entry", () => {
    const large = "n".repeat(entryBytesMax / 2)
    const { activate, leading, lift, tables } = started()
    const data = { id: "x", name: large, sku: "double" }
    const event = {
      type: "created",
      model: "Item",
      modelVersion: 1,
      id: "x",
      version: 1,
      previousIndex: 0,
      data
    } as const
    const entry = { timeMs: 0, logAgeMs: 0, command: "Create", events: [event], outcome: { _tag: "Accepted" } } as const
    Machine.apply(leading.machine, { index: tables.index + 1, payload: encode(entry) })
    Machine.beginSpeculation(leading.machine)
    activate()
    assert.deepStrictEqual(lift("x"), {
      _tag: "Rejected",
      rejection: { _tag: "TooLarge", limit: "bytes", max: entryBytesMax }
    })
    assert.strictEqual(rowOf(tables, "x").modelVersion, 1)
  })
})
