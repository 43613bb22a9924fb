/** Who may speak to a node: its peers, of its cluster, who prove the secret. C15, D8. */
import { assert, describe, it } from "@effect/vitest"
import {
  checkHello,
  checkProof,
  checkRemoteAddress,
  decodeHello,
  describeRefusal,
  encodeHello,
  type Hello,
  isLoopback,
  prove
} from "../../../src/Raft/peers/Handshake.ts"
import { join } from "../../../src/Raft/peers/Secret.ts"

const hello = (over: Partial<Hello>): Hello => ({
  protocolMin: 1,
  protocolMax: 2,
  clusterId: "c1",
  nodeId: "a",
  address: "localhost:1",
  targetNodeId: "b",
  instanceId: "ia",
  expectedInstanceId: null,
  lane: "control",
  peers: ["a", "b"],
  processNonce: new Uint8Array(16).fill(3),
  nonce: new Uint8Array(32).fill(1),
  ...over
})
const own = hello({})
const theirs = hello({ nodeId: "b", targetNodeId: "a", instanceId: "ib", nonce: new Uint8Array(32).fill(2) })

describe("Handshake", () => {
  it("a hello survives the wire, and is refused when cut at any byte", () => {
    for (const sample of [own, hello({ clusterId: null, expectedInstanceId: "x", lane: "bulk", peers: [] })]) {
      const frame = encodeHello(sample)
      assert.deepStrictEqual(decodeHello(frame), sample)
      for (let length = 0; length < frame.length; length++) {
        assert.property(decodeHello(frame.subarray(0, length)), "_tag", `cut at ${length}`)
      }
    }
    assert.property(decodeHello(encodeHello(hello({ nonce: new Uint8Array(31) }))), "_tag", "a short nonce")
    const short = hello({ processNonce: new Uint8Array(15) })
    assert.property(decodeHello(encodeHello(short)), "_tag", "a short nonce of the process")
  })

  it("a hello with a control character in any of its texts is refused, and the refusal does not quote it", () => {
    const forged = "x\n[15:00:00.000] FATAL (#1): forged\u001b[2J"
    for (const field of [
      "clusterId",
      "nodeId",
      "address",
      "targetNodeId",
      "instanceId",
      "expectedInstanceId",
      "peers"
    ] as const) {
      for (const text of [forged, "\0", "\u007f", "\u0085"]) {
        const decoded = decodeHello(encodeHello(hello({ [field]: field === "peers" ? ["a", text] : text })))
        assert.deepInclude(decoded, { _tag: "Malformed", found: "a control character" }, field)
        if ("_tag" in decoded) assert.notMatch(describeRefusal({ _tag: "BadHello", malformed: decoded }), /\p{Cc}/u)
      }
    }
  })

  it("peers agree on the highest version that both speak (D2)", () => {
    const newer = { ...theirs, protocolMin: 2, protocolMax: 5 }
    assert.deepStrictEqual(checkHello({ own, theirs: newer }), { _tag: "Agreed", protocol: 2 })
  })

  it("ranges of versions without a common one are refused", () => {
    const newer = { ...theirs, protocolMin: 3, protocolMax: 5 }
    assert.deepStrictEqual(checkHello({ own, theirs: newer }), { _tag: "NoCommonProtocol", own: "1-2", theirs: "3-5" })
  })

  it("a node of another cluster is refused (C15)", () => {
    assert.strictEqual(checkHello({ own, theirs: { ...theirs, clusterId: "c2" } })._tag, "WrongCluster")
  })

  it("a formed and an unformed node may speak, for one may have to learn of the cluster (C16)", () => {
    assert.strictEqual(checkHello({ own, theirs: { ...theirs, clusterId: null } })._tag, "Agreed")
  })

  it("a hello meant for, or coming from, another node is refused (C15)", () => {
    assert.strictEqual(checkHello({ own, theirs: { ...theirs, targetNodeId: "c" } })._tag, "WrongNode")
    assert.strictEqual(checkHello({ own, theirs: { ...theirs, nodeId: "c" } })._tag, "WrongNode")
    assert.strictEqual(
      checkHello({ own: { ...own, targetNodeId: "a" }, theirs: { ...own, targetNodeId: "a" } })._tag,
      "WrongNode"
    )
  })

  it("the two sides of one socket are of one lane", () => {
    assert.strictEqual(checkHello({ own, theirs: { ...theirs, lane: "bulk" } })._tag, "WrongLane")
  })

  it("a proof convinces only with the secret, the hellos, the nonces and the role it was made for", () => {
    const made = { secret: "s", role: "dialer", dialer: own, acceptor: theirs } as const
    const proof = prove(made)
    assert.isUndefined(checkProof({ ...made, proof }))
    const refused = { _tag: "BadProof", from: "a" } as const
    assert.deepStrictEqual(checkProof({ ...made, secret: "t", proof }), refused)
    assert.deepStrictEqual(checkProof({ ...made, secret: undefined, proof }), refused)
    assert.deepStrictEqual(checkProof({ ...made, acceptor: { ...theirs, nonce: new Uint8Array(32) }, proof }), refused)
    assert.deepStrictEqual(checkProof({ ...made, dialer: { ...own, clusterId: null }, proof }), refused)
    assert.deepStrictEqual(checkProof({ ...made, proof: proof.subarray(1) }), refused)
    assert.strictEqual(checkProof({ ...made, role: "acceptor", proof })?._tag, "BadProof", "a reflected proof")
  })

  it("a secret is replaced in three rolling restarts, in each of which all nodes prove what the others take", () => {
    const phases = [["old"], ["old", "new"], ["new", "old"], ["new"]].map(join)
    const convinces = (by: string, at: string) => {
      const made = { role: "dialer", dialer: own, acceptor: theirs } as const
      return checkProof({ ...made, secret: at, proof: prove({ ...made, secret: by }) }) === undefined
    }
    for (const [at, phase] of phases.entries()) {
      for (const other of phases.slice(at, at + 2)) {
        assert.isTrue(convinces(phase, other) && convinces(other, phase), JSON.stringify([phase, other]))
      }
    }
    assert.isFalse(convinces(phases[2]!, phases[0]!), "a restart was left out")
    assert.isFalse(convinces(phases[0]!, phases[3]!))
    assert.isFalse(convinces("", phases[1]!))
  })

  it("peers of other hosts need TLS, or a secret and the operator's word (D8)", () => {
    const alone = { secret: undefined, isTls: false, insecurePeers: false }

    for (const address of ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "::ffff:127.0.0.1", "localhost"]) {
      assert.isUndefined(checkRemoteAddress({ ...alone, remoteAddress: address }), address)
    }
    for (const address of ["10.0.0.1", "::ffff:10.0.0.1", "127.0.0.1.evil.example", "2001:db8::1", ""]) {
      assert.isFalse(isLoopback(address), address)
      for (const refused of [{}, { secret: "s" }, { insecurePeers: true }]) {
        const refusal = checkRemoteAddress({ ...alone, ...refused, remoteAddress: address })
        assert.strictEqual(refusal?._tag, "NotLoopback", address)
      }
      for (const taken of [{ isTls: true }, { secret: "s", insecurePeers: true }]) {
        assert.isUndefined(checkRemoteAddress({ ...alone, ...taken, remoteAddress: address }))
      }
    }
  })

  it("a refusal says what was expected and what was found", () => {
    assert.strictEqual(
      describeRefusal({ _tag: "WrongCluster", own: "c1", theirs: "c2" }),
      "wrong cluster: own c1, theirs c2"
    )
  })
})
