/** The search of small scopes finds what is wrong, by a shortest way; its scopes are searched in test/mutation. */
import { assert, describe, it } from "@effect/vitest"
import { search } from "./SmallScope.ts"

describe("the search of a small scope", () => {
  const scope = { name: "leases", isLed: true, isDiskInstant: true, termMax: 2, beatsMax: 2, inFlightMax: 2 }

  it("finds the stale read of a lease that lasts longer than the promise, the same way every time (diss. 6.4.1)", () => {
    const found = search({ ...scope, config: { readLease: { driftBoundMs: -1 } } })
    assert.match(found.failure?.message ?? "nothing", /a reads by its lease, and misses entry 2/)
    const { acts = [] } = found.failure ?? {}
    assert.include(acts.at(-1), "AppendEntriesReply", "the successor has committed its no-op")
    assert.deepStrictEqual(search({ ...scope, config: { readLease: { driftBoundMs: -1 } } }), found)
  })

  it("ends where a scope does, and then nothing is wrong in it", () => {
    const found = search({ ...scope, beatsMax: 1, config: { readLease: { driftBoundMs: 0 } } })
    assert.isUndefined(found.failure)
    assert.isAbove(found.worlds, 10)
  })
})
