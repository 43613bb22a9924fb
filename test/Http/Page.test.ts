import { assert, describe, it } from "@effect/vitest"
import { bodyOf, encodePage } from "../../src/Http/Page.ts"
import type { ListPage } from "../../src/Machine/List.ts"
import type { EncodedRecord } from "../../src/Model.ts"

const rowOf = (record: EncodedRecord) => ({
  id: String(record.id),
  row: { version: 1, createdIndex: 1, index: 1, modelVersion: 1, data: record },
  part: undefined,
  record
})
const page = (count: number, lastKey: ListPage["lastKey"]): ListPage => ({
  rows: Array.from({ length: count }, (_, at) => rowOf({ id: `r${at}`, name: `n${at}`, tags: ["x".repeat(100)] })),
  keys: Array.from({ length: count }, (_, at) => [`n${at}`, null, `r${at}`]),
  lastKey,
  total: undefined
})
const query = { select: undefined, showsVersions: false } as const
const options = { bytesMax: 300 }

describe("a page", () => {
  it("is whole where it is small, and goes on where the machine says", () => {
    const small = encodePage(page(2, ["n1", null, "r1"]), query, options)
    assert.deepStrictEqual([small.items.length, small.lastKey], [2, ["n1", null, "r1"]])
  })

  it("ends with the record that makes it too large, and goes on behind that by its own order key", () => {
    const cut = encodePage(page(10, undefined), query, options)
    assert.deepStrictEqual([cut.items.length, cut.lastKey], [3, ["n2", null, "r2"]])
  })

  it("whose last record makes it too large has no other page behind it", () =>
    assert.deepStrictEqual(encodePage(page(3, undefined), query, options).lastKey, undefined))

  it("counts what is sent, not what is stored", () => {
    const selected = encodePage(page(10, undefined), { ...query, select: ["name"] }, options)
    assert.deepStrictEqual(selected.items.slice(0, 2), ['{"name":"n0"}', '{"name":"n1"}'])
    assert.strictEqual(selected.items.length, 10)
  })

  it("has the version of each record that it holds, if the query asks for them", () => {
    const cut = encodePage(page(10, undefined), { ...query, showsVersions: true }, options)
    assert.deepStrictEqual([cut.items.length, cut.versions], [3, [1, 1, 1]])
    assert.isUndefined(encodePage(page(10, undefined), query, options).versions)
  })

  it("is the JSON of its parts", () => {
    const items = [{ id: "a", name: 'q"' }, { id: "b" }]
    const encoded = items.map((item) => JSON.stringify(item))
    assert.deepStrictEqual(JSON.parse(bodyOf({ items: encoded }, 'c"', 7)), { items, next: 'c"', total: 7 })
    const versions = [3, 1]
    assert.deepStrictEqual(JSON.parse(bodyOf({ items: encoded, versions }, null, 7)), {
      items,
      versions,
      next: null,
      total: 7
    })
    assert.deepStrictEqual(JSON.parse(bodyOf({ items: [] }, null, undefined)), { items: [], next: null })
  })
})
