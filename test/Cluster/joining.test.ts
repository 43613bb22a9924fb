/** A node that asks to be taken in waits for what may pass, and ends with one line for what stays; a member has it added. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { joinThrough, type Taking, takeIn } from "../../src/Cluster/Joining.ts"
import type { AdministerResult } from "../../src/Cluster/Order.ts"
import { NotDone, UnknownOutcome } from "../../src/Raft/node/Outcome.ts"
import { LinkClosed } from "../../src/Raft/peers/FrameStream.ts"
import type { Hello } from "../../src/Raft/peers/Handshake.ts"
import type { JoinReply } from "../../src/Raft/peers/JoinReply.ts"
import { Transport } from "../../src/Raft/peers/Transport.ts"

const self = { nodeId: "d", address: "127.0.0.1:9", instanceId: "i", peers: [] }
const members = [{ id: "a", address: "127.0.0.1:2", instanceId: "ia" }]
const joined: JoinReply = { _tag: "Joined", clusterId: "x", members }

/** Joins through a member that answers so, one after another; the last answer is repeated. */
const joining = Effect.fnUntraced(function* (...answers: ReadonlyArray<Effect.Effect<JoinReply, LinkClosed>>) {
  let askedCount = 0
  const transport = Transport.of({
    join: () => answers[Math.min(askedCount++, answers.length - 1)]!,
    flush: () => {},
    send: () => false,
    run: () => Effect.never,
    connected: () => new Map(),
    introduced: () => new Map(),
    trouble: () => undefined,
    announce: () => Effect.void
  })
  const result = yield* joinThrough("127.0.0.1:2")(self, null).pipe(
    Effect.provideService(Transport, transport),
    Effect.result,
    Effect.timeout("10 seconds")
  )
  return { askedCount, result, says: Result.isFailure(result) ? result.failure.message : "it was taken in" }
})

const closed = (message: string, refused: boolean) => Effect.fail(new LinkClosed({ message, refused }))
const notJoined = (message: string, isFinal: boolean) =>
  Effect.succeed({ _tag: "NotJoined", message, isFinal } as const)

describe("a node that joins", () => {
  it.live("waits until a cluster that cannot take it in now can", () =>
    Effect.gen(function* () {
      const { askedCount, result } = yield* joining(
        closed("connect ECONNREFUSED", false),
        notJoined("Another change is under way: try again when it is done", false),
        Effect.succeed(joined)
      )
      assert.isTrue(Result.isSuccess(result) && result.success.clusterId === "x")
      assert.strictEqual(askedCount, 3)
    })
  )

  it.live("ends at once and with one line for what stays", () =>
    Effect.gen(function* () {
      for (const answer of [
        closed("The peer refused: d does not prove the cluster secret", true),
        notJoined("There is a member with this id already", true)
      ]) {
        const { askedCount, says } = yield* joining(answer)
        assert.match(says, /^Cannot join through 127\.0\.0\.1:2: .*(does not prove|with this id)/)
        assert.strictEqual(says.split("\n").length, 1)
        assert.strictEqual(askedCount, 1)
      }
    })
  )

  it.effect("does not ask itself", () =>
    Effect.gen(function* () {
      const itself = yield* joinThrough(self.address)(self, null).pipe(
        Effect.provideService(Transport, {} as Transport["Service"]),
        Effect.flip
      )
      assert.match(itself.message, /that is this node's own address/)
    })
  )
})

const hello = (over: Partial<Hello> = {}) =>
  ({ nodeId: "d", address: "127.0.0.1:9", instanceId: "i", clusterId: null, ...over }) as Hello

/** Takes a node in where the leader answers so. */
const taking = Effect.fnUntraced(function* (
  answer: Effect.Effect<AdministerResult, NotDone | UnknownOutcome>,
  over: Partial<Hello> = {},
  /** The members that this node knows once the leader has answered. */
  later = members
) {
  const orders: Array<unknown> = []
  const of: Taking = {
    clusterId: () => "x",
    members: () => (orders.length === 0 ? members : later),
    administer: (order) => {
      orders.push(order)
      return answer
    }
  }
  return { reply: yield* takeIn(of, hello(over)), orders }
})

describe("a member that takes a node in", () => {
  it.effect("has the leader add a learner that will vote, and tells it the cluster", () =>
    Effect.gen(function* () {
      const { orders, reply } = yield* taking(Effect.succeed({ _tag: "Done" }))
      assert.deepStrictEqual(reply, joined)
      const member = { id: "d", address: "127.0.0.1:9", instanceId: "i" }
      const change = { _tag: "AddLearner", member, autoPromote: true }
      assert.deepStrictEqual(orders, [{ _tag: "ChangeMembers", admitted: "proof", change }])
    })
  )

  it.effect("takes one in again that asks again, without another change", () =>
    Effect.gen(function* () {
      const { orders, reply } = yield* taking(Effect.never, { nodeId: "a", address: "127.0.0.1:2", instanceId: "ia" })
      assert.deepStrictEqual([reply, orders], [joined, []])
    })
  )

  it.effect(
    "takes in again who ended before it noted its cluster, also elsewhere and where that is not known yet",
    () =>
      Effect.gen(function* () {
        const moved = yield* taking(Effect.never, { nodeId: "a", address: "127.0.0.1:7", instanceId: "ia" })
        assert.deepStrictEqual([moved.reply, moved.orders], [joined, []])
        const refused = Effect.succeed({ _tag: "Refused", reason: "alreadyMember" } as const)
        // This node lags behind the leader, which has taken the node in before.
        const unheard = yield* taking(refused)
        assert.isTrue(unheard.reply._tag === "NotJoined" && !unheard.reply.isFinal)
        const own = { id: "d", address: "127.0.0.1:9", instanceId: "i" }
        const heard = yield* taking(refused, {}, [...members, own])
        assert.strictEqual(heard.reply._tag, "Joined")
        // Another directory has the id.
        const foreign = yield* taking(refused, {}, [...members, { ...own, instanceId: "another" }])
        assert.isTrue(foreign.reply._tag === "NotJoined" && foreign.reply.isFinal)
      })
  )

  it.effect("says what passes and what stays", () =>
    Effect.gen(function* () {
      const refused = (reason: "changing" | "tooManyMembers" | "unreachable") =>
        Effect.succeed({ _tag: "Refused", reason } as const)
      const cases: ReadonlyArray<readonly [Effect.Effect<AdministerResult, NotDone | UnknownOutcome>, boolean]> = [
        [refused("tooManyMembers"), true],
        [refused("changing"), false],
        [refused("unreachable"), false],
        [Effect.fail(new NotDone({ reason: "no-quorum", message: "no leader" })), false],
        [Effect.fail(new NotDone({ reason: "removed", message: "removed" })), true],
        [Effect.fail(new UnknownOutcome({ message: "unknown" })), false]
      ]
      for (const [answer, isFinal] of cases) {
        const { reply } = yield* taking(answer)
        assert.isTrue(reply._tag === "NotJoined" && reply.isFinal === isFinal, JSON.stringify(reply))
      }
    })
  )

  it.effect("refuses an id or an address that no node can have", () =>
    Effect.gen(function* () {
      for (const over of [{ nodeId: "a b" }, { nodeId: "" }, { address: "0.0.0.0:1" }, { address: "x" }]) {
        const { orders, reply } = yield* taking(Effect.succeed({ _tag: "Done" }), over)
        assert.isTrue(reply._tag === "NotJoined" && reply.isFinal, JSON.stringify(over))
        assert.deepStrictEqual(orders, [])
      }
    })
  )
})
