/** Which member has moved, as its leader sees it. */
import { assert, describe, it } from "@effect/vitest"
import { movedMember } from "../../src/Cluster/Moves.ts"
import { targetOf } from "../../src/Raft/core/MembershipChange.ts"

const member = (id: string) => ({ id, address: `10.0.0.1:${id}`, instanceId: `i${id}` })
const members = ["1", "2", "3"].map(member)
const self = { nodeId: "1", address: "10.0.0.1:1", instanceId: "i1" }

describe("a member at another address", () => {
  it("is found by the hello of its data directory", () => {
    assert.isUndefined(movedMember(members, self, new Map()))
    assert.isUndefined(movedMember(members, self, new Map([["2", member("2")]])))
    const moved = new Map([["3", { ...member("3"), address: "10.0.0.9:3" }]])
    assert.deepStrictEqual(movedMember(members, self, moved), { id: "3", from: "10.0.0.1:3", to: "10.0.0.9:3" })
  })

  it("may be the leader itself", () => {
    const away = { ...self, address: "10.0.0.9:1" }
    assert.deepStrictEqual(movedMember(members, away, new Map()), { id: "1", from: "10.0.0.1:1", to: "10.0.0.9:1" })
  })

  it("is not another data directory under the same id (C16)", () => {
    const foreign = new Map([["3", { address: "10.0.0.9:3", instanceId: "other" }]])
    assert.isUndefined(movedMember(members, self, foreign))
    assert.isUndefined(movedMember(members, { ...self, address: "x:1", instanceId: "other" }, new Map()))
  })

  it("keeps its vote, its data directory and its promotion", () => {
    const configuration = { voters: members, learners: [{ ...member("4"), autoPromote: true }] }
    const voter = targetOf(configuration, { _tag: "Move", id: "2", address: "x:2" })
    assert.deepStrictEqual(voter, {
      _tag: "Target",
      configuration: { ...configuration, voters: [members[0]!, { ...members[1]!, address: "x:2" }, members[2]!] }
    })
    const learner = targetOf(configuration, { _tag: "Move", id: "4", address: "x:4" })
    assert.deepStrictEqual(learner, {
      _tag: "Target",
      configuration: { ...configuration, learners: [{ ...member("4"), address: "x:4", autoPromote: true }] }
    })
    const reasons = [
      targetOf(configuration, { _tag: "Move", id: "5", address: "x:5" }),
      targetOf(configuration, { _tag: "Move", id: "2", address: "10.0.0.1:2" })
    ].map((found) => (found._tag === "Refused" ? found.reason : undefined))
    assert.deepStrictEqual(reasons, ["unknownMember", "unchanged"])
  })
})
