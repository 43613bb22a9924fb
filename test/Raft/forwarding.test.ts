/** Commands forwarded over a transport that the test plays. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, FiberSet } from "effect"
import type { Command } from "../../src/Machine/Command.ts"
import * as Forwarding from "../../src/Raft/Forwarding.ts"
import type { PeerMessage } from "../../src/Raft/PeerMessage.ts"
import { Transport } from "../../src/Raft/Transport.ts"
import { begin, pass, turns } from "./Shell.ts"

const command: Command = { _tag: "Create", model: "User", data: { email: "u@x" } }

const start = Effect.gen(function* () {
  const sent: Array<PeerMessage> = []
  const transport = Transport.of({
    send: (_to, _lane, message) => sent.push(message) > 0,
    run: () => Effect.never,
    connected: () => new Map(),
    announce: () => Effect.void
  })
  const fork = yield* FiberSet.makeRuntime<never>()
  const submit = () => Effect.succeed({ index: 7, answer: { _tag: "Accepted", answer: { operations: [] } } } as never)
  return { sent, forwarding: Forwarding.make({ transport, submit, fork }) }
})

const requestIdOf = (message: PeerMessage | undefined): number => {
  assert.isTrue(message?._tag === "Forward" || message?._tag === "ForwardReply")
  return (message as { readonly requestId: number }).requestId
}

describe("Forwarding", () => {
  it.effect("an answer to a former life of a node is no answer to this one", () =>
    Effect.gen(function* () {
      const former = yield* start
      yield* begin(former.forwarding.forward("b", command, 1000))
      const latter = yield* start
      const waiting = yield* begin(latter.forwarding.forward("b", command, 1000))
      const requestId = requestIdOf(former.sent[0])
      const body = new TextEncoder().encode(JSON.stringify({ _tag: "Answered", index: 7, answer: {} }))
      latter.forwarding.receive("b", { _tag: "ForwardReply", requestId, body })
      yield* turns
      assert.isUndefined(waiting.settled())
      latter.forwarding.receive("b", { _tag: "ForwardReply", requestId: requestIdOf(latter.sent[0]), body })
      assert.strictEqual((yield* waiting.join)._tag, "Success")
    })
  )

  it.effect("an answer that is there when sending returns finds who waits for it", () =>
    Effect.gen(function* () {
      const fork = yield* FiberSet.makeRuntime<never>()
      const body = new TextEncoder().encode(JSON.stringify({ _tag: "Answered", answer: "at once" }))
      const transport = Transport.of({
        send: (to, _lane, message) => {
          forwarding.receive(to, { _tag: "ForwardReply", requestId: requestIdOf(message), body })
          return true
        },
        run: () => Effect.never,
        connected: () => new Map(),
        announce: () => Effect.void
      })
      const forwarding = Forwarding.make<Command, string>({ transport, submit: () => Effect.never, fork })
      assert.strictEqual(yield* forwarding.forward("b", command, 1000), "at once")
    })
  )

  it.effect("a command that reached a socket and is not answered in time is unknown (C18)", () =>
    Effect.gen(function* () {
      const { forwarding } = yield* start
      const waiting = yield* begin(forwarding.forward("b", command, 1000))
      yield* pass(1000)
      const outcome = yield* waiting.join
      assert.strictEqual(outcome._tag === "Failure" && outcome.failure._tag, "UnknownOutcome")
    })
  )

  it.effect("bytes that are no command are answered as unknown, and the next command is answered", () =>
    Effect.gen(function* () {
      const { forwarding, sent } = yield* start
      const text = new TextEncoder()
      forwarding.receive("b", { _tag: "Forward", requestId: 1, body: text.encode("{") })
      forwarding.receive("b", { _tag: "Forward", requestId: 2, body: text.encode(JSON.stringify(command)) })
      yield* turns
      const replies = sent.map((message) => {
        const body = message._tag === "ForwardReply" ? new TextDecoder().decode(message.body) : "{}"
        return [requestIdOf(message), (JSON.parse(body) as { readonly _tag: string })._tag]
      })
      assert.sameDeepMembers(replies, [
        [1, "Unknown"],
        [2, "Answered"]
      ])
    })
  )
})
