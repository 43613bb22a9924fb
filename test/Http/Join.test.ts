/** A node that asks to be taken in: what may pass is waited for, what stays as it is ends it with one line. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Result } from "effect"
import { joinThrough } from "../../src/Http/Join.ts"
import * as JoinProof from "../../src/Raft/peers/JoinProof.ts"
import { problem, type Reply, type Request, serve } from "../Client/ScriptedNodes.ts"

const secret = "0123456789abcdef0123456789abcdef"
const self = { nodeId: "d", address: "127.0.0.1:1", instanceId: "i", peers: [] }
const members = [{ id: "a", address: "127.0.0.1:2", instanceId: "ia", voter: true }]

/** What a member answers that knows this secret. */
const member =
  (known: string) =>
  ({ body, method }: Request): Reply => {
    if (method === "GET") return { status: 200, body: { challenge: "c" } }
    const { challenge, clusterId, node, nonce, proof } = JSON.parse(body)
    const exchange = { secret: known, challenge, nonce }
    assert.strictEqual(proof, JoinProof.proveNode({ ...exchange, secret }, node, clusterId))
    return { status: 200, body: { clusterId: "x", members, proof: JoinProof.proveMember(exchange, "x", members) } }
  }

const joining = Effect.fnUntraced(function* (reply: (request: Request, before: number) => Reply) {
  const { nodes, requests } = yield* serve(1, reply)
  const join = joinThrough(nodes[0].replace("http://", ""), secret)
  const result = yield* Effect.result(join(self, null)).pipe(Effect.timeout("10 seconds"))
  return { requests, result, says: Result.isFailure(result) ? result.failure.message : "it was taken in" }
})

describe("a node that joins", () => {
  it.live("is taken in by a member that proves the secret, and never sends it", () =>
    Effect.gen(function* () {
      const { requests, result } = yield* joining(member(secret))
      assert.deepStrictEqual(result, Result.succeed({ clusterId: "x", members }))
      assert.notInclude(JSON.stringify(requests), secret)
    }).pipe(Effect.scoped)
  )

  it.live("does not believe a member that does not prove the secret", () =>
    Effect.gen(function* () {
      const { says } = yield* joining(member("another secret"))
      assert.match(
        says,
        /Cannot join through 127\.0\.0\.1:\d+: it did not prove the cluster's secret: check the address and the secret$/
      )
    }).pipe(Effect.scoped)
  )

  const later: ReadonlyArray<readonly [string, Reply]> = [
    ["a cluster without a leader", problem(503, "no-quorum", { definite: true })],
    ["another change under way", problem(409, "membership-refused", { reason: "changing", definite: true })],
    ["a challenge that has run out", problem(409, "membership-refused", { reason: "challengeClosed", definite: true })],
    ["an outcome that nobody knows", problem(504, "unknown-outcome", { definite: false })],
    ["a proxy whose node is not up yet", { status: 502, body: "bad gateway" }],
    ["an answer that is broken off", "hangUp"]
  ]
  for (const [what, reply] of later) {
    it.live(`waits for the end of ${what}`, () =>
      Effect.gen(function* () {
        const { result } = yield* joining((request, before) => (before === 0 ? reply : member(secret)(request)))
        assert.isTrue(Result.isSuccess(result))
      }).pipe(Effect.scoped)
    )
  }

  const never: ReadonlyArray<readonly [string, Reply, RegExp]> = [
    ["another secret", problem(401, "unauthenticated"), /It is unauthenticated/],
    ["a proxy before a node without a secret", problem(403, "forbidden"), /It is forbidden/],
    ["a body that is refused", problem(400, "invalid-request"), /It is invalid-request/],
    ["a member of this id", problem(409, "membership-refused", { reason: "alreadyMember" }), /membership-refused/],
    ["another cluster", problem(409, "membership-refused", { reason: "otherCluster" }), /membership-refused/],
    ["a member that was removed", problem(503, "removed"), /It is removed/],
    ["a node of an older release", problem(404, "not-found"), /older release/],
    ["another server", { status: 404, body: "nothing here" }, /is not a Lithair node/],
    [
      "a server that sends elsewhere",
      { status: 302, headers: { location: "http://127.0.0.1:1" } },
      /is not a Lithair node/
    ],
    ["a page", { status: 200, headers: { "content-type": "text/html" }, body: "<html>" }, /is not a Lithair node/]
  ]
  for (const [what, reply, says] of never) {
    it.live(`ends at once for ${what}`, () =>
      Effect.gen(function* () {
        const found = yield* joining(() => reply)
        assert.match(found.says, says)
        assert.strictEqual(found.says.split("\n").length, 1)
        assert.strictEqual(found.requests.length, 1)
      }).pipe(Effect.scoped)
    )
  }

  it.effect("asks neither itself, nor another host without a secret", () =>
    Effect.gen(function* () {
      const itself = yield* Effect.exit(joinThrough(self.address, secret)(self, null))
      const elsewhere = yield* Effect.exit(joinThrough("10.0.0.7:8081", undefined)(self, null))
      assert.match(String(itself), /that is this node's own address/)
      assert.match(String(elsewhere), /this node has no secret/)
      assert.isTrue(Exit.isFailure(itself) && Exit.isFailure(elsewhere))
    })
  )
})
