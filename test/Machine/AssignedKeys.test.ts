import { assert, describe, it } from "@effect/vitest"
import * as AssignedKeys from "../../src/Machine/AssignedKeys.ts"
import * as StateElements from "../../src/Machine/StateElements.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import { seeded } from "./Seeded.ts"

const bounds = { generationSize: 3, generationsMax: 2 }

/** Keys with the hash of a state that holds nothing else. */
const start = () => {
  const hash = StateHash.make()
  StateHash.add(hash, StateElements.horizon(0))
  return { keys: AssignedKeys.make(), hash }
}
type Held = ReturnType<typeof start>
const clone = ({ hash, keys }: Held): Held => ({ keys: AssignedKeys.clone(keys), hash: StateHash.clone(hash) })
const note = ({ hash, keys }: Held, index: number, name = `k${index}`) =>
  AssignedKeys.note(keys, { name, index }, bounds, hash)
const held = ({ hash, keys }: Held) => ({
  entries: [...AssignedKeys.entries(keys)].map(({ index, name }) => [name, index] as const),
  horizonIndex: keys.horizonIndex,
  hash: StateHash.toHex(hash)
})

const upTo = (last: number) => Array.from({ length: last }, (_, at) => at + 1)

describe("the keys that nodes assigned (C17)", () => {
  it("are held by their number, the oldest generation forgotten as a whole, in the hash what is held alone", () => {
    const one = start()
    for (let index = 1; index <= 40; index++) {
      note(one, index * 10)
      const { entries, hash, horizonIndex } = held(one)
      assert.isAtMost(entries.length, 8)
      if (index >= 6) assert.isAtLeast(entries.length, 6)
      assert.strictEqual(horizonIndex, (index - entries.length) * 10)
      for (const [name, at] of entries) assert.strictEqual(AssignedKeys.find(one.keys, name, at - 1), at)
      assert.strictEqual(AssignedKeys.find(one.keys, `k${horizonIndex}`, 0), undefined)
      const alone = StateHash.make()
      for (const { endsGeneration, index, name } of AssignedKeys.entries(one.keys)) {
        StateHash.add(alone, StateElements.assignedKey(name, index))
        if (endsGeneration) StateHash.add(alone, StateElements.generation(index))
      }
      StateHash.add(alone, StateElements.horizon(horizonIndex))
      assert.strictEqual(StateHash.toHex(alone), hash)
    }
  })

  it("keep the first entry of a key that is noted again", () => {
    const one = start()
    note(one, 1, "k")
    const before = held(one)
    note(one, 2, "k")
    assert.deepStrictEqual(held(one), before)
  })

  it("clones go on each by itself, whichever is first, and none sees what another notes", () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = seeded(seed)
      /** Keys that were noted in this order, and what others hold after the same notes alone. */
      const noted = (one: Held, indexes: ReadonlySet<number>) => {
        const fresh = start()
        for (const index of indexes) note(fresh, index)
        return { one, indexes, alone: held(fresh) }
      }
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
          const wrong = upTo(step).filter((index) => {
            const expected = indexes.has(index) && index > each.keys.horizonIndex ? index : undefined
            return AssignedKeys.find(each.keys, `k${index}`, random.below(index)) !== expected
          })
          if (wrong.length > 0) assert.fail(`${where}: ${wrong.join(", ")} are not found as they were noted`)
        }
      }
    }
  })

  it("a copy that is read slowly is of the moment at which it was begun (D5)", () => {
    const one = start()
    for (let index = 1; index <= 7; index++) note(one, index)
    const copy = clone(one)
    const before = held(copy).entries
    const read: Array<readonly [string, number]> = []
    let index = 7
    for (const entry of AssignedKeys.entries(copy.keys)) {
      read.push([entry.name, entry.index])
      for (let count = 0; count < 3; count++) note(one, ++index)
    }
    assert.deepStrictEqual(read, before)
  })
})
