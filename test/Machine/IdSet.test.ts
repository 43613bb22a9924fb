/** A set of ids holds what was added and not removed, in order, at every size; the set before a change stays as it was. */
import { assert, it } from "@effect/vitest"
import * as IdSet from "../../src/Machine/IdSet.ts"
import { seeded } from "./Seeded.ts"

const idsOf = (ids: IdSet.IdSet | undefined, direction: "asc" | "desc" = "asc", after?: string) =>
  ids === undefined ? [] : Array.from(IdSet.walk(ids, direction, after))

it("adds and removes ids as a sorted set does, and changes no former set", () => {
  for (let seed = 0; seed < 30; seed++) {
    const random = seeded(seed)
    const range = [2, 5, 60, 300, 4000][seed % 5]!
    const steps = range < 1000 ? 400 : 4000
    const expected = new Set<string>()
    let ids: IdSet.IdSet | undefined
    for (let step = 0; step < steps; step++) {
      const former = ids
      const formerIds = step % 40 === 0 ? idsOf(former) : undefined
      const id = `id${random.below(range)}`
      // Grows first, then shrinks to nothing.
      if (random.below(steps) > step) {
        ids = IdSet.add(ids, id)
        expected.add(id)
      } else {
        ids = IdSet.remove(ids, id)
        expected.delete(id)
      }
      if (formerIds !== undefined) assert.deepStrictEqual(idsOf(former), formerIds, `seed ${seed} step ${step}`)
      if (step % (steps / 40) !== 0) continue
      const sorted = [...expected].sort()
      assert.deepStrictEqual(idsOf(ids), sorted, `seed ${seed} step ${step}`)
      assert.deepStrictEqual(idsOf(ids, "desc"), sorted.toReversed(), `seed ${seed} step ${step}`)
      const after = `id${random.below(range)}`
      assert.deepStrictEqual(
        idsOf(ids, "asc", after),
        sorted.filter((each) => each > after)
      )
      assert.deepStrictEqual(
        idsOf(ids, "desc", after),
        sorted.toReversed().filter((each) => each < after)
      )
    }
  }
})
