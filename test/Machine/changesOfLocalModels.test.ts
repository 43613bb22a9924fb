/**
 * Each kind of change of what stays on a node, local models and local parts of mixed records, on each path that reads,
 * before it is stored anew and after.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { changesOf } from "../../src/Changes/Change.ts"
import * as Engine from "../../src/Live/Engine.ts"
import * as Format from "../../src/Machine/Format.ts"
import { shownPart, visible } from "../../src/Machine/LocalParts.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import { checkModel, isFit } from "../../src/Machine/ModelCheck.ts"
import { showRow } from "../../src/Machine/ReadRow.ts"
import { storedVersions } from "../../src/Machine/Rows.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import type { Tables } from "../../src/Machine/Tables.ts"
import { decode } from "../../src/Machine/Transaction.ts"
import * as Model from "../../src/Model.ts"
import { ask, byId, idsOf, list } from "./Listing.ts"
import { leader } from "./Store.ts"

const id = Model.id(Schema.String)
const optional = Schema.optionalKey(Schema.String)

interface Kind {
  readonly local: Model.Described<"local">
  readonly mixed: Model.Described<"replicated" | "mixed">
  /** The fields that stay on the node, as they are shown. */
  readonly shown: Model.EncodedRecord
  /** A field that both records are found by. */
  readonly field: readonly [name: string, value: Schema.Json]
  readonly patch: Model.EncodedRecord
}

class Former extends Model.Class<Former>("Note")(
  { id, text: Schema.String, stars: Schema.String, old: optional },
  { mode: "local" }
) {}
class FormerItem extends Model.Class<FormerItem>("Item")({
  id,
  name: Model.replicate(Schema.String),
  text: Model.local(Schema.String),
  stars: Model.local(Schema.String),
  old: Model.local(Schema.String)
}) {}

class WithDefault extends Model.Class<WithDefault>("Note")(
  {
    id,
    text: Schema.String,
    stars: Schema.String,
    old: optional,
    rank: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(7)))
  },
  { mode: "local", indexes: ["rank"] }
) {}
class WithDefaultItem extends Model.Class<WithDefaultItem>("Item")({
  id,
  name: Model.replicate(Schema.String),
  text: Model.local(Schema.String),
  stars: Model.local(Schema.String),
  old: Model.local(Schema.String),
  rank: Model.local(Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(7))))
}) {}

class Without extends Model.Class<Without>("Note")(
  { id, text: Schema.String, stars: Schema.String },
  { mode: "local", indexes: ["stars"] }
) {}
class WithoutItem extends Model.Class<WithoutItem>("Item")({
  id,
  name: Model.replicate(Schema.String),
  text: Model.local(Schema.String),
  stars: Model.local(Schema.String)
}) {}

const wide = Schema.Union([Schema.String, Schema.Int])
class Wider extends Model.Class<Wider>("Note")(
  { id, text: Schema.String, stars: wide, old: optional },
  { mode: "local", indexes: ["stars"] }
) {}
class WiderItem extends Model.Class<WiderItem>("Item")({
  id,
  name: Model.replicate(Schema.String),
  text: Model.local(Schema.String),
  stars: Model.local(wide),
  old: Model.local(Schema.String)
}) {}

class Lifted extends Model.Class<Lifted>("Note")(
  { id, body: Schema.String, stars: Schema.Int },
  {
    mode: "local",
    version: 2,
    indexes: ["stars"],
    lift: Model.from(1, { id: Schema.String, text: Schema.String, stars: Schema.String, old: optional })
      .rename("text", "body")
      .drop("old")
      .map(({ stars, ...rest }) => ({ ...rest, stars: Number(stars) }))
      .to(2)
  }
) {}
class LiftedItem extends Model.Class<LiftedItem>("Item")(
  { id, name: Model.replicate(Schema.String), body: Model.local(Schema.String), stars: Model.local(Schema.Int) },
  {
    version: 2,
    liftLocal: Model.from(1, { text: optional, stars: optional, old: optional })
      .rename("text", "body")
      .drop("old")
      .map(({ stars, ...rest }) => ({ ...rest, ...(stars === undefined ? {} : { stars: Number(stars) }) }))
      .to(2)
  }
) {}

const own = { text: "t", stars: "5" }
const kinds: Readonly<Record<string, Kind>> = {
  "a field with a default": {
    local: WithDefault,
    mixed: WithDefaultItem,
    shown: { ...own, old: "o", rank: 7 },
    field: ["rank", 7],
    patch: { rank: 8 }
  },
  "a field that is gone": {
    local: Without,
    mixed: WithoutItem,
    shown: own,
    field: ["stars", "5"],
    patch: { stars: "6" }
  },
  "a wider type": {
    local: Wider,
    mixed: WiderItem,
    shown: { ...own, old: "o" },
    field: ["stars", "5"],
    patch: { stars: 6 }
  },
  "a new version with steps": {
    local: Lifted,
    mixed: LiftedItem,
    shown: { body: "t", stars: 5 },
    field: ["stars", 5],
    patch: { stars: 6 }
  }
}

/** What a test sees of a node: a list, and how records change. */
interface Node {
  readonly descriptor: Model.Descriptor
  readonly source: () => Parameters<typeof list>[0]
  readonly index: () => number
  /** The whole record `a`, as it is shown. */
  readonly shown: Model.EncodedRecord
  readonly patch: (data: Model.EncodedRecord) => void
  /** Stores all in the present version, and returns how many records are in each. */
  readonly lift: () => ReadonlyMap<number, number>
  /** The own log's tables, restored from a snapshot. */
  readonly restored: () => Node["source"]
  readonly fits: () => boolean
}

const restore = (descriptors: ReadonlyArray<Model.Descriptor>, tables: Tables): Tables => {
  const restoring = Snapshot.restoring(descriptors)
  for (const bytes of Snapshot.encode(Snapshot.take(tables))) restoring.take(bytes)
  return Result.getOrThrow(restoring.end())
}

const fitsIn = (tables: Tables, descriptor: Model.Descriptor): boolean => {
  const checking = checkModel(tables, descriptor)
  for (;;) {
    const { done, value } = checking.next()
    if (done === true) return isFit(value)
  }
}

const localNode = (kind: Kind): Node => {
  const former = leader(undefined, [Model.describe(Former)], Format.ofOwnLog)
  const data = { ...own, old: "o" }
  for (const id of ["a", "b"]) former.submit({ _tag: "Create", model: "Note", id, data })
  const descriptor = Model.describe(kind.local)
  const { machine, submit } = leader(undefined, [descriptor], Format.ofOwnLog)
  for (const entry of former.entries) Machine.apply(machine, entry)
  Machine.beginSpeculation(machine)
  const { index } = machine.applied
  submit({ _tag: "RaiseFormat", format: Format.newest })
  submit({ _tag: "Activate", model: "Note", version: descriptor.version, checkedIndex: index })
  const sourceOf = (tables: Tables) => () => ({ table: tables.byModel.get("Note")!, idField: "id" })
  return {
    descriptor,
    source: sourceOf(machine.applied),
    index: () => machine.applied.index,
    shown: { id: "a", ...kind.shown },
    patch: (data) => assert.strictEqual(submit({ _tag: "Patch", model: "Note", id: "a", data })._tag, "Accepted"),
    lift: () => {
      submit({ _tag: "Lift", model: "Note", ids: ["a", "b"] })
      return storedVersions(machine.applied.byModel.get("Note"))
    },
    restored: () => sourceOf(restore([descriptor], machine.applied)),
    fits: () => fitsIn(machine.applied, descriptor)
  }
}

/** A machine of a node's own log, to which parts are written. */
const ownLog = () => {
  const machine = Machine.make([], undefined, undefined, undefined, Format.ofOwnLog)
  const set = (request: Parameters<typeof Machine.decideNextParts>[1]) => {
    Machine.beginSpeculation(machine)
    const index = machine.applied.index + 1
    const decided = Machine.decideNextParts(machine, request, { index, nowMs: index })
    if (decided.entry !== undefined) Machine.apply(machine, { index, payload: decided.entry.payload })
    return decided
  }
  return { machine, set }
}

const mixedNode = (kind: Kind): Node => {
  const former = leader(undefined, [Model.describe(FormerItem)])
  const { machine, set } = ownLog()
  for (const id of ["a", "b"]) {
    former.submit({ _tag: "Create", model: "Item", id, data: { name: id } })
    const { createdIndex, version } = former.machine.applied.byModel.get("Item")!.rows.get(id)!
    const data = { ...own, old: "o" }
    const request = { id, createdIndex, version, how: "put", data } as const
    set({ parts: [{ descriptor: Model.describe(FormerItem), request }] })
  }
  const descriptor = Model.describe(kind.mixed)
  const cluster = leader(undefined, [descriptor])
  for (const entry of former.entries) Machine.apply(cluster.machine, entry)
  Machine.beginSpeculation(cluster.machine)
  const { index } = cluster.machine.applied
  cluster.submit({ _tag: "Activate", model: "Item", version: descriptor.version, checkedIndex: index })
  const table = cluster.machine.applied.byModel.get("Item")!
  const sourceOf = (tables: Tables) => () => ({
    table,
    idField: "id",
    localParts: tables.byModel.get("Item")!.localParts
  })
  const parts = () => machine.applied.byModel.get("Item")!
  return {
    descriptor,
    source: () => sourceOf(machine.applied)(),
    index: () => cluster.machine.applied.index,
    shown: { id: "a", name: "a", ...kind.shown },
    patch: (data) => {
      const { createdIndex, version } = table.rows.get("a")!
      const { revision } = parts().localParts.get("a")!
      const decided = set({ parts: [{ descriptor, request: { id: "a", createdIndex, version, how: "patch", data } }] })
      assert.strictEqual(decided.result._tag, "Set")
      assert.strictEqual(parts().localParts.get("a")!.revision, revision + 1)
    },
    lift: () => {
      const { revision } = parts().localParts.get("a")!
      set({ parts: [], lifts: ["a", "b", "none"].map((id) => ({ descriptor, id })) })
      assert.strictEqual(parts().localParts.get("a")!.revision, revision, "nothing of the part changes")
      return storedVersions(parts())
    },
    restored: () => sourceOf(restore([], machine.applied)),
    fits: () => fitsIn(machine.applied, descriptor)
  }
}

const first = ({ shown }: Node, source: Node["source"]): void => {
  const row = list(source(), ask({ limit: 1 })).rows[0]!
  assert.deepStrictEqual(row.record, shown)
}

const paths: Readonly<Record<string, (kind: Kind, node: Node) => void>> = {
  "GET and list": (_, node) => first(node, node.source),
  filter: ({ field: [field, operand] }, { source }) =>
    assert.deepStrictEqual(idsOf(source(), { filters: [{ _tag: "Compare", field, op: "eq", operand }] }), ["a", "b"]),
  order: ({ field: [field] }, { source }) =>
    assert.deepStrictEqual(idsOf(source(), { orderBy: [{ field, direction: "desc" }, byId] }), ["a", "b"]),
  "a patch": ({ patch: data }, node) => {
    node.patch(data)
    first({ ...node, shown: { ...node.shown, ...data } }, node.source)
  },
  "a live query": ({ field: [field, operand], patch: data }, { descriptor, index, patch, shown, source }) => {
    const engine = Engine.make(() => ({ source: source(), index: index() }), index)
    const filters = [{ _tag: "Compare", field, op: "eq", operand }] as const
    const orderBy = [byId] as const
    const request = { descriptor, filters, orderBy, limit: 5, after: undefined, select: undefined }
    const reader = Result.getOrThrow(engine.open(request, () => {}))
    const page = reader.next()
    assert.isTrue(page?._tag === "Page")
    if (page?._tag !== "Page") return
    assert.deepStrictEqual(JSON.parse(page.items[0]!.text), shown)
    patch(data)
    engine.touch(descriptor.name, "a")
    for (const _ of engine.evaluate());
    const diff = reader.next()
    assert.deepStrictEqual(diff?._tag === "Diff" ? diff.remove : diff, ["a"])
  },
  "a snapshot": (_, node) => first(node, node.restored()),
  "the check of a start": (_, { fits }) => assert.isTrue(fits())
}

for (const [what, start] of [
  ["a local model", localNode],
  ["a local part", mixedNode]
] as const) {
  describe.each(Object.entries(kinds))(`${what} with %s`, (_, kind) => {
    for (const [path, check] of Object.entries(paths)) {
      it(`is read alike by ${path}, also once it is stored anew`, () => {
        check(kind, start(kind))
        const node = start(kind)
        const { version } = node.descriptor
        assert.deepStrictEqual([...node.lift()], [[version, 2]])
        check(kind, node)
      })
    }
  })
}

describe("a local model", () => {
  it("tells its changes in the form of the code that reads them", () => {
    for (const { local, shown } of Object.values(kinds)) {
      const former = leader(undefined, [Model.describe(Former)], Format.ofOwnLog)
      former.submit({ _tag: "Create", model: "Note", id: "a", data: { ...own, old: "o" } })
      const entries = former.entries.map(({ index, payload }) => ({
        index,
        transaction: Result.getOrThrow(decode(payload))
      }))
      const followed = new Map([["Note", Model.describe(local)]])
      const { changes } = Result.getOrThrow(changesOf(followed, { entries, from: { index: 0 }, maxCount: 9 }))
      assert.deepInclude(changes[0], { id: "a", record: { id: "a", ...shown } })
    }
  })
})

describe("a local part in a later version", () => {
  const part = { id: "a", createdIndex: 1, version: 1, how: "put" } as const

  it("makes the format of the node's own log known with its own entry, so that no older release reads it wrong", () => {
    const { machine, set } = ownLog()
    const descriptor = Model.describe(LiftedItem)
    set({ parts: [{ descriptor: Model.describe(FormerItem), request: { ...part, data: own } }] })
    assert.strictEqual(machine.applied.format, Format.initial)
    const { entry } = set({ parts: [{ descriptor, request: { ...part, data: { body: "b", stars: 1 } } }] })
    assert.strictEqual(entry?.payload[0], Format.versionedParts)
    assert.strictEqual(machine.applied.format, Format.versionedParts)
    assert.deepInclude(visible(machine.applied, { model: "Item", id: "a", createdIndex: 1 }), { modelVersion: 2 })
  })

  it("is not shown by a release that cannot read it, and a PUT replaces it", () => {
    const { machine, set } = ownLog()
    const former = Model.describe(FormerItem)
    set({ parts: [{ descriptor: Model.describe(LiftedItem), request: { ...part, data: { body: "b", stars: 1 } } }] })
    const held = () => visible(machine.applied, { model: "Item", id: "a", createdIndex: 1 })
    assert.deepStrictEqual(shownPart(former, held()), {})
    const row = { version: 1, createdIndex: 1, index: 1, modelVersion: 1, data: { id: "a", name: "n" } }
    assert.isTrue(Result.isFailure(showRow(former, row, held())))
    const patched = set({ parts: [{ descriptor: former, request: { ...part, how: "patch", data: { text: "x" } } }] })
    assert.deepInclude(patched.result, { _tag: "Rejected" })
    set({ parts: [{ descriptor: former, request: { ...part, version: 2, data: own } }] })
    assert.deepStrictEqual(shownPart(former, held()), own)
  })

  it("is declared with the model's own version, and by a mixed model alone", () => {
    const steps = Model.from(1, { text: optional }).rename("text", "body").to(2)
    const fields = { id, name: Model.replicate(Schema.String), body: Model.local(Schema.String) }
    assert.throws(() => Model.Class<object>("Item")(fields, { version: 3, liftLocal: steps }), /leads to version 2/)
    assert.throws(
      () =>
        Model.Class<object>("Item")(
          { id, name: Model.replicate(Schema.String) },
          { version: 2, liftLocal: steps as never }
        ),
      /only the local fields of a mixed model/
    )
  })
})
