/** Joining proves the secret on both sides, sends it on neither, and cannot be replayed. */
import { assert, describe, it } from "@effect/vitest"
import * as JoinProof from "../../../src/Raft/peers/JoinProof.ts"
import { join } from "../../../src/Raft/peers/Secret.ts"

const secret = "0123456789abcdef0123456789abcdef"
const node = { id: "d", address: "127.0.0.1:8084", instanceId: "i" }
const exchange = { secret, challenge: "c", nonce: "n" }

describe("the proofs of joining", () => {
  it("another secret, challenge, nonce, node, cluster or side makes another proof", () => {
    const proofs = [
      JoinProof.proveNode(exchange, node, null),
      JoinProof.proveNode({ ...exchange, secret: `${secret}!` }, node, null),
      JoinProof.proveNode({ ...exchange, challenge: "d" }, node, null),
      JoinProof.proveNode({ ...exchange, nonce: "m" }, node, null),
      JoinProof.proveNode(exchange, { ...node, address: "127.0.0.1:8085" }, null),
      JoinProof.proveNode(exchange, node, "cluster"),
      JoinProof.proveMember(exchange, node.id, [{ id: node.address, address: node.instanceId, instanceId: "" }]),
      JoinProof.proveMember(exchange, "cluster", [node]),
      JoinProof.proveMember(exchange, "cluster", [node, node])
    ]
    assert.strictEqual(new Set(proofs).size, proofs.length)
    for (const proof of proofs) assert.notInclude(proof, secret)
    assert.isTrue(JoinProof.isProof(proofs[0]!, JoinProof.proveNode(exchange, node, null)))
    assert.isFalse(JoinProof.isProof(proofs[0]!, proofs[1]!))
  })

  it("a node that has two secrets takes a proof of either, and proves the first", () => {
    const both = { ...exchange, secret: join([secret, "another"]) }
    const made = (each: JoinProof.Exchange) => JoinProof.proveNode(each, node, null)
    assert.strictEqual(made(both), made(exchange))
    for (const by of [secret, "another"]) {
      assert.isTrue(JoinProof.isProvenBy(both, made({ ...exchange, secret: by }), made))
    }
    for (const by of ["", "third", both.secret.replace("\n", "")]) {
      assert.isFalse(JoinProof.isProvenBy(both, made({ ...exchange, secret: by }), made))
    }
  })

  it("a challenge is taken once, by the node that made it, and not for long", () => {
    const challenges = JoinProof.makeChallenges()
    const made = challenges.make(0)
    assert.isTrue(challenges.isOpen(made, JoinProof.challengeLifetimeMs - 1))
    assert.isFalse(challenges.isOpen(made, JoinProof.challengeLifetimeMs))
    assert.isFalse(JoinProof.makeChallenges().isOpen(made, 0))
    const later = made.replace(/^\d+/, (expiresMs) => String(Number(expiresMs) + 1))
    for (const forged of ["", ".", "..", later, `${made}x`]) assert.isFalse(challenges.isOpen(forged, 0), forged)
    assert.isTrue(challenges.take(made, 1))
    assert.isFalse(challenges.take(made, 1))
    assert.isFalse(challenges.isOpen(made, 1))
  })

  it("challenges that nobody answered are not kept, and those that were are bounded", () => {
    const challenges = JoinProof.makeChallenges()
    const first = challenges.make(0)
    for (let count = 0; count < 5_000; count++) challenges.make(0)
    let takenCount = 0
    for (let count = 0; count < 2_000; count++) takenCount += Number(challenges.take(challenges.make(0), 0))
    assert.isBelow(takenCount, 2_000)
    assert.isFalse(challenges.take(first, 0))
    const nextMs = JoinProof.challengeLifetimeMs
    assert.isTrue(challenges.take(challenges.make(nextMs), nextMs))
  })
})
