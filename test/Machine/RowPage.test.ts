/** Pages of rows give back every row as it was; a table that is loaded at once is one into which each row was put. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as IndexBuilding from "../../src/Machine/IndexBuilding.ts"
import * as RowBlock from "../../src/Machine/RowBlock.ts"
import * as RowPage from "../../src/Machine/RowPage.ts"
import * as Rows from "../../src/Machine/Rows.ts"
import * as StateElements from "../../src/Machine/StateElements.ts"
import type { Row } from "../../src/Machine/Table.ts"
import * as TableLoading from "../../src/Machine/TableLoading.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import type { EncodedRecord } from "../../src/Model/EncodedRecord.ts"
import * as Model from "../../src/Model.ts"
import { seeded } from "./Seeded.ts"
import { contentOfIndex } from "./Store.ts"

class Ware extends Model.Class<Ware>("Ware")(
  {
    id: Model.id(Schema.String),
    sku: Model.replicate(Schema.String),
    status: Schema.optionalKey(Schema.NullOr(Schema.String)),
    price: Schema.optionalKey(Schema.Finite)
  },
  { unique: ["sku"], indexes: ["status", "price"] }
) {}
const descriptor = Model.describe(Ware)

type Random = ReturnType<typeof seeded>

/** Records with fields that come and go, in any order, with names and values that a careless writer would lose. */
const recordOf = (random: Random, id: string): EncodedRecord => {
  const fields = ["sku", "status", "price", "nested", "2", "1", "ü\n", "__proto__", "constructor"]
  const values = [null, "", "status", "x".repeat(50), 0, -0.5, 1e21, true, [1, [2]], { a: { __proto__: 1 } }, "\ud800"]
  const chosen = fields.filter(() => random.below(2) === 0).sort(() => random.below(3) - 1)
  const entries = chosen.map((field) => [field, values[random.below(values.length)]] as const)
  return Object.fromEntries(
    random.below(4) === 0 ? [...entries, ["id", id]] : [["id", id], ...entries]
  ) as EncodedRecord
}

const rowOf = (random: Random, data: EncodedRecord): Row => {
  const createdIndex = 1 + random.below(1000)
  return {
    version: 1 + random.below(2),
    createdIndex,
    index: createdIndex + random.below(2) * random.below(1000),
    modelVersion: 1 + random.below(2),
    data
  }
}

const idOf = (number: number) => `id${String(number).padStart(6, "0")}`

/** With the order of the keys, which the hash counts. */
const textOf = (rows: Iterable<readonly [string, Row]>) =>
  Array.from(rows, ([id, row]) => StateElements.row("Ware", id, row))

const afterJson = (page: RowPage.RowPage): RowPage.RowPage => JSON.parse(JSON.stringify(page))

describe("pages of rows", () => {
  it("give back the rows as they were, with the order of their fields and the prototype of plain objects", () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = seeded(seed)
      const rows = Array.from({ length: random.below(60) }, (_, at): readonly [string, Row] => [
        idOf(at),
        rowOf(random, recordOf(random, random.below(9) === 0 ? "another id" : idOf(at)))
      ])
      const reader = RowPage.reader()
      const read = Array.from(RowPage.pagesOf(rows)).flatMap((page) => {
        const { block } = reader.read(afterJson(page))
        return block.ids.map((id, at) => [id, RowBlock.rowAt(block, at)] as const)
      })
      assert.deepStrictEqual(textOf(read), textOf(rows), `seed ${seed}`)
      for (const [, { data }] of read) {
        assert.strictEqual(Object.getPrototypeOf(data), Object.prototype)
        assert.strictEqual(data.constructor === Object || Object.hasOwn(data, "constructor"), true)
      }
    }
  })

  it("hold a bounded number of rows and of characters, however unequal the rows are", () => {
    const random = seeded(1)
    const rows = Array.from({ length: 3000 }, (_, at): readonly [string, Row] => [
      idOf(at),
      rowOf(random, { id: idOf(at), sku: at % 100 === 99 ? "x".repeat(100_000) : "y" })
    ])
    let count = 0
    for (const page of RowPage.pagesOf(rows)) {
      count += page.ids.length
      assert.isAtMost(page.ids.length, 256)
      assert.isBelow(JSON.stringify(page).length, 200_000)
    }
    assert.strictEqual(count, rows.length)
  })
})

describe("a table that is loaded at once", () => {
  it("has the rows and indexes of one into which each row was put", () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = seeded(seed)
      const wareOf = (id: string): EncodedRecord => ({
        id,
        sku: seed % 2 === 0 ? `sku${random.below(1_000_000)}` : `sku${random.below(3)}`,
        ...(random.below(3) === 0 ? {} : { status: random.pick([null, "a", "b"]) }),
        ...(random.below(3) === 0 ? {} : { price: random.below(1000) - 500 })
      })
      const rows = Array.from({ length: seed % 10 === 0 ? 0 : random.below(400) }, (_, at): readonly [string, Row] => [
        idOf(at),
        // This release reads records of another version one by one.
        { ...rowOf(random, wareOf(idOf(at))), ...(seed % 4 < 2 ? { modelVersion: descriptor.version } : {}) }
      ])
      const put = Tables.makeTable(descriptor)
      const begun = Tables.makeTable(descriptor)
      const loading = TableLoading.make(begun)
      const { read } = RowPage.reader()
      for (const [id, row] of rows) Rows.put(put, id, row, undefined)
      // Alone, or in pages of some.
      for (let at = 0; at < rows.length; ) {
        const some = rows.slice(at, at + 1 + random.below(80))
        at += some.length
        if (random.below(4) > 0) {
          const page = read(afterJson(RowPage.pageOf(some)))
          assert.isTrue(Result.isSuccess(TableLoading.takePage(loading, begun, page)))
        } else {
          for (const [id, row] of some) {
            assert.isTrue(Result.isSuccess(TableLoading.take(loading, begun, id, row)))
          }
        }
      }
      const loaded = rows.length === 0 ? begun : TableLoading.end(loading, begun)
      IndexBuilding.defer(loaded)
      assert.isDefined(loaded.due)
      // What comes behind the snapshot finds the rows, and leaves the indexes to the end.
      for (let changes = random.below(40); changes > 0 && (seed % 3 !== 0 || rows.length === 0); changes--) {
        const id = idOf(random.below(rows.length + 20))
        const before = put.rows.get(id)
        const changed = { ...rowOf(random, wareOf(id)), index: 2000 + changes }
        // Another record of the same index is one that was stored anew.
        const next =
          before === undefined ? changed : random.pick([undefined, changed, { ...changed, index: before.index }])
        for (const table of [put, loaded]) {
          if (next !== undefined) Rows.put(table, id, next, before)
          else Rows.remove(table, id, before!)
        }
      }
      IndexBuilding.build(loaded)
      assert.isUndefined(loaded.due)
      assert.deepStrictEqual(Rows.storedVersions(loaded), Rows.storedVersions(put), `seed ${seed}`)
      assert.deepStrictEqual([...loaded.rows.entries()], [...put.rows.entries()], `seed ${seed}`)
      for (const [field, index] of put.indexes) {
        const other = loaded.indexes.get(field)!
        other.checkValid()
        assert.deepStrictEqual(contentOfIndex(other), contentOfIndex(index), `seed ${seed} ${field}`)
      }
    }
  })

  it("is copied only with its indexes", () => {
    const tables = Tables.make([descriptor])
    const table = tables.byModel.get(descriptor.name)!
    const loading = TableLoading.make(table)
    TableLoading.take(loading, table, "a", rowOf(seeded(1), { id: "a", sku: "s" }))
    tables.byModel.set(descriptor.name, TableLoading.end(loading, table))
    assert.throws(() => Tables.clone(tables), /before its indexes were built/)
    Tables.buildIndexes(tables)
    assert.strictEqual(Tables.clone(tables).byModel.get(descriptor.name)?.indexes.get("sku")?.size, 1)
  })

  it("refuses a row that does not come after the one before", () => {
    const table = Tables.makeTable(descriptor)
    const loading = TableLoading.make(table)
    const row = rowOf(seeded(1), { id: "b", sku: "s" })
    assert.isTrue(Result.isSuccess(TableLoading.take(loading, table, "b", row)))
    for (const id of ["a", "b"]) {
      assert.deepStrictEqual(
        TableLoading.take(loading, table, id, row),
        Result.fail("its rows are not in the order of their ids")
      )
    }
  })
})
