/** Lists over a table: the laws (a cursor walk is the full list), the order of values, and what is not looked at. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Filter } from "../../src/Machine/Filter.ts"
import type { ListRequest, ListSource } from "../../src/Machine/List.ts"
import * as LocalParts from "../../src/Machine/LocalParts.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import { compareKeys } from "../../src/Machine/Order.ts"
import { keyOf } from "../../src/Machine/OrderKey.ts"
import * as Model from "../../src/Model.ts"
import { ask, byId, counting, idsOf, list, walk } from "./Listing.ts"
import { seeded } from "./Seeded.ts"

class Item extends Model.Class<Item>("Item")(
  {
    id: Model.id(Schema.String),
    code: Model.replicate(Schema.String),
    rank: Schema.optionalKey(Schema.NullOr(Schema.Finite)),
    price: Schema.optionalKey(Schema.String),
    note: Model.local(Schema.String)
  },
  { unique: ["code"] }
) {}
const descriptor = Model.describe(Item)

interface ItemData {
  readonly id: string
  readonly code?: string
  readonly rank?: number | null
  readonly price?: string
}

/** A machine whose every decision is applied at once. */
const store = (items: ReadonlyArray<ItemData> = []) => {
  const machine = Machine.make([descriptor])
  const table = machine.applied.byModel.get("Item")!
  const run = (command: Parameters<typeof Machine.decideNext>[1]) => {
    Machine.beginSpeculation(machine)
    const index = machine.applied.index + 1
    const { entry, result } = Machine.decideNext(machine, command, { index, nowMs: 1, newId: () => "new" })
    if (entry !== undefined) Machine.apply(machine, { index, payload: entry.payload })
    return result
  }
  const put = ({ id, ...data }: ItemData) => {
    const decision = run({ _tag: "Put", model: "Item", id, data: { code: `code of ${id}`, ...data } })
    assert.strictEqual(decision._tag === "Rejected", false)
  }
  const remove = (id: string) => run({ _tag: "Delete", model: "Item", id })
  items.forEach(put)
  return { source: { table, idField: "id" } satisfies ListSource, table, put, remove }
}

const orders: ReadonlyArray<ListRequest["orderBy"]> = [
  [byId],
  [{ field: "id", direction: "desc" }],
  [{ field: "rank", direction: "asc" }, byId],
  [
    { field: "rank", direction: "desc" },
    { field: "price", direction: "asc" },
    { field: "id", direction: "desc" }
  ]
]
const filterSets: ReadonlyArray<ReadonlyArray<Filter>> = [
  [],
  [{ _tag: "Compare", field: "rank", op: "gte", operand: 1 }],
  [
    { _tag: "Compare", field: "id", op: "gte", operand: "04" },
    { _tag: "Compare", field: "id", op: "lte", operand: "40" }
  ],
  [{ _tag: "In", field: "id", operands: ["07", "05", "07", "absent", "31"] }],
  [{ _tag: "Is", field: "rank", isNull: true }]
]

const named = (n: number) => String(n).padStart(2, "0")
const randomItem = ({ below }: ReturnType<typeof seeded>, id: string): ItemData => ({
  id,
  ...(below(4) === 0 ? {} : { rank: below(3) === 0 ? null : below(3) }),
  ...(below(2) === 0 ? {} : { price: `${below(3)}.5` })
})

describe("a cursor walk (docs/http.md, Lists)", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    it(`is the full list, at every page size, order and filter (seed ${seed})`, () => {
      const random = seeded(seed)
      const { source } = store(Array.from({ length: 50 }, (_, n) => randomItem(random, named(n))))
      for (const orderBy of orders) {
        for (const filters of filterSets) {
          const whole = list(source, ask({ orderBy, filters, limit: 1000, countsTotal: true }))
          assert.strictEqual(whole.lastKey, undefined)
          assert.strictEqual(whole.total, whole.rows.length)
          const ids = whole.rows.map(({ id }) => id)
          assert.strictEqual(new Set(ids).size, ids.length)
          for (const limit of [1, 7, 50]) assert.deepStrictEqual(walk(source, { orderBy, filters, limit }), ids)
        }
      }
    })

    it(`shows each record that stayed and kept its key exactly once, while others come and go (seed ${seed})`, () => {
      for (const orderBy of orders) {
        const random = seeded(seed)
        // The even ones stay; the odd ones come, change and go between any two pages.
        const staying = Array.from({ length: 25 }, (_, n) => randomItem(random, named(2 * n)))
        const { put, remove, source } = store(staying)
        const seen = walk(source, { orderBy, limit: 3 }, () => {
          for (let change = 0; change < 5; change++) {
            const id = named(2 * random.below(25) + 1)
            if (random.below(2) === 0) put(randomItem(random, id))
            else remove(id)
          }
        })
        const stayed = seen.filter((id) => Number(id) % 2 === 0)
        assert.deepStrictEqual(
          stayed.toSorted(),
          staying.map(({ id }) => id)
        )
        const atOnce = idsOf(source, { orderBy }).filter((id) => Number(id) % 2 === 0)
        assert.deepStrictEqual(stayed, atOnce)
      }
    })
  }

  it("goes on after a last record that was deleted meanwhile, in either direction", () => {
    for (const direction of ["asc", "desc"] as const) {
      const { remove, source } = store(["a", "b", "c", "d"].map((id) => ({ id })))
      const orderBy = [{ field: "id", direction }] as const
      const page = list(source, ask({ orderBy, limit: 2 }))
      remove(page.rows[1]!.id)
      const rest = idsOf(source, { orderBy, after: page.lastKey })
      assert.deepStrictEqual(rest, direction === "asc" ? ["c", "d"] : ["b", "a"])
    }
  })

  it("ends with the page that holds the last record, and an empty table has an empty page", () => {
    const { source } = store([{ id: "a" }, { id: "b" }])
    assert.strictEqual(list(source, ask({ limit: 2 })).lastKey, undefined)
    assert.deepStrictEqual(list(source, ask({ limit: 1 })).lastKey, ["a"])
    for (const orderBy of orders) {
      for (const filters of filterSets) {
        const page = list(store().source, ask({ orderBy, filters, countsTotal: true }))
        assert.deepStrictEqual(page, { rows: [], keys: [], lastKey: undefined, total: 0 })
      }
    }
  })
})

describe("the order of encoded values", () => {
  it("is total: booleans, numbers, texts by code unit, arrays and objects as their one text, and null last", () => {
    const ascending = [
      false,
      true,
      -1,
      0,
      2,
      10,
      "",
      "10",
      "2",
      "Z",
      [1],
      "a",
      { a: 1 },
      "é",
      "\u{1f600}",
      "\uffff",
      null
    ]
    for (const [i, left] of ascending.entries()) {
      for (const [j, right] of ascending.entries()) {
        const compared = compareKeys(keyOf("plain", left), keyOf("plain", right))
        assert.strictEqual(Math.sign(compared), Math.sign(i - j), JSON.stringify([left, right]))
      }
    }
  })

  it("puts null and absent last, first when descending, and breaks ties by id", () => {
    const { source } = store([
      { id: "d", rank: 1 },
      { id: "c" },
      { id: "b", rank: null },
      { id: "a", rank: 1 },
      { id: "e", rank: 0 }
    ])
    assert.deepStrictEqual(idsOf(source, { orderBy: [{ field: "rank", direction: "asc" }, byId] }), [..."eadbc"])
    assert.deepStrictEqual(idsOf(source, { orderBy: [{ field: "rank", direction: "desc" }, byId] }), [..."bcade"])
  })

  it("compares decimals by value where a field says so: order, ranges and equality", () => {
    const { source } = store([
      { id: "a", price: "10.00" },
      { id: "b", price: "9.50" },
      { id: "c", price: "-3.00" },
      { id: "d", price: "-20.00" },
      { id: "e", price: "999999999999999.99" },
      { id: "f", price: "999999999999999.98" }
    ])
    const money = { ...source, table: { ...source.table, orders: new Map([["price", "decimal"]] as const) } }
    assert.deepStrictEqual(idsOf(money, { orderBy: [{ field: "price", direction: "asc" }, byId] }), [..."dcbafe"])
    const met = (op: "gt" | "eq", operand: string) =>
      idsOf(money, { filters: [{ _tag: "Compare", field: "price", op, operand }] })
    assert.deepStrictEqual(met("gt", "9.5"), ["a", "e", "f"])
    assert.deepStrictEqual(met("eq", "010"), ["a"])
  })
})

describe("filters", () => {
  const { source } = store([
    { id: "a", rank: 1, price: "a*b" },
    { id: "b", rank: 2, price: "abab" },
    { id: "c", rank: null, price: "ab" },
    { id: "d", price: "b" }
  ])
  const met = (...filters: ReadonlyArray<Filter>) => idsOf(source, { filters }).join("")

  it("each comparison holds where its name says; null is unlike every operand, and neither more nor less", () => {
    const rank = (op: "eq" | "neq" | "gt" | "gte" | "lt" | "lte", operand: Schema.Json) =>
      met({ _tag: "Compare", field: "rank", op, operand })
    assert.deepStrictEqual(
      [rank("eq", 1), rank("neq", 1), rank("gt", 1), rank("gte", 1), rank("lt", 2), rank("lte", 2)],
      ["a", "bcd", "b", "ab", "a", "ab"]
    )
    assert.deepStrictEqual([rank("lt", "2"), rank("eq", "1"), rank("neq", "1"), rank("eq", null)], ["", "", "abcd", ""])
    assert.strictEqual(met({ _tag: "In", field: "rank", operands: [2, 1, 7] }), "ab")
    assert.strictEqual(met({ _tag: "In", field: "rank", operands: [] }), "")
    assert.strictEqual(met({ _tag: "Is", field: "rank", isNull: true }), "cd")
    assert.strictEqual(met({ _tag: "Is", field: "rank", isNull: false }), "ab")
  })

  it("several are joined by AND, and a member of every object is no field", () => {
    const positive: Filter = { _tag: "Compare", field: "rank", op: "gt", operand: 0 }
    assert.strictEqual(met(positive, { _tag: "Compare", field: "id", op: "neq", operand: "a" }), "b")
    assert.strictEqual(met({ _tag: "Is", field: "constructor", isNull: false }), "")
  })

  it("like: anchored at both ends, each star any text, and segments never overlap", () => {
    const like = (...segments: ReadonlyArray<string>) => met({ _tag: "Like", field: "price", segments })
    assert.strictEqual(like("ab"), "c")
    assert.strictEqual(like("a", "b"), "abc")
    assert.strictEqual(like("", "ba", ""), "b")
    assert.strictEqual(like("ab", "ab"), "b")
    assert.strictEqual(like("", "b", "b"), "b")
    assert.strictEqual(like("", ""), "abcd")
    assert.strictEqual(met({ _tag: "Like", field: "rank", segments: ["", ""] }), "")
  })
})

describe("what is looked at", () => {
  const { table } = store(Array.from({ length: 1000 }, (_, n) => ({ id: String(n).padStart(4, "0"), rank: n })))
  const looksOf = (request: Partial<ListRequest>) => {
    const { looks, source } = counting(table)
    return { ids: idsOf(source, request), looks: looks() }
  }
  const compare = (field: string, op: "eq" | "gte" | "lt", operand: string): Filter => ({
    _tag: "Compare",
    field,
    op,
    operand
  })

  it("the order by id walks from the cursor, from either end, and stops behind the page", () => {
    const asc = looksOf({ limit: 3, after: ["0500"] })
    assert.deepStrictEqual(asc.ids, ["0501", "0502", "0503"])
    assert.isAtMost(asc.looks, 6)
    const desc = looksOf({ limit: 3, after: ["0500"], orderBy: [{ field: "id", direction: "desc" }] })
    assert.deepStrictEqual(desc.ids, ["0499", "0498", "0497"])
    assert.isAtMost(desc.looks, 6)
  })

  it("equality on the id or a unique field looks up, and a range of ids looks at no row outside, whatever the order", () => {
    assert.deepStrictEqual(looksOf({ filters: [compare("id", "eq", "0700")] }), { ids: ["0700"], looks: 1 })
    const byCode = looksOf({ filters: [compare("code", "eq", "code of 0700")] })
    assert.deepStrictEqual(byCode.ids, ["0700"])
    assert.isAtMost(byCode.looks, 5)
    const nobody = looksOf({ filters: [compare("code", "eq", "none")] })
    assert.deepStrictEqual(nobody.ids, [])
    assert.isAtMost(nobody.looks, 5)
    const range = [compare("id", "gte", "0990"), compare("id", "lt", "0993")]
    for (const field of ["id", "rank"]) {
      for (const direction of ["asc", "desc"] as const) {
        const { ids, looks } = looksOf({ filters: range, orderBy: [{ field, direction }, byId], countsTotal: true })
        assert.deepStrictEqual(ids.toSorted(), ["0990", "0991", "0992"])
        assert.isAtMost(looks, 12)
      }
    }
  })
})

it("records are filtered, ordered and shown with the local part that belongs to them, and no other (D4)", () => {
  const { remove, put, source } = store([{ id: "a" }, { id: "b" }, { id: "c" }])
  remove("c")
  put({ id: "c" })
  const own = Machine.make([descriptor])
  const parts = own.applied.byModel.get("Item")!
  for (const [id, createdIndex] of [
    ["b", 2],
    ["c", 3]
  ] as const) {
    LocalParts.setLocalPart(parts, { model: "Item", id, createdIndex, version: 1, data: { note: `of ${id}` } })
  }
  const joined = { ...source, localParts: parts.localParts }
  const page = list(joined, ask({ orderBy: [{ field: "note", direction: "asc" }, byId] }))
  assert.deepStrictEqual(
    page.rows.map(({ part, record }) => [record.id, record.note, part?.revision]),
    [
      ["b", "of b", 1],
      ["a", undefined, undefined],
      ["c", undefined, undefined]
    ]
  )
  assert.deepStrictEqual(idsOf(joined, { filters: [{ _tag: "Is", field: "note", isNull: false }] }), ["b"])
})
