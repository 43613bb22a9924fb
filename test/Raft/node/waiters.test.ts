import { assert, describe, it } from "@effect/vitest"
import { InvariantViolation } from "../../../src/Invariant.ts"
import * as Waiters from "../../../src/Raft/node/Waiters.ts"

describe("Waiters", () => {
  it("an entry committed with its own term is done", () => {
    const waiters = Waiters.make<string>()
    Waiters.add(waiters, { index: 7, term: 3 }, "a")
    assert.deepStrictEqual(Waiters.settle(waiters, { index: 7, term: 3 }), { done: ["a"], notDone: [] })
    assert.strictEqual(waiters.byIndex.size, 0)
  })

  it("another term's entry at the index proves that the awaited one is not done (Fig. 8)", () => {
    const waiters = Waiters.make<string>()
    Waiters.add(waiters, { index: 7, term: 3 }, "lost")
    Waiters.add(waiters, { index: 7, term: 5 }, "won")
    assert.deepStrictEqual(Waiters.settle(waiters, { index: 7, term: 5 }), { done: ["won"], notDone: ["lost"] })
  })

  it("an entry at another index settles nobody", () => {
    const waiters = Waiters.make<string>()
    Waiters.add(waiters, { index: 7, term: 3 }, "a")
    assert.deepStrictEqual(Waiters.settle(waiters, { index: 6, term: 4 }), { done: [], notDone: [] })
    assert.strictEqual(waiters.byIndex.size, 1)
  })

  it("one who gave up is not told, and leaves nothing behind", () => {
    const waiters = Waiters.make<string>()
    Waiters.add(waiters, { index: 7, term: 3 }, "a")
    Waiters.remove(waiters, 7, "a")
    assert.strictEqual(waiters.byIndex.size, 0)
  })

  it("two proposals at one index and term are a broken invariant", () => {
    const waiters = Waiters.make<string>()
    Waiters.add(waiters, { index: 7, term: 3 }, "a")
    assert.throws(() => Waiters.add(waiters, { index: 7, term: 3 }, "b"), InvariantViolation)
  })
})
