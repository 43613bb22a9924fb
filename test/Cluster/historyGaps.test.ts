/** Which entries a node holds and lacks, held against a plain list of them. */
import { assert, describe, it } from "@effect/vitest"
import { gapsOf, type Holding, heldRanges, newestHeldIn, oldestIndexOf } from "../../src/Cluster/HistoryGaps.ts"
import type { HistoryRange } from "../../src/EventStore/History.ts"
import type { Restored } from "../../src/Machine/Restored.ts"
import * as RaftLog from "../../src/Raft/core/RaftLog.ts"
import { seeded } from "../Machine/Seeded.ts"

/** A node with these ranges of history, whose log on disk begins at `firstIndex` and has entries through `lastIndex`. */
const holding = (options: {
  readonly history: ReadonlyArray<HistoryRange>
  readonly firstIndex: number
  readonly lastIndex: number
  readonly retainedFrom?: number
  readonly restored?: Restored
}): Holding => {
  const { firstIndex, history, lastIndex, retainedFrom = 0 } = options
  return {
    log: RaftLog.fromRecovered({
      hardState: { currentTerm: 1, votedFor: undefined },
      firstIndex,
      lastIndex,
      previousTerm: 1,
      termRuns: [{ fromIndex: firstIndex, term: 1 }]
    }),
    firstIndex: () => firstIndex,
    history: () => history,
    retainedFrom: () => retainedFrom,
    restored: () => options.restored,
    appliedIndex: () => lastIndex
  }
}

const indexesOf = (ranges: ReadonlyArray<HistoryRange>): ReadonlySet<number> =>
  new Set(
    ranges.flatMap(({ fromIndex, toIndex }) =>
      Array.from({ length: toIndex - fromIndex + 1 }, (_, at) => fromIndex + at)
    )
  )

describe("the entries that a node holds", () => {
  it("lack nothing where a restore began the log and no entry is", () => {
    const base = 100
    const began = (history: Restored["history"]) => ({
      versionFloor: base,
      formerClusterIds: [],
      ...(history === undefined ? {} : { history })
    })
    const at = (restored: Restored, history: ReadonlyArray<HistoryRange>, firstIndex = base + 1) =>
      holding({ history, firstIndex, lastIndex: 110, restored })
    const whole = began({ firstIndex: 1, lastIndex: 9 })
    const all = at(whole, [{ fromIndex: 1, toIndex: 9 }])
    assert.deepStrictEqual([gapsOf(all), oldestIndexOf(all)], [[], 1])
    const joined = at(whole, [{ fromIndex: 3, toIndex: 9 }], 105)
    assert.deepStrictEqual(gapsOf(joined), [
      { fromIndex: 101, toIndex: 104 },
      { fromIndex: 1, toIndex: 2 }
    ])
    assert.strictEqual(oldestIndexOf(joined), 105)
    const first = began({ firstIndex: 98, lastIndex: 100 })
    assert.deepStrictEqual(gapsOf(at(first, [])), [{ fromIndex: 98, toIndex: 100 }])
    assert.strictEqual(oldestIndexOf(at(first, [{ fromIndex: 98, toIndex: 100 }])), 98)
    assert.deepStrictEqual(gapsOf(at(began({ firstIndex: 101, lastIndex: 100 }), [])), [])
    assert.deepStrictEqual(gapsOf(at(began(undefined), [])), [], "nobody has what a former release left out")
  })

  it("are those of its log and its history that are retained, and the others are gaps", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = seeded(seed)
      const firstIndex = 1 + random.below(40)
      const lastIndex = firstIndex + random.below(10)
      const retainedFrom = random.below(3) === 0 ? random.below(firstIndex + 1) : 0
      const history: Array<HistoryRange> = []
      for (let next = 1 + random.below(3); next <= lastIndex; ) {
        const toIndex = next + random.below(8)
        history.push({ fromIndex: next, toIndex })
        next = toIndex + 2 + random.below(4)
      }
      const node = holding({ history, firstIndex, lastIndex, retainedFrom })
      const wanted = (index: number) => index >= Math.max(1, retainedFrom)
      const all = [...indexesOf(history), ...indexesOf([{ fromIndex: firstIndex, toIndex: lastIndex }])]
      const held = new Set(all.filter((index) => wanted(index) && index <= lastIndex))
      assert.deepStrictEqual([...indexesOf(heldRanges(node))].sort(), [...held].sort(), `seed ${seed}`)
      const gaps = gapsOf(node)
      const missing = Array.from({ length: firstIndex - 1 }, (_, at) => at + 1).filter(
        (index) => wanted(index) && !held.has(index)
      )
      assert.deepStrictEqual([...indexesOf(gaps.toReversed())], missing, `seed ${seed}`)
      if (gaps.length === 0) assert.strictEqual(oldestIndexOf(node), Math.max(1, retainedFrom) > 1 ? retainedFrom : 1)
      else assert.strictEqual(oldestIndexOf(node), gaps[0]!.toIndex + 1)
    }
  })

  it("tell of no gap while the disk still holds what an installed snapshot replaces (§7)", () => {
    const node = holding({ history: [], firstIndex: 1, lastIndex: 20 })
    RaftLog.startAfter(node.log, { index: 50, term: 2 }, 10)
    assert.deepStrictEqual(gapsOf(node), [])
    assert.deepStrictEqual(gapsOf({ ...node, firstIndex: () => 51 }), [{ fromIndex: 1, toIndex: 50 }])
  })

  it("are found among those that somebody wants, the newest first", () => {
    const held = [
      { fromIndex: 1, toIndex: 10 },
      { fromIndex: 20, toIndex: 30 }
    ]
    assert.deepStrictEqual(newestHeldIn(held, { fromIndex: 5, toIndex: 25 }), { fromIndex: 20, toIndex: 25 })
    assert.deepStrictEqual(newestHeldIn(held, { fromIndex: 5, toIndex: 19 }), { fromIndex: 5, toIndex: 10 })
    assert.isUndefined(newestHeldIn(held, { fromIndex: 11, toIndex: 19 }))
  })
})
