/** What every transport must do, whatever carries its frames. Run by transport.test.ts on each layer. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, type Scope } from "effect"
import type { OwnStarts, Start } from "../../../src/EventStore/Start.ts"
import type { PeerMessage } from "../../../src/Raft/peers/PeerMessage.ts"
import {
  type Membership,
  sendQueueMaxBytes,
  type Transport,
  type TransportEvent
} from "../../../src/Raft/peers/Transport.ts"

type Port = Transport["Service"]

/** The starts in the directories of both. */
export interface StartsOfTwo {
  readonly a?: OwnStarts
  readonly b?: OwnStarts
}

/** Two nodes, `a` and `b`, that name each other as peers. */
export type TwoNodes = (
  membership?: { readonly a?: Membership; readonly b?: Membership },
  starts?: StartsOfTwo
) => Effect.Effect<{ readonly a: Port; readonly b: Port }, unknown, Scope.Scope>

/** Runs `port`, keeps what it tells, and lets a test wait for it with a bound. */
export const record = Effect.fnUntraced(function* (port: Port) {
  const events: Array<TransportEvent> = []
  const waiters: Array<{ readonly holds: () => boolean; readonly done: Deferred.Deferred<void> }> = []
  yield* Effect.forkScoped(
    port.run((event) => {
      events.push(event)
      for (const { holds, done } of waiters) if (holds()) Deferred.doneUnsafe(done, Effect.void)
    })
  )
  const until = Effect.fnUntraced(function* (holds: () => boolean) {
    const done = yield* Deferred.make<void>()
    waiters.push({ holds, done })
    if (!holds()) yield* Deferred.await(done).pipe(Effect.timeout("5 seconds"))
  })
  return {
    events,
    until,
    count: (tag: TransportEvent["_tag"]) => events.filter((event) => event._tag === tag).length,
    messages: () => events.flatMap((event) => (event._tag === "Received" ? [event.message] : []))
  }
})

/** Sends until it is taken: right after `PeerUp` the bulk lane may still be opening. */
export const sendUntilTaken = (port: Port, peer: string, lane: "control" | "bulk", message: PeerMessage) =>
  Effect.sync(() => port.send(peer, lane, message)).pipe(
    Effect.flatMap((sent) => (sent ? Effect.void : Effect.andThen(Effect.yieldNow, Effect.fail("not taken")))),
    Effect.eventually,
    Effect.timeout("5 seconds")
  )

const start = (life: number, nonce: string): Start => ({ life, nonce })

const heartbeat = (readNumber: number): PeerMessage => ({
  _tag: "Heartbeat",
  term: 1,
  leaderCommit: 0,
  matchIndex: 0,
  lastContactMs: undefined,
  readNumber
})

export const transportContract = (name: string, twoNodes: TwoNodes): void => {
  describe(name, () => {
    it.live("both peers see each other up, with what the other said of itself", () =>
      Effect.gen(function* () {
        const { a, b } = yield* twoNodes()
        const [atA, atB] = [yield* record(a), yield* record(b)]
        yield* atA.until(() => atA.count("PeerUp") === 1)
        yield* atB.until(() => atB.count("PeerUp") === 1)
        const hello = a.connected().get("b")
        assert.deepInclude(hello, { nodeId: "b", instanceId: "ib", clusterId: null, targetNodeId: "a" })
        assert.deepStrictEqual(hello?.peers, ["a", "b"])
        assert.isTrue(b.connected().has("a"))
      })
    )

    it.live("a peer's bulk lane is told once both lanes are up, and takes messages then", () =>
      Effect.gen(function* () {
        const { a, b } = yield* twoNodes()
        const [atA, atB] = [yield* record(a), yield* record(b)]
        for (const [port, at, peer] of [
          [a, atA, "b"],
          [b, atB, "a"]
        ] as const) {
          yield* at.until(() => at.count("BulkUp") === 1)
          assert.deepStrictEqual(
            at.events.map(({ _tag }) => _tag),
            ["PeerUp", "BulkUp"]
          )
          assert.isTrue(port.send(peer, "bulk", heartbeat(1)))
        }
        yield* atA.until(() => atA.count("Received") === 1)
      })
    )

    it.live("messages of one lane arrive whole and in order, both ways", () =>
      Effect.gen(function* () {
        const { a, b } = yield* twoNodes()
        const [atA, atB] = [yield* record(a), yield* record(b)]
        yield* atA.until(() => a.connected().has("b"))
        yield* atB.until(() => b.connected().has("a"))
        const sent = Array.from({ length: 500 }, (_, i) => heartbeat(i))
        for (const message of sent) {
          assert.isTrue(a.send("b", "control", message))
          assert.isTrue(b.send("a", "control", message))
        }
        yield* atB.until(() => atB.count("Received") === sent.length)
        yield* atA.until(() => atA.count("Received") === sent.length)
        assert.deepStrictEqual(atB.messages(), sent)
        assert.deepStrictEqual(atA.messages(), sent)
      })
    )

    it.live("a defect of the handler ends the run with it, so that the node stops (D9)", () =>
      Effect.gen(function* () {
        const { a, b } = yield* twoNodes()
        // Either side: one of them dials.
        for (const [broken, other, peer] of [
          [a, b, "a"],
          [b, a, "b"]
        ] as const) {
          const defect = new Error("a defect of the handler")
          const run = broken.run(({ _tag }) => {
            if (_tag === "Received") throw defect
          })
          const failing = yield* Effect.forkScoped(Effect.exit(run))
          yield* sendUntilTaken(other, peer, "control", heartbeat(1))
          const exit = yield* Fiber.join(failing).pipe(Effect.timeout("5 seconds"))
          assert.deepStrictEqual(exit, Exit.die(defect))
        }
      })
    )

    it.live("the bulk lane carries an entry of the greatest size, its bytes untouched (D6)", () =>
      Effect.gen(function* () {
        const { a, b } = yield* twoNodes()
        const [, atB] = [yield* record(a), yield* record(b)]
        const payload = new Uint8Array(8 * 1024 * 1024).map((_, offset) => offset % 251)
        const entries = [{ index: 1, term: 1, type: "transaction" as const, payload }]
        yield* atB.until(() => b.connected().has("a"))
        yield* sendUntilTaken(a, "b", "bulk", {
          _tag: "AppendEntries",
          term: 1,
          prevLogIndex: 0,
          prevLogTerm: 0,
          entries,
          leaderCommit: 0
        })
        yield* atB.until(() => atB.count("Received") === 1)
        const [message] = atB.messages()
        assert.isTrue(message?._tag === "AppendEntries" && Buffer.compare(message.entries[0]!.payload, payload) === 0)
      })
    )

    it.live("send says false to a stranger, and once the queue holds its limit; what was taken arrives", () =>
      Effect.gen(function* () {
        const { a, b } = yield* twoNodes()
        const [atA, atB] = [yield* record(a), yield* record(b)]
        assert.isFalse(a.send("stranger", "control", heartbeat(1)))
        yield* atA.until(() => a.connected().has("b"))
        yield* atB.until(() => b.connected().has("a"))
        const body = new Uint8Array(64 * 1024)
        let taken = 0
        while (a.send("b", "control", { _tag: "Forward", life: 1, requestIds: [taken], body })) taken += 1
        assert.isAtMost(taken * body.length, sendQueueMaxBytes.control)
        assert.isAbove((taken + 2) * body.length, sendQueueMaxBytes.control)
        yield* atB.until(() => atB.count("Received") === taken)
        // The room comes back once the peer has read.
        yield* sendUntilTaken(a, "b", "control", heartbeat(1))
        yield* atB.until(() => atB.count("Received") === taken + 1)
      })
    )

    it.live("announcing a cluster takes the peer down and up again, with the new hello (C16)", () =>
      Effect.gen(function* () {
        const { a, b } = yield* twoNodes()
        const [atA, atB] = [yield* record(a), yield* record(b)]
        yield* atA.until(() => atA.count("PeerUp") === 1)
        yield* atB.until(() => atB.count("PeerUp") === 1)
        const members = ["a", "b"].map((id) => ({ id, address: a.connected().get("b")!.address, instanceId: `i${id}` }))
        yield* b.announce({ clusterId: "c1", members })
        yield* atA.until(() => a.connected().get("b")?.clusterId === "c1")
        assert.strictEqual(a.connected().get("b")?.expectedInstanceId, "ia")
        yield* atA.until(() => atA.count("PeerUp") === 2)
        const lives = atA.events.flatMap(({ _tag }) => (_tag === "PeerUp" || _tag === "PeerDown" ? [_tag] : []))
        assert.deepStrictEqual(lives, ["PeerUp", "PeerDown", "PeerUp"])
        // The node that dials announces too, and dials the members from then on.
        yield* a.announce({ clusterId: "c1", members })
        yield* atB.until(() => b.connected().get("a")?.clusterId === "c1")
        assert.strictEqual(b.connected().get("a")?.expectedInstanceId, "ib")
        yield* sendUntilTaken(b, "a", "bulk", heartbeat(1))
        yield* atA.until(() => atA.count("Received") === 1)
      })
    )

    it.live("both hear of each other's start, and what they knew of it", () =>
      Effect.gen(function* () {
        const a = { current: start(2, "a2"), includes: () => true }
        const b = { current: start(1, "b1"), includes: () => true }
        const members = [{ id: "a", address: "127.0.0.1:1", instanceId: "ia", start: start(1, "a1") }]
        const two = yield* twoNodes({ b: { clusterId: null, members } }, { a, b })
        const [atA, atB] = [yield* record(two.a), yield* record(two.b)]
        yield* atA.until(() => atA.count("PeerUp") === 1)
        yield* atB.until(() => atB.count("PeerUp") === 1)
        assert.deepStrictEqual(two.a.introduced().get("b"), { start: b.current, told: undefined })
        assert.deepStrictEqual(two.b.introduced().get("a"), { start: a.current, told: start(1, "a1") })
      })
    )

    it.live("a directory that lacks the start that a peer knows is told to be a copy, and does not come up (C27)", () =>
      Effect.gen(function* () {
        const later = start(2, "a2")
        const members = [{ id: "a", address: "127.0.0.1:1", instanceId: "ia", start: later }]
        const copy = { current: start(2, "c2"), includes: ({ nonce }: Start) => nonce !== "a2" }
        const { a, b } = yield* twoNodes({}, { a: copy })
        const [atA, atB] = [yield* record(a), yield* record(b)]
        // It was up before the members named the start: the link is opened anew.
        yield* atA.until(() => atA.count("PeerUp") === 1)
        yield* atB.until(() => atB.count("PeerUp") === 1)
        yield* b.announce({ clusterId: null, members })
        yield* atA.until(() => atA.count("Copied") > 0)
        yield* atB.until(() => atB.count("PeerDown") === 1)
        const told = atA.events.flatMap((event) => (event._tag === "Copied" ? [event.later] : []))
        assert.deepStrictEqual(told[0], later)
        assert.isFalse(a.connected().has("b"))
        assert.isFalse(b.connected().has("a"))
      })
    )

    it.live("nodes of different clusters never come up (C15)", () =>
      Effect.gen(function* () {
        const { a, b } = yield* twoNodes({
          a: { clusterId: "c1", members: [] },
          b: { clusterId: "c2", members: [] }
        })
        const [atA, atB] = [yield* record(a), yield* record(b)]
        // Agreement is what ends the wait: by then the refusals that came first have left no trace.
        yield* b.announce({ clusterId: "c1", members: [] })
        yield* atA.until(() => a.connected().has("b"))
        yield* atB.until(() => b.connected().has("a"))
        assert.isTrue(
          [...atA.events, ...atB.events].every((event) => event._tag !== "PeerUp" || event.hello.clusterId === "c1")
        )
      })
    )
  })
}
