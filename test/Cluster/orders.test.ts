/** The orders of a node's clients on their way to a leader that the test plays. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, FiberSet, Tracer } from "effect"
import { TestClock } from "effect/testing"
import * as Attempts from "../../src/Cluster/Attempts.ts"
import * as Drain from "../../src/Cluster/Drain.ts"
import type { Order, OrderAnswer } from "../../src/Cluster/Order.ts"
import * as Orders from "../../src/Cluster/Orders.ts"
import * as Timeouts from "../../src/Cluster/Timeouts.ts"
import * as KeyHistory from "../../src/Local/KeyHistory.ts"
import type { Command } from "../../src/Machine/Command.ts"
import type { CommandResult } from "../../src/Machine/CommandResult.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import type { Rejection } from "../../src/Machine/Rejection.ts"
import type { Answered } from "../../src/Raft/node/Answered.ts"
import { NotDone, UnknownOutcome } from "../../src/Raft/node/Outcome.ts"
import { outcomeOf, type Settle, settleNow } from "../../src/Raft/node/Settle.ts"
import * as Tracing from "../../src/Tracing.ts"
import { descriptors } from "../Machine/Store.ts"

type Failure = NotDone | UnknownOutcome
type Reply = Exit.Exit<OrderAnswer, Failure>

const create: Command = { _tag: "Create", model: "User", data: { email: "u@x" } }
const decided = (result: CommandResult): Reply => Exit.succeed({ index: 7, result })
const done = decided({ _tag: "Accepted", answer: { timeMs: 1, operations: [] } })
const rejected = (rejection: Rejection) => decided({ _tag: "Rejected", rejection })
const lost: Reply = Exit.fail(new NotDone({ reason: "no-quorum", message: "the leader was lost" }))
const unknown: Reply = Exit.fail(new UnknownOutcome({ message: "no answer" }))

/** A node whose leader, `b`, replies like this to one order after another. */
const start = Effect.fnUntraced(function* (
  replies: ReadonlyArray<Reply>,
  traces: { readonly tracing?: Tracing.Tracing | undefined; readonly isKnown: boolean } = { isKnown: true }
) {
  const fork = yield* FiberSet.makeRuntime<never>()
  const timeouts = Timeouts.make({ clock: yield* Clock.Clock, fork })
  const asked: Array<Order> = []
  const waiting: Array<Settle<OrderAnswer, Failure>> = []
  const keys = KeyHistory.make({
    machine: Machine.make(descriptors),
    fork,
    read: () => Effect.succeed(undefined),
    unknown: ({ message }: NotDone) => new UnknownOutcome({ message })
  })
  const refused = () => undefined
  let keysCount = 0
  const orders = Orders.make({
    nodeId: "a",
    here: { decide: () => assert.fail("a leads"), carryOut: () => assert.fail("a leads") },
    forwarding: {
      forward: (to, order, _timeoutMs, settle) => {
        assert.strictEqual(to, "b")
        asked.push(order)
        const reply = replies[asked.length - 1]
        if (reply !== undefined) return settleNow(settle, reply)
        waiting.push(settle)
        return () => void waiting.splice(waiting.indexOf(settle), 1)
      },
      receive: () => {},
      peerDown: () => {},
      leaderChanged: () => {},
      giveUp: () => {},
      waitingCount: () => 0
    },
    tracing: traces.tracing,
    knowsTraces: () => traces.isKnown,
    attempts: Attempts.make({
      timeouts,
      leadership: { leader: () => "b", leaderlessSinceMs: () => undefined, refused }
    }),
    draining: Drain.make({ begun: () => {}, handOver: Effect.void, giveUp: () => {}, fork }),
    keys,
    refused,
    versionOf: () => undefined,
    isOpen: true,
    giveKey: (command) => ({ ...command, assignedKey: `given-${++keysCount}` })
  })
  const submit = (command: Command) =>
    outcomeOf<Answered<CommandResult>, Failure>((settle) => orders.submit(command, settle))
  return { orders, keys, submit, asked, waiting }
})

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

/** The span that an order names, and the spans that were recorded on its way. */
const traceOf = (isKnown: boolean, isRecorded: boolean) =>
  Effect.gen(function* () {
    const spans: Array<Tracer.Span> = []
    const span: Tracer.Tracer["span"] = (options) => {
      const made = Tracer.nativeTracer.span(options)
      spans.push(made)
      return made
    }
    const tracing = yield* Effect.provideService(
      Tracing.current(yield* Clock.Clock),
      Tracer.Tracer,
      isRecorded ? Tracer.make({ span }) : Tracer.nativeTracer
    )
    const { asked, submit } = yield* start([done], { tracing, isKnown })
    yield* submit({ ...create, trace: traceparent })
    const [order] = asked
    assert.strictEqual(order?._tag, "Decide")
    return { named: (order as Extract<Order, { readonly _tag: "Decide" }>).command.trace, spans }
  })

const keysOf = (asked: ReadonlyArray<Order>) =>
  asked.map((order) => (order._tag === "Decide" ? (order.command.key ?? order.command.assignedKey) : order._tag))

describe("a traced order", () => {
  it.effect("names the span of its way to the leader, which ends with the answer", () =>
    Effect.gen(function* () {
      const { named, spans } = yield* traceOf(true, true)
      const [span] = spans
      assert.strictEqual(spans.length, 1)
      assert.strictEqual(named, `00-0af7651916cd43dd8448eb211c80319c-${span!.spanId}-01`)
      assert.deepStrictEqual([span!.name, span!.kind, span!.status._tag], ["lithair.forward", "client", "Ended"])
    })
  )

  it.effect("names none to a leader whose protocol would refuse the order, and none where nobody records spans", () =>
    Effect.gen(function* () {
      const old = yield* traceOf(false, true)
      assert.deepStrictEqual([old.named, old.spans.length], [undefined, 1])
      const off = yield* traceOf(true, false)
      assert.deepStrictEqual([off.named, off.spans.length], [undefined, 0])
    })
  )
})

describe("the orders of a node's clients", () => {
  it.effect(
    "a command without a key gets a new one for each attempt, and its unknown outcome names the last (C18)",
    () =>
      Effect.gen(function* () {
        const { asked, submit } = yield* start([lost, unknown])
        const failed = yield* Effect.forkChild(Effect.flip(submit(create)), { startImmediately: true })
        yield* TestClock.adjust("50 millis")
        const failure = yield* Fiber.join(failed)
        assert.deepStrictEqual([failure._tag, "key" in failure && failure.key], ["UnknownOutcome", "given-2"])
        assert.deepStrictEqual(keysOf(asked), ["given-1", "given-2"])
      })
  )

  it.effect("a key that the leader takes for forgotten is not the client's, so another one is tried", () =>
    Effect.gen(function* () {
      const { asked, submit } = yield* start([rejected({ _tag: "KeysExhausted" }), done])
      const answered = yield* Effect.forkChild(submit(create), { startImmediately: true })
      yield* TestClock.adjust("50 millis")
      assert.strictEqual((yield* Fiber.join(answered)).result._tag, "Accepted")
      assert.deepStrictEqual(keysOf(asked), ["given-1", "given-2"])
    })
  )

  it.effect("a command under its client's key is sent again after an unknown outcome, with the same key (C18)", () =>
    Effect.gen(function* () {
      const { asked, submit } = yield* start([unknown, rejected({ _tag: "KeysExhausted" })])
      const failed = yield* Effect.forkChild(Effect.flip(submit({ ...create, key: "k" })), { startImmediately: true })
      yield* TestClock.adjust("50 millis")
      const failure = yield* Fiber.join(failed)
      // The refusal covers no earlier copy.
      assert.deepStrictEqual([failure._tag, "key" in failure && failure.key], ["UnknownOutcome", "k"])
      assert.deepStrictEqual(keysOf(asked), ["k", "k"])
    })
  )

  it.effect("a leader that answers another order leaves the outcome unknown (C18)", () =>
    Effect.gen(function* () {
      const inquired: Reply = Exit.succeed({ _tag: "Inquired", index: 1, status: { _tag: "Absent" } })
      const unread = { index: 1 }
      const unfit = [
        null,
        undefined,
        {},
        unread,
        { ...unread, result: null },
        { ...unread, result: { _tag: "Accepted" } },
        { ...unread, result: { _tag: "Accepted", answer: { operations: {} } } },
        { ...unread, result: { _tag: "Rejected" } },
        { ...unread, index: undefined, result: { _tag: "Rejected", rejection: { _tag: "KeyClosed" } } }
      ]
      for (const reply of [inquired, ...unfit.map((value) => Exit.succeed(value) as unknown as Reply)]) {
        const { submit } = yield* start([reply])
        const failure = yield* Effect.flip(submit(create))
        assert.deepStrictEqual([failure._tag, "key" in failure && failure.key], ["UnknownOutcome", "given-1"])
      }
      const { orders } = yield* start([done])
      assert.strictEqual((yield* Effect.flip(orders.inquire({ key: "k" })))._tag, "NotDone")
    })
  )

  it.effect("a keyed command is pending while it is under way here, and no longer once it is given up", () =>
    Effect.gen(function* () {
      const { keys, orders, waiting } = yield* start([])
      const outcomes: Array<unknown> = []
      const forget = orders.submit({ ...create, key: "k" }, (exit) => outcomes.push(exit))
      assert.deepStrictEqual(yield* keys.keyStatus({ key: "k" }), { _tag: "Pending" })
      forget()
      forget()
      assert.deepStrictEqual(yield* keys.keyStatus({ key: "k" }), { _tag: "Absent" })
      assert.deepStrictEqual([waiting, outcomes], [[], []])
    })
  )
})
