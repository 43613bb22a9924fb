/** What nodes tell each other of their data directories, and what follows from it (C27). */
import { assert, describe, it } from "@effect/vitest"
import {
  decodeIntroduction,
  encodeIntroduction,
  foreignStart,
  introductionTo,
  isOutdated,
  laterStart
} from "../../../src/Raft/peers/Introduction.ts"

const first = { life: 1, nonce: "a1" }
const second = { life: 2, nonce: "a2" }
const copied = { life: 2, nonce: "c2" }
const own = { current: second, includes: ({ nonce }: { readonly nonce: string }) => nonce !== copied.nonce }
const member = { id: "b", address: "b:1", instanceId: "ib" }
const peer = { nodeId: "b", instanceId: "ib" }

describe("an introduction", () => {
  it("survives its bytes, and any byte less or more is refused", () => {
    for (const introduction of [
      { start: undefined, known: undefined },
      { start: first, known: undefined },
      { start: undefined, known: first },
      { start: first, known: second }
    ]) {
      const bytes = encodeIntroduction(introduction)
      assert.deepStrictEqual(decodeIntroduction(bytes), introduction)
      assert.property(decodeIntroduction(bytes.subarray(0, -1)), "_tag")
      assert.property(decodeIntroduction(Uint8Array.of(...bytes, 0)), "_tag")
    }
    // It may come into the log of a configuration.
    const strange = encodeIntroduction({ start: { life: 1, nonce: "\n" }, known: undefined })
    assert.property(decodeIntroduction(strange), "_tag")
  })

  it("tells the start that the members have for this very directory", () => {
    const members = [{ ...member, start: first }]
    assert.deepStrictEqual(introductionTo(peer, members, own), { start: second, known: first })
    const other = { ...peer, instanceId: "another" }
    assert.deepStrictEqual(introductionTo(other, members, own), { start: second, known: undefined })
  })

  it("ends the node whose directory lacks what the peer knows", () => {
    const told = (known: typeof first | undefined) => laterStart({ start: undefined, known }, own)
    assert.isUndefined(told(undefined))
    assert.isUndefined(told(first))
    assert.strictEqual(told(copied), copied)
  })

  it("does not count any more once the members name a start of which the peer was not asked", () => {
    const isOld = (start: typeof first | undefined, told: typeof first | undefined, recorded?: typeof first) =>
      isOutdated(peer, { start, told }, [recorded === undefined ? member : { ...member, start: recorded }])
    assert.isFalse(isOld(first, undefined))
    assert.isFalse(isOld(first, undefined, first))
    assert.isFalse(isOld(second, first, first))
    assert.isTrue(isOld(copied, first, second))
    assert.isTrue(isOld(copied, undefined, second))
    // A peer of an older release tells none.
    assert.isFalse(isOld(undefined, undefined, second))
    assert.isFalse(
      isOutdated({ ...peer, instanceId: "another" }, { start: copied, told: undefined }, [{ ...member, start: second }])
    )
  })
})

describe("a configuration that names a start of this node's directory", () => {
  it("ends the node if the directory lacks it", () => {
    const of = (start: typeof first) => ({ voters: [{ ...member, start }], learners: [] })
    assert.isUndefined(foreignStart(of(first), { ...peer, starts: own }))
    assert.strictEqual(foreignStart(of(copied), { ...peer, starts: own }), copied)
    assert.isUndefined(foreignStart(of(copied), { nodeId: "b", instanceId: "another", starts: own }))
    assert.isUndefined(foreignStart(of(copied), peer))
  })
})
