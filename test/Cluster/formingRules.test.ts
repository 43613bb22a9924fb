/** How empty nodes form one cluster, never two, and a node that lost its data does not vote again. C16. */
import { assert, describe, it } from "@effect/vitest"
import { decideForming, type Heard, type Own } from "../../src/Cluster/FormingRules.ts"
import { decodeConfiguration, encodeConfiguration } from "../../src/Raft/core/ConfigurationCodec.ts"

const own = (nodeId: string, peers = ["a", "b", "c"]): Own => ({
  nodeId,
  address: `host-${nodeId}`,
  instanceId: `i${nodeId}`,
  peers
})
const heard = (nodeId: string, over: Partial<Heard> = {}): Heard => ({
  ...own(nodeId),
  clusterId: null,
  expectedInstanceId: null,
  ...over
})
const configuration = {
  voters: ["a", "b", "c"].map((id) => ({ id, address: `host-${id}`, instanceId: `i${id}` })),
  learners: []
}

describe("Forming", () => {
  it("the lowest id mints when all listed nodes are unformed with the same peers (C16)", () => {
    const heardAll = [heard("c", { peers: ["c", "b", "a"] }), heard("b")]
    assert.deepStrictEqual(decideForming({ own: own("a"), heard: heardAll, proposed: undefined }), {
      _tag: "Mint",
      configuration
    })
  })

  it("no other node mints (C16)", () => {
    const decision = decideForming({ own: own("b"), heard: [heard("a"), heard("c")], proposed: undefined })
    assert.deepStrictEqual(decision, { _tag: "Wait", unheard: [], disagreeing: [] })
  })

  it("a node without peers forms alone (C16)", () => {
    const decision = decideForming({ own: own("a", []), heard: [], proposed: undefined })
    assert.deepStrictEqual(decision, {
      _tag: "Mint",
      configuration: { voters: [configuration.voters[0]!], learners: [] }
    })
  })

  it("nobody mints while a listed node is silent, or names other peers (C16)", () => {
    const silent = decideForming({ own: own("a"), heard: [heard("b")], proposed: undefined })
    assert.deepStrictEqual(silent, { _tag: "Wait", unheard: ["c"], disagreeing: [] })
    const other = decideForming({
      own: own("a"),
      heard: [heard("b"), heard("c", { peers: ["a", "c"] })],
      proposed: undefined
    })
    assert.deepStrictEqual(other, { _tag: "Wait", unheard: [], disagreeing: ["c"] })
  })

  it("nobody mints beside a formed peer, even one that no flag names (C16)", () => {
    const formed = heard("z", { clusterId: "c1" })
    const decision = decideForming({ own: own("a"), heard: [heard("b"), heard("c"), formed], proposed: undefined })
    assert.strictEqual(decision._tag, "Wait")
  })

  it("an unformed node adopts the proposed cluster that holds its instance and exactly its peers (C16)", () => {
    const formed = heard("a", { clusterId: "c1", expectedInstanceId: "ib" })
    const decision = decideForming({ own: own("b"), heard: [formed], proposed: { clusterId: "c1", configuration } })
    assert.deepStrictEqual(decision, { _tag: "Adopt", clusterId: "c1", configuration })
  })

  it("a voter that comes back empty is told so by any formed peer, and refuses (C16, diss. 11.7.2)", () => {
    const formed = heard("c", { clusterId: "c1", expectedInstanceId: "old" })
    const decision = decideForming({ own: own("a"), heard: [heard("b"), formed], proposed: undefined })
    assert.strictEqual(decision._tag === "Refuse" ? decision.reason : decision._tag, "DataLost")
  })

  it("a proposal that names another instance, other members, or not this node is refused (C16)", () => {
    const reasonFor = (node: Own) => {
      const decision = decideForming({ own: node, heard: [], proposed: { clusterId: "c1", configuration } })
      return decision._tag === "Refuse" ? decision.reason : decision._tag
    }
    assert.strictEqual(reasonFor({ ...own("b"), instanceId: "new" }), "DataLost")
    assert.strictEqual(reasonFor(own("b", ["a", "b"])), "OtherMembers")
    assert.strictEqual(reasonFor(own("z", ["a", "b", "c"])), "NotAMember")
  })
})

describe("ConfigurationCodec", () => {
  it("a configuration comes back as it went", () => {
    assert.deepStrictEqual(decodeConfiguration(encodeConfiguration(configuration)), {
      _tag: "Configuration",
      configuration
    })
  })

  it("learners and the outgoing voters of a joint configuration come back too (§6, diss. 4.2.1)", () => {
    const [a, b, c] = configuration.voters
    const joint = { voters: [a!, b!], learners: [{ ...c!, autoPromote: true }], outgoing: [a!] }
    assert.deepStrictEqual(decodeConfiguration(encodeConfiguration(joint)), {
      _tag: "Configuration",
      configuration: joint
    })
  })

  it("a payload that holds less, more or other than members is refused", () => {
    const [a, b] = configuration.voters
    const payloads = [
      "",
      "null",
      "[]",
      "{",
      "{}",
      JSON.stringify({ voters: [] }),
      JSON.stringify({ voters: [a], learners: [] }),
      JSON.stringify({ voters: [a], outgoing: [] }),
      JSON.stringify({ voters: [a], witnesses: [a] }),
      JSON.stringify({ learners: [{ ...a, autoPromote: true }] }),
      JSON.stringify({ voters: [a], learners: [{ ...a, autoPromote: true }] }),
      JSON.stringify({ voters: [b], learners: [a] }),
      JSON.stringify({ voters: [b], learners: [{ ...a, autoPromote: 1 }] }),
      JSON.stringify({ voters: [{ ...a, weight: 2 }] }),
      JSON.stringify({ voters: [{ ...a, id: 1 }] }),
      JSON.stringify({ voters: [a, a] }),
      JSON.stringify({ voters: [null] })
    ]
    for (const payload of payloads) {
      assert.strictEqual(decodeConfiguration(new TextEncoder().encode(payload))._tag, "BadConfiguration", payload)
    }
    assert.strictEqual(decodeConfiguration(new Uint8Array([0xff]))._tag, "BadConfiguration")
  })
})
