import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as StateContent from "../../src/Machine/StateContent.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { watch } from "../../src/Machine/Watcher.ts"
import { split } from "../../src/Model/Dropped.ts"
import * as Model from "../../src/Model.ts"
import { leader } from "./Store.ts"

class Item extends Model.Class<Item>("Item")({ id: Model.id(Schema.String), name: Model.replicate(Schema.String) }) {}
class Another extends Model.Class<Another>("Item")(
  { id: Model.id(Schema.String), price: Model.replicate(Schema.Int) },
  { version: 3 }
) {}

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String),
  name: Model.replicate(Schema.String)
}) {}
class Cart extends Model.Class<Cart>("Cart")(
  { id: Model.id(Schema.String), productId: Model.replicate(Schema.String) },
  { references: { productId: { model: Product, onDelete: "restrict" } } }
) {}

/** A leader whose release has dropped a model, over a log with records of it. */
const started = (models: ReadonlyArray<Model.Described> = []) => {
  const former = leader(undefined, [Model.describe(Item)])
  for (const id of ["a", "b", "c"]) former.submit({ _tag: "Create", model: "Item", id, data: { name: id } })
  former.submit({ _tag: "Patch", model: "Item", id: "a", data: { name: "again" } })
  former.submit({ _tag: "Delete", model: "Item", id: "c" })
  const leading = leader(undefined, models.map(Model.describe))
  for (const entry of former.entries) Machine.apply(leading.machine, entry)
  Machine.beginSpeculation(leading.machine)
  const table = () => leading.machine.applied.byModel.get("Item")!
  const end = () => leading.submit({ _tag: "End", model: "Item" })
  const forget = (...ids: ReadonlyArray<string>) => leading.submit({ _tag: "Forget", model: "Item", ids })
  return { ...leading, former, table, end, forget }
}

const assertHashed = (tables: Tables.Tables) =>
  assert.strictEqual(StateHash.toHex(StateContent.hashOf(tables)), Tables.stateHash(tables))

describe("a model that is dropped", () => {
  it("ends once, and a release that still has it decides nothing about it", () => {
    const { end, entries, former, table } = started()
    assert.strictEqual(end()._tag, "Accepted")
    assert.isUndefined(end().entry)
    assert.deepInclude(table(), { isEnded: true, modelVersion: 2 })
    for (const entry of entries) Machine.apply(former.machine, entry)
    Machine.beginSpeculation(former.machine)
    const refused = former.submit({ _tag: "Create", model: "Item", data: { name: "late" } })
    assert.deepInclude(refused, { rejection: { _tag: "UpgradeRequired", model: "Item" } })
  })

  it("tells those who watch its tables of each record that is forgotten", () => {
    const { end, entries, forget, former } = started()
    const touched: Array<string> = []
    watch(former.machine.watchers)({ touched: (model, id) => void touched.push(`${model} ${id}`), replaced: () => {} })
    end()
    forget("a", "b")
    for (const entry of entries) Machine.apply(former.machine, entry)
    assert.deepStrictEqual(touched, ["Item a", "Item b"])
  })

  it("keeps what it refers to until it has ended: a leader without its class cannot know that", () => {
    const product = Model.describe(Product)
    const former = leader(undefined, [product, Model.describe(Cart)])
    former.submit({ _tag: "Create", model: "Product", id: "p", data: { name: "anvil" } })
    former.submit({ _tag: "Create", model: "Product", id: "q", data: { name: "nail" } })
    former.submit({ _tag: "Create", model: "Cart", id: "c", data: { productId: "p" } })
    const leading = leader(undefined, [product])
    for (const entry of former.entries) Machine.apply(leading.machine, entry)
    Machine.beginSpeculation(leading.machine)
    const remove = (id: string) => leading.submit({ _tag: "Delete", model: "Product", id })
    for (const id of ["p", "q"]) {
      assert.deepInclude(remove(id), { rejection: { _tag: "UpgradeRequired", model: "Cart" } })
    }
    leading.submit({ _tag: "End", model: "Cart" })
    for (const id of ["p", "q"]) assert.strictEqual(remove(id)._tag, "Accepted")
  })

  it("loses its records and the memory of deleted ones, and a snapshot and the hash say so", () => {
    const { end, forget, machine, table } = started()
    assert.isUndefined(forget("a").entry, "it has not ended")
    end()
    assert.isDefined(forget("a", "none").entry)
    assert.isDefined(forget("b", "c").entry)
    assert.isUndefined(forget("a", "b", "c").entry)
    assert.deepStrictEqual([table().rows.size, table().tombstones.size, table().countByVersion.size], [0, 0, 0])
    assertHashed(machine.applied)
    const restoring = Snapshot.restoring([])
    for (const bytes of Snapshot.encode(Snapshot.take(machine.applied))) restoring.take(bytes)
    const again = Result.getOrThrow(restoring.end())
    assert.isTrue(again.byModel.get("Item")!.isEnded)
    assert.strictEqual(Tables.stateHash(again), Tables.stateHash(machine.applied))
  })

  it("may begin anew in a later version, and no version of a record names two states", () => {
    const { end, forget, machine, submit, table } = started([Another])
    end()
    forget("a", "b", "c")
    submit({ _tag: "Activate", model: "Item", version: 3, checkedIndex: machine.applied.index })
    assert.isFalse(table().isEnded)
    for (const id of ["a", "b", "c", "d"]) {
      assert.isDefined(submit({ _tag: "Create", model: "Item", id, data: { price: 1 } }).entry)
      assert.strictEqual(table().rows.get(id)!.version, 3, "above the last version of any record")
    }
    assertHashed(machine.applied)
  })

  it("does not begin anew in the version of its end: its records would be forgotten", () => {
    class Next extends Model.Class<Next>("Item")(
      { id: Model.id(Schema.String), price: Model.replicate(Schema.Int) },
      { version: 2 }
    ) {}
    const { end, machine, submit, table } = started([Next])
    end()
    assert.deepInclude(table(), { isEnded: true, modelVersion: 2 })
    const refused = submit({ _tag: "Create", model: "Item", id: "d", data: { price: 1 } })
    assert.deepInclude(refused, { rejection: { _tag: "UpgradeRequired", model: "Item" } })
    assert.isUndefined(refused.entry)
    assertHashed(machine.applied)
  })

  it("is not declared beside, and no model refers to it", () => {
    class Line extends Model.Class<Line>("Line")(
      { id: Model.id(Schema.String), item: Model.replicate(Schema.String) },
      { references: { item: { model: Item, onDelete: "restrict" } } }
    ) {}
    assert.throws(() => split([Item, Model.dropped("Item")]), /Model "Item" is declared and dropped/)
    assert.throws(() => split([Line, Model.dropped("Item")]), /Model "Line", field "item": it refers to Item/)
    assert.throws(() => Model.dropped("no name"), /must have a name/)
    assert.deepStrictEqual(split([Item, Model.dropped("Cart")]), { models: [Item], dropped: ["Cart"] })
  })
})
