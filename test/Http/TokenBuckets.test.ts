/** Token buckets against a plain model of one, and the bound of their table. */
import { assert, describe, it } from "@effect/vitest"
import { generationMaxCount, make } from "../../src/Http/TokenBuckets.ts"

/** A bucket as one explains it: so many tokens, and more with time. */
const plain = (perSecond: number, burst: number) => {
  let tokens = burst
  let lastMs = 0
  return (nowMs: number): boolean => {
    tokens = Math.min(burst, tokens + ((nowMs - lastMs) * perSecond) / 1000)
    lastMs = nowMs
    // Sums of fractions of a token fall a little short.
    if (tokens < 1 - 1e-6) return false
    tokens -= 1
    return true
  }
}

/** Numbers from a seed, so that a failure can be repeated. */
const random = (seed: number) => () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}

describe("token buckets", () => {
  for (const [perSecond, burst] of [
    [10, 1],
    [4, 20],
    [1 / 3, 20],
    [1000, 2000]
  ] as const) {
    it(`of ${perSecond} a second and ${burst} at once admit what a plain bucket admits`, () => {
      for (let seed = 1; seed <= 20; seed++) {
        const next = random(seed)
        const buckets = make({ perSecond, burst })
        const model = plain(perSecond, burst)
        let nowMs = 0
        for (let count = 0; count < 500; count++) {
          nowMs += Math.floor(next() * 4 * (1000 / perSecond) * next())
          const waitMs = buckets.take("a", nowMs)
          assert.strictEqual(waitMs <= 1e-3, model(nowMs), `seed ${seed}, request ${count}`)
        }
      }
    })
  }

  it("say when the next token comes, and then give it", () => {
    const buckets = make({ perSecond: 2, burst: 3 })
    assert.deepStrictEqual(
      [1, 2, 3].map(() => buckets.take("a", 1_000)),
      [0, 0, 0]
    )
    assert.strictEqual(buckets.take("a", 1_000), 500)
    assert.strictEqual(buckets.waitMs("a", 1_200), 300)
    assert.strictEqual(buckets.take("b", 1_200), 0)
    assert.strictEqual(buckets.take("a", 1_499), 1)
    assert.strictEqual(buckets.take("a", 1_500), 0)
  })

  it("charged for what is done already owe no more than they hold", () => {
    const buckets = make({ perSecond: 20 / 60, burst: 20 })
    assert.isTrue(buckets.isEmpty())
    for (let count = 0; count < 19; count++) buckets.charge("a", 0)
    assert.strictEqual(buckets.waitMs("a", 0), 0)
    buckets.charge("a", 0)
    assert.strictEqual(buckets.waitMs("a", 0), 3_000)
    for (let count = 0; count < 1_000; count++) buckets.charge("a", 0)
    assert.strictEqual(buckets.waitMs("a", 0), 63_000)
    assert.strictEqual(buckets.waitMs("a", 63_000), 0)
  })

  it("keep a bounded table, whoever comes, and remember those who keep coming", () => {
    const buckets = make({ perSecond: 1, burst: 2 })
    for (let count = 0; count < 3; count++) buckets.take("a", 0)
    for (let number = 0; number < 10 * generationMaxCount; number++) {
      buckets.take(`10.${number}`, 0)
      if (number % 1_000 === 0) buckets.charge("a", 0)
    }
    assert.isAtMost(buckets.size(), 2 * generationMaxCount)
    assert.isAbove(buckets.take("a", 0), 0)
    // This one has not come again, so it is forgotten: its bucket is full.
    assert.strictEqual(buckets.take("10.0", 0), 0)
    assert.strictEqual(buckets.take("10.0", 0), 0)
  })
})
