/** Whether peers can give back what a node's log has lost to damage. C26. */
import { assert, describe, it } from "@effect/vitest"
import { refusalOf } from "../../src/Cluster/Repairable.ts"
import type { Configuration } from "../../src/Raft/core/Configuration.ts"

const member = (id: string) => ({ id, address: id, instanceId: id })
const of = (voters: ReadonlyArray<string>, more: Partial<Configuration> = {}): Configuration => ({
  voters: voters.map(member),
  learners: [],
  ...more
})
const self = { nodeId: "a", peers: [], isJoining: false }

describe("damage to a log", () => {
  it("can be repaired where the others are a quorum without the node (C26)", () => {
    assert.isUndefined(refusalOf(self, of(["a", "b", "c"])))
    assert.isUndefined(refusalOf(self, of(["b"], { learners: [{ ...member("a"), autoPromote: false }] })))
    assert.match(refusalOf(self, of(["a", "b"])) ?? "", /without this node, 2 voters have no quorum.*lithair recover/)
    assert.match(refusalOf(self, of(["a"])) ?? "", /1 voters have no quorum/)
    const joint = of(["a", "b", "c"], { outgoing: [member("a"), member("b")] })
    assert.isDefined(refusalOf(self, joint))
  })

  it("is judged by the flags where nothing that is left names the members (C26)", () => {
    const peers = ["a", "b", "c"].map((id) => ({ id }))
    assert.isUndefined(refusalOf({ ...self, peers }, undefined))
    assert.isUndefined(refusalOf({ ...self, isJoining: true }, undefined))
    assert.match(refusalOf({ ...self, peers: peers.slice(0, 2) }, undefined) ?? "", /names 1 other nodes/)
    assert.match(refusalOf(self, of([])) ?? "", /names 0 other nodes/)
  })
})
