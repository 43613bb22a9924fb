/** Where entries are in a log that a restore began: arithmetic, held against a list of the indexes that there are. */
import { assert, describe, it } from "@effect/vitest"
import { entriesCount, entryAfter, isHistoryWhole, isPlace, type Restored } from "../../src/Machine/Restored.ts"

const base = 100
const began = (firstIndex: number, lastIndex: number): Restored => ({
  versionFloor: base,
  formerClusterIds: [],
  history: { firstIndex, lastIndex }
})

/** The indexes of a log through 103, and the last places before entries. */
const cases: ReadonlyArray<{
  readonly name: string
  readonly restored: Restored | undefined
  readonly below: number[]
}> = [
  { name: "that no restore began", restored: undefined, below: Array.from({ length: base }, (_, at) => at + 1) },
  { name: "with its whole history", restored: began(1, 5), below: [1, 2, 3, 4, 5] },
  { name: "with a first state", restored: began(98, 100), below: [98, 99, 100] },
  { name: "with an empty first state", restored: began(101, 100), below: [] }
]

describe("a log", () => {
  for (const { below, name, restored } of cases) {
    it(`${name} goes from each index to its next entry`, () => {
      const indexes = [...below, 101, 102, 103]
      for (let index = 0; index <= 102; index++) {
        const after = indexes.filter((each) => each > index)
        assert.strictEqual(entryAfter(restored, index), after[0], `after ${index}`)
        assert.strictEqual(entriesCount(restored, index, 103), after.length, `count after ${index}`)
      }
      assert.strictEqual(entriesCount(restored, 103, 103), 0)
      assert.strictEqual(entriesCount(restored, 0, 100), below.length)
    })
  }

  it("names as places its entries and what comes right before them, and no index that another log may have given", () => {
    const whole = began(1, 5)
    assert.deepStrictEqual(
      [0, 1, 5, 6, 99, 100, 101].map((index) => isPlace(whole, index)),
      [true, true, true, false, false, true, true]
    )
    const first = began(98, 100)
    assert.deepStrictEqual(
      [0, 1, 96, 97, 98, 100, 101].map((index) => isPlace(first, index)),
      [true, false, false, true, true, true, true]
    )
    assert.isTrue(isPlace(undefined, 50))
  })

  it("has its whole history only if that is the former log's", () => {
    assert.isTrue(isHistoryWhole(began(1, 5)))
    assert.isFalse(isHistoryWhole(began(98, 100)))
    assert.isFalse(isHistoryWhole({ versionFloor: base, formerClusterIds: [] }))
  })
})
