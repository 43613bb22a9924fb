import { assert, describe, it } from "@effect/vitest"
import * as DatedKeys from "../../src/Machine/DatedKeys.ts"
import { digestOf } from "../../src/Machine/KeyDigest.ts"
import * as KeyPage from "../../src/Machine/KeyPage.ts"
import { initial, type KeyLimits, keyLimitsOf } from "../../src/Machine/Limits.ts"
import * as StateElements from "../../src/Machine/StateElements.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import { assertClonesGoOnAlone } from "./Clones.ts"
import { seeded } from "./Seeded.ts"

const tight: KeyLimits = { ...keyLimitsOf(initial), datedKeysMax: 12, datedGenerationSize: 3 }

/** Keys with the hash of a state that holds nothing else. */
const start = () => ({ keys: DatedKeys.make(), hash: StateHash.make() })
type Held = ReturnType<typeof start>
const clone = ({ hash, keys }: Held): Held => ({ keys: DatedKeys.clone(keys), hash: StateHash.clone(hash) })

/** The key of an entry, and its bucket. */
const keyAt = (index: number, bucket = index % 3) => ({ bucket, digest: digestOf(`k${index}`), index })
const note = ({ hash, keys }: Held, index: number, bucket?: number, limits = tight) =>
  DatedKeys.note(keys, keyAt(index, bucket), limits, hash)
const held = ({ hash, keys }: Held) => ({
  entries: [...DatedKeys.entries(keys)],
  horizons: [...DatedKeys.horizons(keys)],
  count: keys.count,
  hash: StateHash.toHex(hash)
})

/** The hash of what is held, counted from the beginning. */
const counted = ({ keys }: Held): string => {
  const hash = StateHash.make()
  for (const { bucket, digest, endsGeneration, index } of DatedKeys.entries(keys)) {
    StateHash.add(hash, StateElements.datedKey(bucket, digest, index))
    if (endsGeneration) StateHash.add(hash, StateElements.datedGeneration(bucket, index))
  }
  for (const { bucket, horizonIndex } of DatedKeys.horizons(keys)) {
    StateHash.add(hash, StateElements.bucketHorizon(bucket, horizonIndex))
  }
  return StateHash.toHex(hash)
}

describe("dated keys (C17)", () => {
  it("that were noted are held, or the horizon of their bucket is not below them", () => {
    for (let seed = 0; seed < 20; seed++) {
      const random = seeded(seed)
      const one = start()
      const noted: Array<ReturnType<typeof keyAt>> = []
      for (let index = 1; index <= 200; index++) {
        const bucket = random.below(1 + random.below(6))
        note(one, index, bucket)
        noted.push(keyAt(index, bucket))
        assert.isAtMost(one.keys.count, tight.datedKeysMax)
        assert.strictEqual(one.keys.count, [...DatedKeys.entries(one.keys)].length)
        for (const { bucket, digest, index } of noted) {
          const found = DatedKeys.find(one.keys, { bucket, digest, afterIndex: index - 1 })
          const isForgotten = DatedKeys.horizonOf(one.keys, bucket) >= index
          assert.strictEqual(found, isForgotten ? undefined : index, `seed ${seed}, key ${index}`)
        }
      }
      assert.strictEqual(held(one).hash, counted(one), `seed ${seed}`)
    }
  })

  it("of a bucket that floods are forgotten, and those of no other", () => {
    const one = start()
    // A small one comes before it, and one behind it.
    const small = [1, 1, 1, 3, 3, 3]
    for (const [at, bucket] of small.entries()) note(one, at + 1, bucket)
    for (let index = small.length + 1; index <= 1_000; index++) note(one, index, 2)
    for (const [at, bucket] of small.entries()) {
      const { digest } = keyAt(at + 1)
      assert.strictEqual(DatedKeys.find(one.keys, { bucket, digest, afterIndex: 0 }), at + 1)
    }
    for (const bucket of [1, 3]) assert.strictEqual(DatedKeys.horizonOf(one.keys, bucket), 0)
    assert.isAbove(DatedKeys.horizonOf(one.keys, 2), 980)
  })

  it("of many small buckets go a few at a time, the oldest of the largest first", () => {
    const one = start()
    const limits = { ...keyLimitsOf(initial), datedKeysMax: 1_000 }
    for (let index = 1; index <= 5_000; index++) note(one, index, index % 100, limits)
    assert.isAbove(one.keys.count, 990)
    // Each bucket got every hundredth key, so it holds the last ten or so.
    for (let bucket = 0; bucket < 100; bucket++) {
      assert.isAtLeast(DatedKeys.horizonOf(one.keys, bucket), 3_500)
      assert.isAtMost(DatedKeys.horizonOf(one.keys, bucket), 4_500)
    }
  })

  it("keep the first entry of a key that is noted again", () => {
    const one = start()
    const limits = { ...tight, datedKeysMax: 1_000_000 }
    note(one, 1, 0, limits)
    const before = held(one)
    DatedKeys.note(one.keys, { ...keyAt(1, 0), index: 2 }, limits, one.hash)
    assert.deepStrictEqual(held(one), before)
  })

  it("clones go on each by itself, whichever is first, and none sees what another notes", () => {
    const find = ({ keys }: Held, index: number, afterIndex: number) =>
      DatedKeys.find(keys, { bucket: keyAt(index).bucket, digest: keyAt(index).digest, afterIndex })
    const horizonOf = ({ keys }: Held, index: number) => DatedKeys.horizonOf(keys, keyAt(index).bucket)
    assertClonesGoOnAlone({ start, clone, note, held, find, horizonOf }, 12)
  })

  it("come back from pages as they were, and go on alike", () => {
    for (let seed = 0; seed < 4; seed++) {
      const random = seeded(seed)
      const one = start()
      const limits = { ...tight, datedKeysMax: 2_000, datedGenerationSize: 700 }
      let index = 0
      for (let count = 0; count < 3_000; count++) note(one, ++index, random.below(3), limits)
      const again = start()
      for (const horizon of DatedKeys.horizons(one.keys)) DatedKeys.setHorizon(again.keys, horizon, again.hash)
      for (const page of KeyPage.pagesOf(one.keys)) {
        const written: KeyPage.KeyPage = JSON.parse(JSON.stringify(page))
        assert.strictEqual(KeyPage.hold(again.keys, written, again.hash)._tag, "Success")
      }
      assert.deepStrictEqual(held(again), held(one))
      for (let count = 0; count < 500; count++) {
        const bucket = random.below(3)
        for (const each of [one, again]) note(each, index + 1, bucket, limits)
        index++
        assert.strictEqual(held(again).hash, held(one).hash)
      }
    }
  })

  it("of a page that lacks a part of a digest are refused", () => {
    const one = start()
    const page = { bucket: 0, digests: Buffer.alloc(20).toString("base64"), distances: [1] }
    assert.strictEqual(KeyPage.hold(one.keys, page, one.hash)._tag, "Failure")
  })
})
