/** Which objects lead to a point, and which go: held against a log whose every entry is known. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import {
  chainsOf,
  chainTo,
  goingOnAfter,
  lastOf,
  nameOf,
  parseName,
  type Shipped,
  unneeded
} from "../../src/Backup/Shipped.ts"

const snapshot = (index: number): Shipped => ({ _tag: "Snapshot", index, timeMs: index * 10 })
const entries = (afterIndex: number, index: number): Shipped => ({
  _tag: "Entries",
  afterIndex,
  index,
  timeMs: index * 10
})
const all = [
  snapshot(10),
  entries(10, 14),
  entries(14, 20),
  snapshot(20),
  entries(18, 26),
  entries(20, 24),
  entries(30, 35)
]

const chain = (point?: Parameters<typeof chainTo>[1]) =>
  Result.map(chainTo(all, point), (found) => [found.snapshot, ...found.entries].map(({ index }) => index))

describe("the objects of a scheduled backup", () => {
  it("are named by what they hold, and other names are none", () => {
    for (const each of all) assert.deepStrictEqual(parseName(nameOf(each)), each)
    for (const name of ["x", `${nameOf(all[0]!)}.part`, "1-2.snapshot.lithair", ""]) assert.isUndefined(parseName(name))
    assert.deepStrictEqual(
      all
        .map(nameOf)
        .toSorted()
        .map((name) => parseName(name)?.index),
      [10, 14, 20, 20, 24, 26, 35]
    )
  })

  it("lead to each point from the newest state before it, over as few archives as there are", () => {
    const index = (at: number) => ({ _tag: "Index", index: at }) as const
    assert.deepStrictEqual(chain(), Result.succeed([20, 26]))
    assert.deepStrictEqual(chain(index(10)), Result.succeed([10]))
    assert.deepStrictEqual(chain(index(13)), Result.succeed([10, 14]))
    assert.deepStrictEqual(chain(index(19)), Result.succeed([10, 14, 20]))
    assert.deepStrictEqual(chain(index(20)), Result.succeed([20]))
    assert.deepStrictEqual(chain(index(25)), Result.succeed([20, 26]))
    assert.isTrue(Result.isFailure(chain(index(27))))
    assert.isTrue(Result.isFailure(chain(index(9))))
    assert.isTrue(Result.isFailure(chainTo([], undefined)))
  })

  it("lead to a time with all entries that were decided by then", () => {
    const time = (timeMs: number) => ({ _tag: "Time", timeMs }) as const
    assert.deepStrictEqual(
      chain(time(99)),
      Result.fail("the oldest state in it is that of index 10, 1970-01-01T00:00:00.100Z")
    )
    assert.deepStrictEqual(chain(time(100)), Result.succeed([10, 14]))
    // Entries of one time may be in two archives.
    assert.deepStrictEqual(chain(time(140)), Result.succeed([10, 14, 20]))
    assert.deepStrictEqual(chain(time(1_000)), Result.succeed([20, 26]))
  })

  it("tell how far each state reaches, and the last entry that any of them names", () => {
    assert.deepStrictEqual(
      Array.from(chainsOf(all), (found) => [found.snapshot.index, found.index]),
      [
        [20, 26],
        [10, 26]
      ]
    )
    assert.deepStrictEqual(lastOf(all), { index: 35, timeMs: 350 })
    assert.strictEqual(goingOnAfter([]), 0)
    assert.strictEqual(goingOnAfter(all), 26)
    assert.strictEqual(goingOnAfter([...all, snapshot(30)]), 26, "what comes before the newest state is shipped too")
    assert.strictEqual(goingOnAfter([snapshot(10)]), 10)
  })

  it("are found among those of a month within the time between two heartbeats", () => {
    // A shipment each ten seconds, and a state each six hours.
    const month: Array<Shipped> = []
    for (let at = 0; at < 30 * 24 * 360; at++) {
      if (at % 2_160 === 0) month.push(snapshot(at))
      month.push(entries(at, at + 1))
    }
    const beganMs = performance.now()
    assert.strictEqual(goingOnAfter(month), 259_200)
    // A search that looks at all of them in each step takes hours, on the thread of the leader.
    assert.isBelow(performance.now() - beganMs, 2_000)
    assert.strictEqual(Result.getOrThrow(chainTo(month, { _tag: "Index", index: 5 })).entries.length, 5)
  })

  it("are needed from the newest state before the kept time on; a state goes only if a newer one is there", () => {
    assert.deepStrictEqual(unneeded(all, 99), [])
    assert.deepStrictEqual(unneeded(all, 199), [])
    assert.deepStrictEqual(unneeded(all, 200), all.slice(0, 3))
    assert.deepStrictEqual(unneeded(all, 1_000_000), all.slice(0, 3))
    assert.deepStrictEqual(unneeded([snapshot(5)], 1_000_000), [])
  })
})
