import { assert, describe, it } from "@effect/vitest"
import * as AssignedKeys from "../../src/Machine/AssignedKeys.ts"
import * as StateElements from "../../src/Machine/StateElements.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import { assertClonesGoOnAlone } from "./Clones.ts"

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
    const find = ({ keys }: Held, index: number, afterIndex: number) => AssignedKeys.find(keys, `k${index}`, afterIndex)
    assertClonesGoOnAlone({ start, clone, note, held, find, horizonOf: ({ keys }) => keys.horizonIndex }, 200)
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
