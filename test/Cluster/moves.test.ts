/** Which member has moved or was started again, as its leader sees it. */
import { assert, describe, it } from "@effect/vitest"
import { type Known, movesOf } from "../../src/Cluster/Moves.ts"
import { decodeConfiguration, encodeConfiguration } from "../../src/Raft/core/ConfigurationCodec.ts"
import { targetOf } from "../../src/Raft/core/MembershipChange.ts"

const member = (id: string) => ({ id, address: `10.0.0.1:${id}`, instanceId: `i${id}` })
const members = ["1", "2", "3"].map(member)
const self = { nodeId: "1", address: "10.0.0.1:1", instanceId: "i1" }

/** What the leader finds, where it knows nothing but this. */
const found = (known: Partial<Known>) =>
  movesOf({ members, self, connected: new Map(), introduced: new Map(), isRecording: true, ...known })

describe("a member at another address", () => {
  it("is found by the hello of its data directory", () => {
    assert.deepStrictEqual(found({}), [])
    assert.deepStrictEqual(found({ connected: new Map([["2", member("2")]]) }), [])
    const moved = new Map([["3", { ...member("3"), address: "10.0.0.9:3" }]])
    assert.deepStrictEqual(found({ connected: moved }), [{ id: "3", address: "10.0.0.9:3" }])
  })

  it("may be the leader itself", () => {
    const away = { ...self, address: "10.0.0.9:1" }
    assert.deepStrictEqual(found({ self: away }), [{ id: "1", address: "10.0.0.9:1" }])
  })

  it("is not another data directory under the same id (C16)", () => {
    const foreign = new Map([["3", { address: "10.0.0.9:3", instanceId: "other" }]])
    assert.deepStrictEqual(found({ connected: foreign }), [])
    assert.deepStrictEqual(found({ self: { ...self, address: "x:1", instanceId: "other" } }), [])
  })

  it("keeps its vote, its data directory and its promotion", () => {
    const configuration = { voters: members, learners: [{ ...member("4"), autoPromote: true }] }
    const voter = targetOf(configuration, { _tag: "Move", moves: [{ id: "2", address: "x:2" }] })
    assert.deepStrictEqual(voter, {
      _tag: "Target",
      configuration: { ...configuration, voters: [members[0]!, { ...members[1]!, address: "x:2" }, members[2]!] }
    })
    const learner = targetOf(configuration, { _tag: "Move", moves: [{ id: "4", address: "x:4" }] })
    assert.deepStrictEqual(learner, {
      _tag: "Target",
      configuration: { ...configuration, learners: [{ ...member("4"), address: "x:4", autoPromote: true }] }
    })
    const reasons = [
      targetOf(configuration, { _tag: "Move", moves: [{ id: "5", address: "x:5" }] }),
      targetOf(configuration, { _tag: "Move", moves: [{ id: "2", address: "10.0.0.1:2" }] })
    ].map((found) => (found._tag === "Refused" ? found.reason : undefined))
    assert.deepStrictEqual(reasons, ["unknownMember", "unchanged"])
  })
})

describe("a start of a member's directory (C27)", () => {
  const first = { life: 1, nonce: "a1" }
  const second = { life: 2, nonce: "a2" }
  const recorded = members.map((each) => (each.id === "2" ? { ...each, start: first } : each))
  const connected = new Map([["2", member("2")]])
  const introduced = (start: typeof first | undefined, told: typeof first | undefined) =>
    new Map([["2", { start, told }]])

  it("is recorded once the peer has told it, and not twice", () => {
    const told = found({ connected, introduced: introduced(first, undefined) })
    assert.deepStrictEqual(told, [{ id: "2", address: "10.0.0.1:2", start: first }])
    assert.deepStrictEqual(found({ members: recorded, connected, introduced: introduced(first, undefined) }), [])
    const next = found({ members: recorded, connected, introduced: introduced(second, first) })
    assert.deepStrictEqual(next, [{ id: "2", address: "10.0.0.1:2", start: second }])
  })

  it("is not recorded of a directory that has not shown the recorded one, nor is its address", () => {
    const moved = new Map([["2", { ...member("2"), address: "x:2" }]])
    for (const told of [undefined, { life: 1, nonce: "b1" }]) {
      assert.deepStrictEqual(found({ members: recorded, connected: moved, introduced: introduced(second, told) }), [])
    }
  })

  it("is not recorded where the log may not hold it, of a peer that tells none, or of the only member", () => {
    assert.deepStrictEqual(found({ connected, introduced: introduced(first, undefined), isRecording: false }), [])
    assert.deepStrictEqual(found({ connected, introduced: introduced(undefined, undefined) }), [])
    const starts = { current: first, includes: () => true }
    assert.deepStrictEqual(found({ members: [members[0]!], self: { ...self, starts } }), [])
    assert.deepStrictEqual(found({ self: { ...self, starts } }), [{ id: "1", address: self.address, start: first }])
  })

  it("stays with the member through other changes, and through the log's bytes", () => {
    const configuration = { voters: recorded, learners: [{ ...member("4"), autoPromote: true, start: second }] }
    assert.deepStrictEqual(decodeConfiguration(encodeConfiguration(configuration)), {
      _tag: "Configuration",
      configuration
    })
    const promoted = targetOf(configuration, { _tag: "Promote", id: "4" })
    assert.deepStrictEqual(promoted, {
      _tag: "Target",
      configuration: { voters: [...recorded, { ...member("4"), start: second }], learners: [] }
    })
    for (const start of [
      null,
      {},
      { life: 1 },
      { life: 1, nonce: "" },
      { life: 1.5, nonce: "a" },
      { ...first, x: 1 }
    ]) {
      const bytes = new TextEncoder().encode(JSON.stringify({ voters: [{ ...member("1"), start }] }))
      assert.strictEqual(decodeConfiguration(bytes)._tag, "BadConfiguration", JSON.stringify(start))
    }
  })
})
