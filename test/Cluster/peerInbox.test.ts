/** What a member takes from its peers: C15, C16. The transport is played by the test. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as PeerInbox from "../../src/Cluster/PeerInbox.ts"
import type { Configuration } from "../../src/Raft/core/Configuration.ts"
import type { Message } from "../../src/Raft/core/Message.ts"
import { type Hello, nonceBytes, processNonceBytes, protocolMax, protocolMin } from "../../src/Raft/peers/Handshake.ts"
import type { PeerMessage } from "../../src/Raft/peers/PeerMessage.ts"
import { helloOf, Transport, type TransportEvent } from "../../src/Raft/peers/Transport.ts"
import { configurationOf, member } from "../Raft/core/Cores.ts"
import { turns } from "../Raft/node/Shell.ts"

const beat: Message = {
  _tag: "Heartbeat",
  term: 1,
  leaderCommit: 0,
  matchIndex: 0,
  lastContactMs: undefined,
  readNumber: 1
}
const echo: Message = { _tag: "HeartbeatReply", term: 1, readNumber: 1 }

const up = (instanceId: string, clusterId: string | null): TransportEvent => {
  const hello = helloOf({
    self: { nodeId: "b", address: "b:1", instanceId, peers: [] },
    membership: { clusterId, members: [] },
    targetNodeId: "a",
    lane: "control",
    protocolMin,
    protocolMax,
    processNonce: new Uint8Array(processNonceBytes),
    nonce: new Uint8Array(nonceBytes)
  })
  return { _tag: "PeerUp", peer: "b", hello }
}

/** Node `a`, which listens; what reached its core. */
const start = Effect.gen(function* () {
  let tell: (event: TransportEvent) => void = () => assert.fail("nobody listens")
  let configuration = configurationOf(["a", "b"])
  const taken: Array<Message["_tag"]> = []
  const down: Array<string> = []
  const reachable: Array<string> = []
  const sent: Array<PeerMessage> = []
  const told: Array<number> = []
  const connected = new Map<string, Hello>()
  let excludedAt: number | undefined
  const reported: Array<string> = []
  const transport = Transport.of({
    join: () => Effect.never,
    flush: () => {},
    send: (_peer, _lane, message) => sent.push(message) > 0,
    run: (handler) => {
      tell = handler
      return Effect.never
    },
    connected: () => connected,
    introduced: () => new Map(),
    trouble: () => undefined,
    announce: () => Effect.void
  })
  yield* PeerInbox.listen({
    clusterId: "c1",
    firstEntry: undefined,
    configuration: () => configuration,
    onDown: (peer) => down.push(peer),
    onReachable: (peer) => reachable.push(peer),
    onMessage: (_, message) => taken.push(message._tag),
    onForward: () => {},
    lines: { up: () => {}, down: () => {} },
    excludedAt: () => excludedAt,
    onJoin: () => undefined,
    onNotAMember: (_, configurationIndex) => told.push(configurationIndex),
    onSuperseded: () => {},
    onCopied: () => {},
    onState: (from) => reported.push(from),
    onHistory: (_, { _tag }) => reported.push(_tag)
  }).pipe(Effect.provideService(Transport, transport), Effect.forkScoped)
  yield* turns
  return {
    taken,
    down,
    reachable,
    sent,
    told,
    exclude: (index: number) => {
      excludedAt = index
    },
    tell: (event: TransportEvent) => {
      if (event._tag === "PeerUp") connected.set(event.peer, event.hello)
      tell(event)
    },
    reported,
    say: (message: PeerMessage) => tell({ _tag: "Received", from: "b", message }),
    configure: (next: Configuration) => {
      configuration = next
    }
  }
})

/** `b` was removed, and came back under its name with another data directory. */
const withNewB: Configuration = { voters: [member("a"), { ...member("b"), instanceId: "ib2" }], learners: [] }

describe("Peering", () => {
  it.effect(
    "a peer that no committed configuration names is told so when it comes, and hears it as it is said (§6)",
    () =>
      Effect.gen(function* () {
        const { exclude, say, sent, taken, tell, told } = yield* start
        tell(up("ib", "c1"))
        assert.deepStrictEqual(sent, [], "a member is told nothing")
        tell({ _tag: "PeerDown", peer: "b" })
        exclude(7)
        tell(up("ib", "c1"))
        assert.deepStrictEqual(sent, [{ _tag: "NotAMember", configurationIndex: 7 }])
        say({ _tag: "NotAMember", configurationIndex: 9 })
        assert.deepStrictEqual([told, taken], [[9], []], "it is for the shell, and not for the core")
        exclude(8)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(sent.at(-1), { _tag: "NotAMember", configurationIndex: 8 }, "one that is up is told too")
      })
  )

  it.effect("a link that was up before a configuration brings no more answers of whom it replaced (C16)", () =>
    Effect.gen(function* () {
      const { configure, say, taken, tell } = yield* start
      tell(up("ib", "c1"))
      say(echo)
      assert.deepStrictEqual(taken, ["HeartbeatReply"])
      configure(withNewB)
      say(echo)
      assert.deepStrictEqual(taken, ["HeartbeatReply"])
      tell({ _tag: "PeerDown", peer: "b" })
      tell(up("ib2", "c1"))
      say(echo)
      assert.deepStrictEqual(taken, ["HeartbeatReply", "HeartbeatReply"])
    })
  )

  it.effect("what a member says of its state is its own: a former one under its name says nothing of it (C16)", () =>
    Effect.gen(function* () {
      const { configure, reported, say, tell } = yield* start
      const report = { _tag: "StateReport", term: 1, round: 1, index: 1, definition: 2, hash: "0" } as const
      tell(up("ib", "c1"))
      say(report)
      assert.deepStrictEqual(reported, ["b"])
      configure(withNewB)
      say(report)
      assert.deepStrictEqual(reported, ["b"])
    })
  )

  it.effect(
    "a leader that came back with other data is heard by a member that lags, and its answers are not (C16)",
    () =>
      Effect.gen(function* () {
        const { say, taken, tell } = yield* start
        tell(up("ib2", "c1"))
        say(beat)
        say(echo)
        assert.deepStrictEqual(taken, ["Heartbeat"])
      })
  )

  it.effect(
    "a lane for entries that drops alone, and one that comes up, is told like a link that breaks or opens",
    () =>
      Effect.gen(function* () {
        const { down, reachable, tell } = yield* start
        tell(up("ib", "c1"))
        assert.deepStrictEqual([down, reachable], [[], []])
        tell({ _tag: "BulkUp", peer: "b" })
        tell({ _tag: "BulkDown", peer: "b" })
        tell({ _tag: "BulkUp", peer: "b" })
        tell({ _tag: "PeerDown", peer: "b" })
        assert.deepStrictEqual(
          [down, reachable],
          [
            ["b", "b"],
            ["b", "b"]
          ]
        )
        // One that belongs to no cluster is sent no entries.
        tell(up("ib", null))
        tell({ _tag: "BulkUp", peer: "b" })
        assert.strictEqual(reachable.length, 2)
      })
  )

  it.effect("a node that belongs to no cluster says nothing to this one (C15)", () =>
    Effect.gen(function* () {
      const { say, taken, tell } = yield* start
      tell(up("ib", null))
      say(beat)
      say(echo)
      assert.deepStrictEqual(taken, [])
    })
  )
})
