/** A map of rows is what a plain map with sorted ids is, at every size, from pages or not; each clone goes on alone. */
import { assert, describe, it } from "@effect/vitest"
import * as RowMap from "../../src/Machine/RowMap.ts"
import * as RowPage from "../../src/Machine/RowPage.ts"
import type { Row } from "../../src/Machine/Table.ts"
import { seeded } from "./Seeded.ts"

type Random = ReturnType<typeof seeded>

const rowOf = (random: Random, id: string): Row => {
  const createdIndex = random.pick([7, 1 + random.below(1000), 2 ** 32 + random.below(1000)])
  return {
    version: 1 + random.below(2),
    createdIndex,
    index: createdIndex + random.below(2) * random.below(2 ** 33),
    modelVersion: 1 + random.below(2),
    data: { id, size: random.below(100), ...(random.below(2) === 0 ? {} : { name: `n${random.below(9)}` }) }
  }
}

/** A map whose rows are in blocks as a snapshot's pages are read. */
const paged = (rows: ReadonlyMap<string, Row>): RowMap.RowMap => {
  const reader = RowPage.reader()
  const pages = RowPage.pagesOf(sorted(rows))
  return RowMap.ofBlocks(Array.from(pages, (page) => reader.read(JSON.parse(JSON.stringify(page))).block))
}

const sorted = (rows: ReadonlyMap<string, Row>) => [...rows].sort(([left], [right]) => (left < right ? -1 : 1))

const assertSame = (map: RowMap.RowMap, expected: ReadonlyMap<string, Row>, random: Random, where: string): void => {
  const rows = sorted(expected)
  const from = random.pick(["", "id", `id${random.below(4000)}`, "z"])
  assert.strictEqual(map.size, expected.size, where)
  assert.deepStrictEqual([...map.entries()], rows, where)
  assert.deepStrictEqual(
    [...map.keys()],
    rows.map(([id]) => id),
    where
  )
  assert.deepStrictEqual(
    [...map.values()],
    rows.map(([, row]) => row),
    where
  )
  assert.deepStrictEqual([...map.entriesReversed()], rows.toReversed(), where)
  assert.deepStrictEqual(
    [...map.entries(from)],
    rows.filter(([id]) => id >= from),
    where
  )
  assert.deepStrictEqual(
    [...map.entriesReversed(from)],
    rows.toReversed().filter(([id]) => id <= from),
    where
  )
}

describe("rows by id", () => {
  it("are those that were set and not deleted, in every clone", () => {
    for (let seed = 0; seed < 12; seed++) {
      const random = seeded(seed)
      const range = [3, 100, 1000, 4000][seed % 4]!
      const steps = 2000
      const ids = Array.from({ length: seed % 3 === 0 ? 0 : range / 2 }, () => `id${random.below(range)}`)
      const begun = new Map(ids.map((id) => [id, rowOf(random, id)]))
      const all = [{ map: paged(begun), expected: begun }]
      for (let step = 0; step < steps; step++) {
        const one = all[random.below(all.length)]!
        const { expected, map } = one
        // In order and in any order; first it grows, then it shrinks.
        const id =
          seed % 2 === 0 && step < steps / 3 ? `id${String(step).padStart(4, "0")}` : `id${random.below(range)}`
        const where = `seed ${seed} step ${step} ${id}`
        assert.deepStrictEqual(map.get(id), expected.get(id), where)
        assert.strictEqual(map.has(id), expected.has(id), where)
        if (random.below(steps) > step) {
          const row = rowOf(random, id)
          map.set(id, row)
          expected.set(id, row)
          assert.strictEqual(map.get(id)?.data, row.data, where)
        } else {
          const victim = random.below(2) === 0 ? id : `id${random.below(range)}`
          assert.strictEqual(map.delete(victim), expected.delete(victim), where)
        }
        if (random.below(400) === 0) {
          const copy = { map: map.clone(), expected: new Map(expected) }
          if (all.length < 4) all.push(copy)
          else all[random.below(4)] = copy
        }
        if (step % 500 === 0 || step === steps - 1) {
          for (const each of all) assertSame(each.map, each.expected, random, where)
        }
      }
      for (const { expected, map } of all) {
        for (const id of expected.keys()) assert.isTrue(map.delete(id), `seed ${seed} ${id}`)
        assertSame(map, new Map(), random, `seed ${seed} without a row`)
        map.set("one", rowOf(random, "one"))
        assert.strictEqual(map.size, 1)
      }
    }
  })
})
