/** Each kind of change of a model, on each path that reads, before its records are stored anew and after. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { system } from "../../src/Access/Caller.ts"
import { exportRows } from "../../src/Backup/Export.ts"
import { changesOf } from "../../src/Changes/Change.ts"
import { recordsAfter } from "../../src/Changes/FirstState.ts"
import { nothingShown } from "../../src/Changes/Position.ts"
import { viewOf } from "../../src/Changes/View.ts"
import * as Engine from "../../src/Live/Engine.ts"
import { showRow } from "../../src/Machine/ReadRow.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { decode } from "../../src/Machine/Transaction.ts"
import * as Model from "../../src/Model.ts"
import { eventsOf } from "../../src/Projection/Event.ts"
import * as Fold from "../../src/Projection/Fold.ts"
import * as Projection from "../../src/Projection.ts"
import * as RecordHistory from "../../src/Repository/RecordHistory.ts"
import { ask, byId, idsOf, list } from "./Listing.ts"
import { type Former, type Kind, kinds, started } from "./ModelKinds.ts"

type Node = ReturnType<typeof started>

/** An entry as its followers get it. */
const entryOf = ({ index, payload }: Node["entries"][number]) => ({
  index,
  transaction: Result.getOrThrow(decode(payload))
})

/** The record `a` was created by the second entry, and not changed since. */
const newest = { version: 1, index: 2 }
const historyOf = ({ entries }: Node["former"]) =>
  RecordHistory.make({ entry: (index) => Effect.succeed(entryOf(entries[index - 1]!).transaction) })

const paths: Readonly<Record<string, (kind: Kind, node: Node) => void>> = {
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
  unique: ({ patch, shown, unique }, { submit }) => {
    const { id: _, ...rest } = { ...shown, ...patch }
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
  "a declared command": ({ patch, shown }, { submit, table }) => {
    const ran = submit({ _tag: "Call", name: "readAndPatch", payload: patch })
    assert.deepInclude(ran._tag === "Accepted" ? ran.answer : ran, { value: { got: shown, listed: ["a", "b"] } })
    assert.deepStrictEqual(showRow(table(), table().rows.get("a")!), Result.succeed({ ...shown, ...patch }))
  },
  "projections and reactions": ({ model, shown }, { former }) => {
    const [event] = Result.getOrThrow(eventsOf([model as never])(entryOf(former.entries[1]!)))
    const encoded = Schema.encodeUnknownSync(Schema.toCodecJson(model.replicated as typeof Former.replicated))(
      event!.record as never
    )
    assert.deepStrictEqual(encoded as unknown, shown)
    assert.deepInclude(event, { version: 1, id: "a", type: "created" })
  },
  "a folded projection": ({ model, shown }, { former }) => {
    const projection = Projection.make("items", {
      from: [model],
      version: 1,
      state: Schema.Array(Schema.String),
      initial: [],
      evolve: (names, { record }) => [...names, JSON.stringify(record)]
    })
    const states = Fold.empty<ReadonlyArray<string>>()
    for (const entry of former.entries) Result.getOrThrow(Fold.fold(projection, states, entryOf(entry)))
    const [first] = states.get(Fold.wholeKey) ?? []
    assert.deepStrictEqual(JSON.parse(first!), shown)
  },
  changes: ({ model, shown }, { former }) => {
    const followed = new Map([["Item", Model.describe(model)]])
    const entries = former.entries.map(entryOf)
    const found = Result.getOrThrow(changesOf(followed, { entries, from: { index: 0 }, maxCount: 9 }))
    assert.deepInclude(found.changes[0], { type: "created", id: "a", version: 1, record: shown })
  },
  "the first state of changes": ({ model, shown }, { tables }) => {
    const view = Result.getOrThrow(viewOf({ policy: undefined, tables, nowMs: 0 }, system, [Model.describe(model)]))
    const found = recordsAfter(view, { tables, index: tables.index }, { after: nothingShown("x"), maxCount: 1 })
    assert.deepInclude(Result.getOrThrow(found).records[0], { id: "a", version: 1, record: shown })
  },
  "a live query": ({ indexed: [field, operand], model, patch, shown }, { submit, table, tables }) => {
    const source = () => ({ table: table(), idField: "id" })
    const engine = Engine.make(
      () => ({ source: source(), index: tables.index }),
      () => tables.index
    )
    const reader = Result.getOrThrow(
      engine.open(
        {
          descriptor: Model.describe(model),
          filters: [{ _tag: "Compare", field, op: "eq", operand }],
          orderBy: [{ field, direction: "asc" }, byId],
          limit: 5,
          after: undefined,
          select: undefined
        },
        () => {}
      )
    )
    const page = reader.next()
    assert.isTrue(page?._tag === "Page" && page.items.length === 2)
    assert.deepStrictEqual(page?._tag === "Page" ? JSON.parse(page.items[0]!.text) : page, shown)
    submit({ _tag: "Patch", model: "Item", id: "a", data: patch })
    engine.touch("Item", "a")
    for (const _ of engine.evaluate());
    const diff = reader.next()
    assert.isTrue(diff?._tag === "Diff")
    if (diff?._tag !== "Diff") return
    // The record either changed in the page or left it.
    if (Object.hasOwn(patch, field)) assert.deepStrictEqual(diff.remove, ["a"])
    else assert.deepStrictEqual(JSON.parse(diff.put[0]!.item.text), { ...shown, ...patch })
  },
  history: ({ model, shown }, { former }) => {
    const page = Effect.runSync(
      historyOf(former).page(Model.describe(model), "a", { newest, place: { afterVersion: 0 }, limit: 9 })
    )
    assert.deepInclude(page.items[0], { version: 1, event: "created", record: shown })
  },
  "a past version": ({ model, shown }, { former }) => {
    const past = Effect.runSync(historyOf(former).at(Model.describe(model), "a", { newest, moment: { version: 1 } }))
    assert.deepStrictEqual(past?.record, shown)
  },
  "a past time": ({ model, shown }, { former }) => {
    const past = Effect.runSync(historyOf(former).at(Model.describe(model), "a", { newest, moment: { timeMs: 1e9 } }))
    assert.deepStrictEqual(past?.record, shown)
  },
  "a snapshot": ({ shown }, { descriptors, tables }) => {
    const restoring = Snapshot.restoring(descriptors)
    for (const bytes of Snapshot.encode(Snapshot.take(tables))) restoring.take(bytes)
    const table = Result.getOrThrow(restoring.end()).byModel.get("Item")!
    assert.deepStrictEqual(showRow(table, table.rows.get("a")!), Result.succeed(shown))
  },
  "a backup": ({ model, shown }, { tables }) => {
    // An archive has records as they are stored. The release that restores it reads them, whichever release that is.
    const [line = ""] = [...exportRows(tables, ["Item"])]
    const { modelVersion, record } = JSON.parse(line)
    const read = Model.describe(model).read.record({ modelVersion, data: record })
    assert.deepStrictEqual(
      Result.map(read, (of) => of.shown),
      Result.succeed(shown)
    )
  },
  "a deletion": (_, { submit, tables }) => {
    assert.strictEqual(submit({ _tag: "Delete", model: "Item", id: "a" })._tag, "Accepted")
    assert.isUndefined(Tables.get(tables, "Item", "a"))
  }
}

/** Only what is stored of records can be stored anew: the log keeps its entries as they are. */
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
