/** A law of both memories of keys, which copy on write: each clone goes on as if it were alone. */
import { assert } from "@effect/vitest"
import { seeded } from "./Seeded.ts"

/** A memory of keys. Entry `index` has one key, which is the same in all memories. */
export interface Memory<Keys> {
  readonly start: () => Keys
  readonly clone: (keys: Keys) => Keys
  readonly note: (keys: Keys, index: number) => void
  /** All that is held, to compare. */
  readonly held: (keys: Keys) => object
  /** The entry of the key of entry `index`, as a copy asks that was made after `afterIndex`. */
  readonly find: (keys: Keys, index: number, afterIndex: number) => number | undefined
  /** The entry up to which keys like that of entry `index` are forgotten. */
  readonly horizonOf: (keys: Keys, index: number) => number
}

/** Notes keys in up to five clones by turns. Each must hold, after each step, what one does that noted the same alone. */
export const assertClonesGoOnAlone = <Keys>(memory: Memory<Keys>, seedsCount: number): void => {
  const { clone, find, held, horizonOf, note, start } = memory
  /** Keys that were noted in this order, and what others hold after the same notes alone. */
  const noted = (one: Keys, indexes: ReadonlySet<number>) => {
    const fresh = start()
    for (const index of indexes) note(fresh, index)
    return { one, indexes, alone: held(fresh) }
  }
  for (let seed = 0; seed < seedsCount; seed++) {
    const random = seeded(seed)
    const all = [noted(start(), new Set())]
    for (let step = 1; step < 80; step++) {
      const at = random.below(all.length)
      const { indexes, one } = all[at]!
      if (random.below(4) === 0) {
        const copy = { ...all[at]!, one: clone(one) }
        if (all.length < 5) all.push(copy)
        else all[random.below(all.length)] = copy
      } else {
        note(one, step)
        all[at] = noted(one, new Set([...indexes, step]))
      }
      for (const { alone, indexes, one: each } of all) {
        const where = `seed ${seed} step ${step}`
        assert.deepStrictEqual(held(each), alone, where)
        for (let index = 1; index <= step; index++) {
          const expected = indexes.has(index) && index > horizonOf(each, index) ? index : undefined
          if (find(each, index, random.below(index)) === expected) continue
          assert.fail(`${where}: key ${index} is not found as it was noted`)
        }
      }
    }
  }
}
