/** Commands forwarded over a transport that the test plays. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, FiberSet, Result } from "effect"
import { system } from "../../src/Access/Caller.ts"
import * as Forwarding from "../../src/Cluster/Forwarding.ts"
import type { Order } from "../../src/Cluster/Order.ts"
import { readOrder } from "../../src/Cluster/readOrder.ts"
import * as Timeouts from "../../src/Cluster/Timeouts.ts"
import type { Command } from "../../src/Machine/Command.ts"
import type { NotDone, UnknownOutcome } from "../../src/Raft/node/Outcome.ts"
import { outcomeOf, type Settle } from "../../src/Raft/node/Settle.ts"
import type { PeerMessage } from "../../src/Raft/peers/PeerMessage.ts"
import { Transport } from "../../src/Raft/peers/Transport.ts"
import { forwardBodyMaxBytes } from "../../src/Raft/peers/Wire.ts"
import { begin, pass, turns } from "../Raft/node/Shell.ts"

const command: Command = { _tag: "Create", model: "User", data: { email: "u@x" } }
const order: Order = { _tag: "Decide", command }

const sendingBy = (send: (to: string, message: PeerMessage) => void) =>
  Transport.of({
    join: () => Effect.never,
    flush: () => {},
    send: (to, _lane, message) => {
      send(to, message)
      return true
    },
    run: () => Effect.never,
    connected: () => new Map(),
    introduced: () => new Map(),
    trouble: () => undefined,
    announce: () => Effect.void
  })

const recording = (sent: Array<PeerMessage>) => sendingBy((_, message) => void sent.push(message))

/** What one node forwards and answers; each request of its own as an effect. */
const make = Effect.fnUntraced(function* <Answer>(options: {
  readonly transport: Transport["Service"]
  readonly life: number
  readonly submit: (settle: Settle<Answer, never>) => void
}) {
  const fork = yield* FiberSet.makeRuntime<never>()
  const timeouts = Timeouts.make({ clock: yield* Clock.Clock, fork })
  const forwarding = yield* Forwarding.make<Order, Answer>({
    ...options,
    read: readOrder,
    submit: (_, settle) => options.submit(settle),
    timeouts,
    fork
  })
  return {
    ...forwarding,
    forwardNow: forwarding.forward,
    forward: (to: string, request: Order, timeoutMs: number) =>
      outcomeOf<Answer, NotDone | UnknownOutcome>((settle) => forwarding.forward(to, request, timeoutMs, settle))
  }
})

const start = Effect.fnUntraced(function* (life = 1) {
  const sent: Array<PeerMessage> = []
  const transport = recording(sent)
  const answer = { index: 7, result: { _tag: "Accepted", answer: { operations: [] } } }
  const submit = (settle: Settle<unknown, never>) => settle(Exit.succeed(answer))
  return { sent, forwarding: yield* make({ transport, life, submit }) }
})

const requestIdOf = (message: PeerMessage | undefined): number => {
  assert.isTrue(message?._tag === "Forward" || message?._tag === "ForwardReply")
  const { requestIds } = message as { readonly requestIds: ReadonlyArray<number> }
  assert.lengthOf(requestIds, 1)
  return requestIds[0]!
}

describe("Forwarding", () => {
  it.effect("an answer to a former life of a node is no answer to this one, though both count alike (C23)", () =>
    Effect.gen(function* () {
      const former = yield* start(7)
      yield* begin(former.forwarding.forward("b", order, 1000))
      const latter = yield* start(8)
      const waiting = yield* begin(latter.forwarding.forward("b", order, 1000))
      assert.strictEqual(requestIdOf(latter.sent[0]), requestIdOf(former.sent[0]))
      const body = new TextEncoder().encode(JSON.stringify([{ _tag: "Answered", index: 7, answer: {} }]))
      const reply = { _tag: "ForwardReply", requestIds: [requestIdOf(latter.sent[0])], body } as const
      latter.forwarding.receive("b", { ...reply, life: 7 })
      yield* turns
      assert.isUndefined(waiting.settled())
      latter.forwarding.receive("b", { ...reply, life: 8 })
      assert.strictEqual((yield* waiting.join)._tag, "Success")
    })
  )

  it.effect("a request is answered under the life and the number that it came with (C23)", () =>
    Effect.gen(function* () {
      const { forwarding, sent } = yield* start()
      const body = new TextEncoder().encode(JSON.stringify([order]))
      forwarding.receive("b", { _tag: "Forward", life: 5, requestIds: [3], body })
      yield* turns
      const [reply] = sent
      assert.isTrue(reply?._tag === "ForwardReply" && reply.life === 5 && reply.requestIds[0] === 3)
    })
  )

  it.effect("an answer that is there when sending returns finds who waits for it", () =>
    Effect.gen(function* () {
      const body = new TextEncoder().encode(JSON.stringify([{ _tag: "Answered", answer: "at once" }]))
      const peer: { receive: Forwarding.Forwarding<Order, string>["receive"] } = { receive: () => {} }
      const transport = sendingBy((to, message) =>
        peer.receive(to, { _tag: "ForwardReply", life: 1, requestIds: [requestIdOf(message)], body })
      )
      const forwarding = yield* make<string>({ transport, life: 1, submit: () => {} })
      peer.receive = forwarding.receive
      assert.strictEqual(yield* forwarding.forward("b", order, 1000), "at once")
    })
  )

  it.effect("a command that reached a socket and is not answered in time is unknown (C18)", () =>
    Effect.gen(function* () {
      const { forwarding } = yield* start()
      const waiting = yield* begin(forwarding.forward("b", order, 1000))
      yield* pass(1000)
      const outcome = yield* waiting.join
      assert.strictEqual(outcome._tag === "Failure" && outcome.failure._tag, "UnknownOutcome")
    })
  )

  it.effect("what is under way to a leader that another follows is unknown a moment later, and no sooner (C18)", () =>
    Effect.gen(function* () {
      const { forwarding, sent } = yield* start()
      const waiting = yield* Effect.forEach(["b", "b", "c"], (to) => begin(forwarding.forward(to, order, 2000)))
      forwarding.leaderChanged("c")
      yield* pass(100)
      // It has handed over, and answers what its successor has had committed.
      const body = new TextEncoder().encode(JSON.stringify([{ _tag: "Answered", answer: {} }]))
      forwarding.receive("b", { _tag: "ForwardReply", life: 1, requestIds: [requestIdOf(sent[1])], body })
      yield* pass(100)
      assert.deepStrictEqual(
        waiting.map(({ settled }) => settled() !== undefined),
        [true, true, false]
      )
      const [hung, answered] = yield* Effect.forEach(waiting.slice(0, 2), ({ join }) => join)
      assert.strictEqual(hung?._tag === "Failure" && hung.failure._tag, "UnknownOutcome")
      assert.strictEqual(answered?._tag, "Success")
    })
  )

  it.effect(
    "bytes that are no order, or one of another version, are certainly not done, and the next order is carried out",
    () =>
      Effect.gen(function* () {
        const { forwarding, sent } = yield* start()
        const text = new TextEncoder()
        forwarding.receive("b", { _tag: "Forward", life: 1, requestIds: [1], body: text.encode("{") })
        const later = { ...order, command: { ...command, notBefore: 7 } }
        for (const [at, json] of [order, later, { _tag: "Decide" }, command, null].entries()) {
          forwarding.receive("b", {
            _tag: "Forward",
            life: 1,
            requestIds: [2 + at],
            body: text.encode(JSON.stringify([json]))
          })
        }
        yield* turns
        assert.lengthOf(sent, 1, "the answers of one turn share a frame")
        const replies = sent.flatMap((message) => {
          if (message._tag !== "ForwardReply") return []
          const told = JSON.parse(new TextDecoder().decode(message.body)) as ReadonlyArray<{
            readonly _tag: string
            readonly reason?: string
          }>
          return message.requestIds.map((requestId, at) => [requestId, told[at]!.reason ?? told[at]!._tag])
        })
        assert.sameDeepMembers(replies, [
          [1, "upgrade-required"],
          [2, "Answered"],
          [3, "upgrade-required"],
          [4, "upgrade-required"],
          [5, "upgrade-required"],
          [6, "upgrade-required"]
        ])
      })
  )

  it.effect(
    "what no frame holds is not sent: a request is certainly not done, an answer is said to be unknown (C18)",
    () =>
      Effect.gen(function* () {
        const { forwarding, sent } = yield* start()
        const data = { email: "x".repeat(forwardBodyMaxBytes) }
        const asked = yield* Effect.exit(
          forwarding.forward("b", { _tag: "Decide", command: { ...command, data } }, 1000)
        )
        assert.include(JSON.stringify(asked), "NotDone")
        assert.lengthOf(sent, 0)
        const transport = recording(sent)
        const submit = (settle: Settle<string, never>) => settle(Exit.succeed("x".repeat(forwardBodyMaxBytes)))
        const leader = yield* make({ transport, life: 1, submit })
        leader.receive("b", {
          _tag: "Forward",
          life: 1,
          requestIds: [1],
          body: new TextEncoder().encode(JSON.stringify([order]))
        })
        yield* turns
        const [reply] = sent
        const body = reply?._tag === "ForwardReply" ? new TextDecoder().decode(reply.body) : assert.fail("no reply")
        assert.strictEqual((JSON.parse(body) as [{ readonly _tag: string }])[0]._tag, "Unknown")
      })
  )

  it.effect("bytes and JSON that are no reply say nothing of what became of a request (C18)", () =>
    Effect.gen(function* () {
      const { forwarding, sent } = yield* start()
      const replies = [
        "{",
        "null",
        "7",
        "[]",
        "{}",
        '{"_tag":"Done"}',
        '{"_tag":"NotDone","reason":"newer"}',
        '{"_tag":"Unknown"}'
      ]
      for (const reply of replies) {
        const waiting = yield* begin(forwarding.forward("b", order, 1000))
        const body = new TextEncoder().encode(`[${reply}]`)
        forwarding.receive("b", { _tag: "ForwardReply", life: 1, requestIds: [requestIdOf(sent.at(-1))], body })
        const outcome = yield* waiting.join
        assert.strictEqual(outcome._tag === "Failure" && outcome.failure._tag, "UnknownOutcome", reply)
      }
    })
  )

  it.effect("the requests of one turn share a frame, without those that were given up", () =>
    Effect.gen(function* () {
      const { forwarding, sent } = yield* start()
      const asked = yield* Effect.forEach(["b", "b", "c", "b"], (to) =>
        Effect.forkChild(forwarding.forward(to, order, 1000), { startImmediately: true })
      )
      yield* Fiber.interrupt(asked[1]!)
      yield* turns
      assert.deepStrictEqual(
        sent.map((message) => (message._tag === "Forward" ? message.requestIds : assert.fail(message._tag))),
        [[1, 4], [3]]
      )
      yield* Effect.forEach(asked, Fiber.interrupt)
    })
  )

  it.effect("large requests of one turn take a frame each, small ones share the next", () =>
    Effect.gen(function* () {
      const { forwarding, sent } = yield* start()
      const ofLength = (length: number): Order => ({
        _tag: "Decide",
        command: { ...command, data: { email: "x".repeat(length) } }
      })
      const asked = yield* Effect.forEach([300_000, 300_000, 10, 10], (length) =>
        Effect.forkChild(forwarding.forward("b", ofLength(length), 1000), { startImmediately: true })
      )
      yield* turns
      assert.deepStrictEqual(
        sent.map((message) => (message._tag === "Forward" ? message.requestIds : assert.fail(message._tag))),
        [[1], [2], [3, 4]]
      )
      yield* Effect.forEach(asked, Fiber.interrupt)
    })
  )

  it.effect("a frame that cannot be sent leaves all of its requests certainly not done (C18)", () =>
    Effect.gen(function* () {
      const transport = { ...sendingBy(() => {}), send: () => false }
      const forwarding = yield* make<string>({ transport, life: 1, submit: () => {} })
      const asked = yield* Effect.forEach([1, 2], () => begin(forwarding.forward("b", order, 1000)))
      yield* turns
      for (const { join } of asked) {
        const outcome = yield* join
        assert.strictEqual(outcome._tag === "Failure" && outcome.failure._tag, "NotDone")
      }
    })
  )

  it.effect("a request that has not left when its link breaks is certainly not done (C18)", () =>
    Effect.gen(function* () {
      let isUp = true
      const sent: Array<PeerMessage> = []
      const transport = Transport.of({
        ...recording(sent),
        send: (_, _lane, message) => {
          if (isUp) sent.push(message)
          return isUp
        }
      })
      const forwarding = yield* make({ transport, life: 1, submit: () => {} })
      const outcomes: Array<string> = []
      const note: Settle<unknown, NotDone | UnknownOutcome> = (exit) => {
        const failed = Exit.findErrorOption(exit)
        outcomes.push(failed._tag === "Some" ? failed.value._tag : "done")
      }
      forwarding.forwardNow("b", order, 1000, note)
      yield* turns
      assert.lengthOf(sent, 1)
      forwarding.forwardNow("b", order, 1000, note)
      isUp = false
      forwarding.peerDown("b")
      assert.deepStrictEqual(outcomes, ["NotDone", "UnknownOutcome"])
      yield* turns
      assert.lengthOf(sent, 1)
    })
  )

  it.effect("a list of another length than its requests answers none of them, and is carried out for none (C18)", () =>
    Effect.gen(function* () {
      const { forwarding, sent } = yield* start()
      const body = new TextEncoder().encode(JSON.stringify([order]))
      forwarding.receive("b", { _tag: "Forward", life: 1, requestIds: [1, 2], body })
      yield* turns
      const reply = sent[0]?._tag === "ForwardReply" ? sent[0] : assert.fail("no reply")
      const told = JSON.parse(new TextDecoder().decode(reply.body)) as ReadonlyArray<{ readonly reason?: string }>
      assert.deepStrictEqual(
        told.map(({ reason }) => reason),
        ["upgrade-required", "upgrade-required"]
      )
      const waiting = yield* begin(forwarding.forward("b", order, 1000))
      yield* turns
      const answers = new TextEncoder().encode("[]")
      forwarding.receive("b", { _tag: "ForwardReply", life: 1, requestIds: [requestIdOf(sent.at(-1))], body: answers })
      const outcome = yield* waiting.join
      assert.strictEqual(outcome._tag === "Failure" && outcome.failure._tag, "UnknownOutcome")
    })
  )

  it.effect("a request that is given up takes no answer, and one that meets a defect is answered as unknown", () =>
    Effect.gen(function* () {
      const { forwarding, sent } = yield* start()
      const asked = yield* Effect.forkChild(forwarding.forward("b", order, 1000), { startImmediately: true })
      yield* turns
      yield* Fiber.interrupt(asked)
      const body = new TextEncoder().encode(JSON.stringify([{ _tag: "Answered", answer: {} }]))
      forwarding.receive("b", { _tag: "ForwardReply", life: 1, requestIds: [requestIdOf(sent[0])], body })
      const transport = recording(sent)
      const leader = yield* make<string>({ transport, life: 1, submit: (settle) => settle(Exit.die("a defect")) })
      leader.receive("b", {
        _tag: "Forward",
        life: 1,
        requestIds: [9],
        body: new TextEncoder().encode(JSON.stringify([order]))
      })
      yield* turns
      const reply = sent.at(-1)
      const replied = reply?._tag === "ForwardReply" ? new TextDecoder().decode(reply.body) : assert.fail("no reply")
      assert.deepStrictEqual(JSON.parse(replied)[0], { _tag: "Unknown", message: "The leader met a defect" })
    })
  )

  it("every order is read as it was written", () => {
    const keyed = { principal: "p", key: "k" }
    const caller = { _tag: "Principal", id: "p", roles: ["staff"], claims: { team: "t" }, expiresMs: 5 } as const
    const origin = { ...keyed, fingerprint: "f", caller }
    const on = { model: "User", id: "u" }
    const operations = [
      { _tag: "Create", model: "User", data: {} },
      { _tag: "Put", ...on, data: { email: "e" }, ifNoneMatch: true },
      { _tag: "Patch", ...on, data: null, ifMatch: [1, 2] },
      { _tag: "Delete", ...on, ifMatch: "*" }
    ] as const
    const commands: ReadonlyArray<Command> = [
      ...operations.map((operation) => ({ ...operation, ...origin })),
      { _tag: "Transact", operations, name: "Bulk", assignedKey: "a", caller: system },
      { _tag: "Call", name: "transfer", payload: { amount: "1.00" }, ...origin },
      { _tag: "Close", ...origin }
    ]
    const orders: ReadonlyArray<Order> = [
      ...commands.map((command) => ({ _tag: "Decide" as const, command })),
      { _tag: "Inquire", keyed },
      { _tag: "TransferLeadership", admitted: "this-host" },
      { _tag: "TransferLeadership", admitted: "secret", to: "b" },
      {
        _tag: "ChangeMembers",
        admitted: "proof",
        change: { _tag: "AddLearner", member: { id: "d", address: "d:1", instanceId: "i" }, autoPromote: true }
      },
      { _tag: "ChangeMembers", admitted: "secret", change: { _tag: "Promote", id: "d" } },
      { _tag: "ChangeMembers", admitted: "secret", change: { _tag: "Remove", id: "d" }, force: true },
      { _tag: "ChangeMembers", admitted: "secret", change: { _tag: "ReplaceVoters", voters: ["a"] } }
    ]
    for (const each of orders) assert.deepStrictEqual(readOrder(JSON.parse(JSON.stringify(each))), Result.succeed(each))
  })

  it("a leader takes no change of the cluster of which no follower says that somebody was admitted", () => {
    const change = { _tag: "ChangeMembers", change: { _tag: "Remove", id: "d" } }
    for (const each of [change, { _tag: "TransferLeadership" }]) {
      assert.isTrue(Result.isSuccess(readOrder({ ...each, admitted: "secret" })))
      assert.isTrue(Result.isFailure(readOrder(each)))
      assert.isTrue(Result.isFailure(readOrder({ ...each, admitted: "nobody" })))
    }
  })
})
