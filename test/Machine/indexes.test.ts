/** Indexes: a list by them is the list without them, and looks at few rows; they are what a rebuilt one would be. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as FieldIndex from "../../src/Machine/FieldIndex.ts"
import type { Filter } from "../../src/Machine/Filter.ts"
import type { ListRequest, ListSource } from "../../src/Machine/List.ts"
import { compareKeys, type OrderBy, type OrderValue } from "../../src/Machine/Order.ts"
import { keyOf } from "../../src/Machine/OrderKey.ts"
import * as Procedure from "../../src/Machine/Procedure.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import type { Table } from "../../src/Machine/Table.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { ask, byId, counting, idsOf, list, walk } from "./Listing.ts"
import { seeded } from "./Seeded.ts"
import { contentOfIndex, leader } from "./Store.ts"

class Ware extends Model.Class<Ware>("Ware")(
  {
    id: Model.id(Schema.String),
    code: Model.replicate(Schema.String),
    status: Schema.Literals(["new", "sold", "gone"]),
    rank: Schema.optionalKey(Schema.NullOr(Schema.Union([Schema.Finite, Schema.String, Schema.Boolean]))),
    price: Schema.optionalKey(Schema.String.pipe(Model.decimal)),
    kind: Schema.optionalKey(Schema.NullOr(Schema.Union([Schema.Boolean, Schema.Finite, Schema.String])))
  },
  { unique: ["code"], indexes: ["status", "rank", "price", "kind"] }
) {}
const descriptor = Model.describe(Ware)

const store = () => {
  const { machine, submit } = leader(Procedure.none, [descriptor])
  const table = machine.applied.byModel.get("Ware")!
  const put = (id: string, data: object) => {
    const decision = submit({ _tag: "Put", model: "Ware", id, data: { code: `code of ${id}`, status: "new", ...data } })
    assert.notStrictEqual(decision._tag, "Rejected")
  }
  return { machine, table, put, submit, source: { table, idField: "id" } satisfies ListSource }
}

const named = (n: number) => String(n).padStart(4, "0")
const ranks = [0, 1, 2.5, -0, -7, 1e21, "", "0", "b", "ä", "\u{1f600}", "\uffff", true, false, null] as const
const prices = ["0", "0.00", "-1", "-1.50", "10", "9.5", "010.0", "999999999999999.99", "not money", ""] as const
const kinds: readonly [Schema.Json, ...Array<Schema.Json>] = ["a", 1, null, "", true, -1, "b"]
const randomData = ({ below, pick }: ReturnType<typeof seeded>, isPlain = false) => ({
  status: pick(["new", "sold", "gone"]),
  ...(below(5) === 0 ? {} : { rank: pick(ranks) }),
  ...(below(5) === 0 ? {} : { price: pick(prices) }),
  ...(below(5) === 0 ? {} : { kind: isPlain ? "k" : pick(kinds) })
})

describe("a list by indexes (docs/http.md, Lists)", () => {
  const fields: Record<string, ReadonlyArray<Schema.Json>> = {
    id: ["0003", "0007", "0020"],
    status: ["new", "sold", "none"],
    rank: ranks,
    price: prices,
    code: ["code of 0001", "code of 0002"]
  }
  const filterOf = (random: ReturnType<typeof seeded>): Filter => {
    const { below, pick } = random
    const field: string = pick(["status", "rank", "price", "code", "id"])
    const values = fields[field] ?? []
    const operand = () => values[below(values.length)]!
    if (below(4) === 0) return { _tag: "In", field, operands: Array.from({ length: below(4) }, operand) }
    if (below(6) === 0) return { _tag: "Is", field, isNull: below(2) === 0 }
    return { _tag: "Compare", field, op: pick(["eq", "neq", "gt", "gte", "lt", "lte"] as const), operand: operand() }
  }
  const orderOf = ({ below, pick }: ReturnType<typeof seeded>): ListRequest["orderBy"] => {
    const direction = () => pick(["asc", "desc"] as const)
    const step = (field: string): OrderBy => ({ field, direction: direction() })
    const last = step("id")
    if (below(3) === 0) return [last]
    const first = step(pick(["status", "rank", "price", "code", "kind"]))
    return below(4) === 0 ? [first, step("status"), last] : [first, last]
  }

  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    it(`is the list without them, for any filters, order, page and cursor (seed ${seed})`, () => {
      const random = seeded(seed)
      const { put, source, table } = store()
      for (let n = 0; n < 60; n++) put(named(random.below(40)), randomData(random, seed % 2 === 0))
      const scanned: ListSource = { table: { ...table, indexes: new Map() }, idField: "id" }
      for (let count = 0; count < 300; count++) {
        const filters = Array.from({ length: random.below(4) }, () => filterOf(random))
        const request = { filters, orderBy: orderOf(random), limit: 1 + random.below(9), countsTotal: true }
        let after: ReadonlyArray<OrderValue> | undefined
        do {
          const page = list(source, ask({ ...request, after }))
          const what = `seed ${seed} ${JSON.stringify({ ...request, after })}`
          assert.deepStrictEqual(page, list(scanned, ask({ ...request, after })), what)
          after = page.lastKey
        } while (after !== undefined)
      }
    })
  }

  it("a walk by a field shows each record that stayed and kept its value exactly once, while others come and go", () => {
    for (const field of ["rank", "price", "status"]) {
      for (const direction of ["asc", "desc"] as const) {
        const random = seeded(7)
        const { put, source, submit } = store()
        for (let n = 0; n < 50; n += 2) put(named(n), randomData(random, true))
        const seen = walk(source, { orderBy: [{ field, direction }, byId], limit: 3 }, () => {
          for (let change = 0; change < 5; change++) {
            const id = named(2 * random.below(25) + 1)
            if (random.below(2) === 0) put(id, randomData(random, true))
            else submit({ _tag: "Delete", model: "Ware", id })
          }
        })
        const stayed = seen.filter((id) => Number(id) % 2 === 0)
        const all = Array.from({ length: 25 }, (_, n) => named(2 * n))
        assert.deepStrictEqual(stayed.toSorted(), all)
      }
    }
  })
})

describe("what is looked at (docs/http.md, Lists)", () => {
  const { put, table } = store()
  for (let n = 0; n < 2000; n++) {
    put(named(n), {
      status: n % 1000 === 7 ? "sold" : "new",
      rank: n,
      price: `${n}.50`,
      ...(n < 1990 ? { kind: "k" } : {})
    })
  }
  const looksOf = (request: Partial<ListRequest>) => {
    const { looks, source } = counting(table)
    const ids = idsOf(source, request)
    return { ids, looks: looks() }
  }
  const compare = (field: string, op: "eq" | "gt" | "gte" | "lt" | "lte", operand: string | number): Filter => ({
    _tag: "Compare",
    field,
    op,
    operand
  })
  const byRank = [{ field: "rank", direction: "desc" }, byId] as const
  const byStatus = [{ field: "status", direction: "asc" }, { field: "rank", direction: "asc" }, byId] as const

  it("equality, `in` and null on an indexed field look at the records that they name, whatever the order", () => {
    for (const orderBy of [[byId], byRank, byStatus] as const) {
      const sold = looksOf({ filters: [compare("status", "eq", "sold")], orderBy, countsTotal: true })
      assert.deepStrictEqual(sold.ids.toSorted(), ["0007", "1007"])
      assert.isAtMost(sold.looks, 12)
      const some = looksOf({ filters: [{ _tag: "In", field: "price", operands: ["3.50", "9.5", "3.5"] }], orderBy })
      assert.deepStrictEqual(some.ids.toSorted(), ["0003", "0009"])
      assert.isAtMost(some.looks, 12)
      const none = looksOf({ filters: [{ _tag: "Is", field: "kind", isNull: true }], orderBy })
      assert.strictEqual(none.ids.length, 10)
      assert.isAtMost(none.looks, 40)
    }
  })

  it("a range of an indexed or a unique field looks at no row outside of it, whatever the order", () => {
    const ranges: ReadonlyArray<ReadonlyArray<Filter>> = [
      [compare("rank", "gte", 1000), compare("rank", "lt", 1010)],
      [compare("price", "gt", "1000"), compare("price", "lte", "1009.500")],
      [compare("code", "gte", "code of 1000"), compare("code", "lt", "code of 1010")],
      [compare("id", "gte", "1000"), compare("id", "lt", "1010"), compare("status", "eq", "new")]
    ]
    for (const filters of ranges) {
      for (const orderBy of [[byId], byRank, byStatus] as const) {
        const { ids, looks } = looksOf({ filters, orderBy, countsTotal: true })
        assert.strictEqual(ids.filter((id) => id >= "1000" && id < "1010").length, ids.length)
        assert.isAtLeast(ids.length, 9)
        assert.isAtMost(looks, 70, JSON.stringify({ filters, orderBy }))
      }
    }
  })

  it("of several filters the one that leaves the fewest rows tells how many are looked at", () => {
    const filters = [compare("status", "eq", "new"), compare("rank", "gte", 0), compare("price", "eq", "1234.5")]
    const { ids, looks } = looksOf({ filters, orderBy: byStatus, countsTotal: true })
    assert.deepStrictEqual(ids, ["1234"])
    assert.isAtMost(looks, 20)
  })

  it("a broad filter costs no more than a page of the order, by id or by an indexed field, from any cursor", () => {
    for (const orderBy of [[byId], byRank, [{ field: "price", direction: "asc" }, byId]] as const) {
      const after =
        orderBy[0].field === "id" ? ["0900"] : [orderBy[0].field === "rank" ? 900 : keyOf("decimal", "900.50"), "0900"]
      const broad = [compare("status", "eq", "new"), compare("rank", "gte", 0)]
      for (const filters of [[], broad]) {
        const { ids, looks } = looksOf({ filters, orderBy, limit: 5, after })
        const expected =
          orderBy[0].direction === "asc"
            ? ["0901", "0902", "0903", "0904", "0905"]
            : ["0899", "0898", "0897", "0896", "0895"]
        assert.deepStrictEqual(ids, expected)
        assert.isAtMost(looks, 40, JSON.stringify({ filters, orderBy }))
      }
    }
  })
})

describe("an index", () => {
  /** As it would be, were it made of the rows of its table now. */
  const rebuilt = (table: Table) => {
    const fresh = Tables.makeTable(descriptor)
    for (const [id, row] of table.rows.entries()) FieldIndex.move(fresh, id, { to: row })
    return fresh
  }
  const keysOf = ({ indexes }: Table) => Array.from(indexes, ([field, index]) => [field, contentOfIndex(index)])
  /** Values that compare as one may be held in any of their forms. */
  const assertSame = (left: Table, right: Table, what: string) => {
    for (const [field, index] of left.indexes) {
      const other = contentOfIndex(right.indexes.get(field)!)
      assert.strictEqual(index.size, other.length, what)
      for (const [at, [value, ids]] of contentOfIndex(index).entries()) {
        assert.strictEqual(compareKeys(value, other[at]![0]), 0, `${what} ${field}`)
        assert.deepStrictEqual(ids, other[at]![1], `${what} ${field}`)
      }
    }
  }

  it("is a rebuilt one after any changes, and after a restore from a snapshot; the hash knows none", () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = seeded(seed)
      const { machine, put, submit, table } = store()
      for (let step = 0; step < 80; step++) {
        const id = named(random.below(12))
        if (random.below(4) === 0) submit({ _tag: "Delete", model: "Ware", id })
        else put(id, randomData(random))
        if (random.below(10) === 0) assertSame(table, rebuilt(table), `seed ${seed} step ${step}`)
      }
      assertSame(table, rebuilt(table), `seed ${seed}`)
      assertSame(machine.speculative!.byModel.get("Ware")!, table, `seed ${seed}, speculative`)
      const restoring = Snapshot.restoring([descriptor])
      for (const bytes of Snapshot.encode(Snapshot.take(Tables.clone(machine.applied)))) restoring.take(bytes)
      const restored = Result.getOrThrow(restoring.end())
      assertSame(restored.byModel.get("Ware")!, table, `seed ${seed}, restored`)
      const { indexes: _, ...bare } = table
      assert.strictEqual(Tables.stateHash(restored), Tables.stateHash(machine.applied))
      assert.notProperty(bare, "indexes")
    }
  })

  it("is untouched in a clone by what follows (D5)", () => {
    const { machine, put } = store()
    for (let n = 0; n < 100; n++) put(named(n), { rank: n })
    const clone = Tables.clone(machine.applied).byModel.get("Ware")!
    const held = JSON.stringify(keysOf(clone))
    for (let n = 0; n < 100; n++) put(named(n), { rank: -n, status: "gone" })
    assert.strictEqual(JSON.stringify(keysOf(clone)), held)
  })

  it("a unique decimal is one value in all its forms", () => {
    class Note extends Model.Class<Note>("Note")(
      { id: Model.id(Schema.String), worth: Schema.String.pipe(Model.decimal) },
      { mode: "replicate", unique: ["worth"] }
    ) {}
    const { submit } = leader(Procedure.none, [Model.describe(Note)])
    submit({ _tag: "Put", model: "Note", id: "a", data: { worth: "1.0" } })
    const other = submit({ _tag: "Put", model: "Note", id: "b", data: { worth: "01" } })
    assert.deepInclude(other, { rejection: { _tag: "UniqueViolation", model: "Note", field: "worth" } })
  })
})
