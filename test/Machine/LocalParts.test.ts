import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as LocalParts from "../../src/Machine/LocalParts.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import { showRow } from "../../src/Machine/ReadRow.ts"
import { storedVersions } from "../../src/Machine/Rows.ts"
import * as StateContent from "../../src/Machine/StateContent.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import type { Entry } from "../../src/Machine/Transaction.ts"
import * as Model from "../../src/Model.ts"
import { leader, User } from "./Store.ts"

const user = Model.describe(User)

const ownLog = () => {
  const machine = Machine.make([])
  const entries: Array<Entry> = []
  const set = (request: Omit<LocalParts.LocalPartRequest, "version"> & { readonly version?: number }) => {
    const parts = [{ descriptor: user, request: { version: 1, ...request } }]
    const decided = LocalParts.decideLocalParts(machine.applied, { parts }, { nowMs: 1, logAgeMs: 1 })
    const entry = Result.isSuccess(decided) ? decided.success.entry : undefined
    if (entry === undefined) return decided
    entries.push(entry)
    Machine.apply(machine, { index: entries.length, payload: entry.payload })
    return decided
  }
  const noteOf = (createdIndex: number) =>
    LocalParts.visible(machine.applied, { model: "User", id: "a", createdIndex })?.data.note
  return { machine, entries, set, noteOf }
}

describe("a local part (D4)", () => {
  it("is shown on the record it was written for, and never on another under the same id", () => {
    const { noteOf, set } = ownLog()
    set({ id: "a", createdIndex: 3, how: "put", data: { note: "mine" } })
    assert.strictEqual(noteOf(3), "mine")
    assert.strictEqual(noteOf(9), undefined)
    set({ id: "a", createdIndex: 9, how: "put", data: { note: "next" } })
    set({ id: "a", createdIndex: 3, how: "put", data: { note: "late" } })
    assert.strictEqual(noteOf(9), "next")
    assert.strictEqual(noteOf(3), undefined)
  })

  it("a put clears what it omits, a patch merges, and what changes nothing appends nothing", () => {
    const { entries, noteOf, set } = ownLog()
    set({ id: "a", createdIndex: 1, how: "patch", data: { note: "n" } })
    set({ id: "a", createdIndex: 1, how: "patch", data: {} })
    assert.strictEqual(entries.length, 1)
    set({ id: "a", createdIndex: 1, how: "put", data: {} })
    assert.strictEqual(noteOf(1), undefined)
    assert.strictEqual(entries.length, 2)
  })

  it("of two versions the higher one stays, whichever is appended last", () => {
    const { noteOf, set } = ownLog()
    set({ id: "a", createdIndex: 1, version: 3, how: "put", data: { note: "three" } })
    set({ id: "a", createdIndex: 1, version: 2, how: "put", data: { note: "two" } })
    assert.strictEqual(noteOf(1), "three")
  })

  it("is refused where its data is wrong, or not local", () => {
    const { set } = ownLog()
    assert.isTrue(Result.isFailure(set({ id: "a", createdIndex: 1, how: "put", data: { note: 1 } })))
    assert.isTrue(Result.isFailure(set({ id: "a", createdIndex: 1, how: "put", data: { email: "e" } })))
    assert.isTrue(Result.isFailure(set({ id: "a", createdIndex: 1, how: "put", data: "note" })))
  })

  it("joins its record in what is read, and is collected once the record is gone", () => {
    const { submit, machine: replicated } = leader()
    const own = ownLog()
    const { local, replicated: data } = LocalParts.split(user, { email: "e", note: "n" })
    submit({ _tag: "Create", model: "User", id: "a", data })
    own.set({ id: "a", createdIndex: 1, how: "put", data: local })
    own.set({ id: "ahead", createdIndex: 99, how: "put", data: local })
    const row = Tables.get(replicated.applied, "User", "a")!
    const part = LocalParts.visible(own.machine.applied, { model: "User", id: "a", createdIndex: row.createdIndex })
    assert.deepStrictEqual(showRow(user, row, part), Result.succeed({ id: "a", email: "e", note: "n" }))
    submit({ _tag: "Delete", model: "User", id: "a" })
    LocalParts.collect(own.machine.applied, replicated.applied, { from: undefined, maxCount: 10 })
    assert.deepStrictEqual(own.machine.applied.byModel.get("User")!.localParts.keysArray(), ["ahead"])
  })

  it("is collected a few parts at a time, going on behind those looked at, and from the beginning after the end", () => {
    const { submit, machine: replicated } = leader()
    const own = ownLog()
    submit({ _tag: "Create", model: "User", id: "kept", data: { email: "e" } })
    for (const id of ["a", "b", "c", "kept", "z"]) own.set({ id, createdIndex: 1, how: "put", data: { note: "n" } })
    const tables = own.machine.applied
    const ids = () => tables.byModel.get("User")!.localParts.keysArray()
    const collect = (from: LocalParts.PartPosition | undefined) =>
      LocalParts.collect(tables, replicated.applied, { from, maxCount: 2 })
    const first = collect(undefined)
    assert.deepStrictEqual([first, ids()], [{ model: "User", id: "b" }, ["c", "kept", "z"]])
    const second = collect(first)
    assert.deepStrictEqual([second, ids()], [{ model: "User", id: "kept" }, ["kept", "z"]])
    assert.deepStrictEqual([collect(second), ids()], [undefined, ["kept"]])
  })

  it("is stored again where an earlier version has the same data, which its steps would change", () => {
    class Scale extends Model.Class<Scale>("Scale")({
      id: Model.id(Schema.String),
      name: Model.replicate(Schema.String),
      weight: Model.local(Schema.Int)
    }) {}
    class NextScale extends Model.Class<NextScale>("Scale")(
      { id: Model.id(Schema.String), name: Model.replicate(Schema.String), weight: Model.local(Schema.Int) },
      {
        version: 2,
        liftLocal: Model.from(1, { weight: Schema.Int })
          .map(({ weight }) => ({ weight: weight * 1000 }))
          .to(2)
      }
    ) {}
    const machine = Machine.make([])
    const put = (descriptor: ReturnType<typeof Model.describe>, index: number, weight: number) => {
      const request = { id: "a", createdIndex: 1, version: 1, how: "put", data: { weight } } as const
      const parts = [{ descriptor, request }]
      const decided = LocalParts.decideLocalParts(machine.applied, { parts }, { nowMs: 1, logAgeMs: 1 })
      const entry = Result.getOrThrow(decided).entry
      if (entry !== undefined) Machine.apply(machine, { index, payload: entry.payload })
      const part = LocalParts.visible(machine.applied, { model: "Scale", id: "a", createdIndex: 1 })
      return { isWritten: entry !== undefined, shown: LocalParts.shownPart(descriptor, part) }
    }
    put(Model.describe(Scale), 1, 5)
    const next = Model.describe(NextScale)
    assert.deepStrictEqual(put(next, 2, 5), { isWritten: true, shown: { weight: 5 } })
    assert.deepStrictEqual(put(next, 3, 5), { isWritten: false, shown: { weight: 5 } })
  })

  it("is counted no more once its record is erased", () => {
    const { machine, set } = ownLog()
    set({ id: "a", createdIndex: 1, how: "put", data: { note: "n" } })
    set({ id: "b", createdIndex: 1, how: "put", data: { note: "n" } })
    LocalParts.forgetErased(machine.applied, {
      erasedAt: (_, id) => (id === "a" ? 2 : 0),
      erasedOf: () => [["a", 2]],
      isErasedId: (id) => id === "a",
      lastIndex: 2
    })
    assert.deepStrictEqual(Object.fromEntries(storedVersions(machine.applied.byModel.get("User"))), { 1: 1 })
  })

  it("does not enter the state hash", () => {
    const { machine, set } = ownLog()
    set({ id: "a", createdIndex: 1, how: "put", data: { note: "n" } })
    set({ id: "a", createdIndex: 1, how: "put", data: { note: "m" } })
    const without = Tables.clone(machine.applied)
    for (const { localParts } of without.byModel.values()) localParts.clear()
    assert.strictEqual(StateHash.toHex(StateContent.hashOf(without)), Tables.stateHash(machine.applied))
  })
})

it("a local model goes through the same decide and evolve, in the node's own log (D4)", () => {
  class View extends Model.Class<View>("View")(
    { id: Model.id(Schema.String), html: Schema.String },
    { mode: "local" }
  ) {}
  const machine = Machine.make([Model.describe(View)])
  Machine.beginSpeculation(machine)
  const at = (index: number) => ({ index, nowMs: 1, newId: () => "v1" })
  assert.strictEqual(
    Machine.decideNext(machine, { _tag: "Create", model: "View", data: { html: "<p>" } }, at(1)).result._tag,
    "Accepted"
  )
  assert.deepStrictEqual(Tables.get(machine.speculative!, "View", "v1")?.data, { id: "v1", html: "<p>" })
  assert.strictEqual(
    Machine.decideNext(machine, { _tag: "Create", model: "View", data: {} }, at(2)).result._tag,
    "Rejected"
  )
})
