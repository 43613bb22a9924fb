/** What a node without a leader tells its operator, on virtual time. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import * as LeaderlessLog from "../../src/Cluster/LeaderlessLog.ts"
import type { Hello } from "../../src/Raft/peers/Handshake.ts"
import { Transport } from "../../src/Raft/peers/Transport.ts"

const member = (id: string) => ({ id, address: `10.0.0.${id}:8081`, instanceId: id })
const configuration = { voters: ["1", "2", "3"].map(member), learners: [{ ...member("4"), autoPromote: false }] }

const transport = Transport.of({
  join: () => Effect.never,
  flush: () => {},
  send: () => false,
  run: () => Effect.never,
  connected: () => new Map([["2", {} as Hello]]),
  introduced: () => new Map(),
  trouble: (peer) => (peer === "3" ? "connect ECONNREFUSED 10.0.0.3:8081" : undefined),
  announce: () => Effect.void
})

/** Explains with this leader, and gives the lines logged so far. */
const explaining = Effect.fnUntraced(function* (leader: () => string | undefined) {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => lines.push(String(message)))
  yield* LeaderlessLog.explain({ nodeId: "1", leader, configuration: () => configuration }).pipe(
    Effect.provideService(Transport, transport),
    Effect.provide(Logger.layer([logger])),
    Effect.forkScoped
  )
  return lines
})

describe("a node without a leader", () => {
  it.effect("tells after 5 s each peer, its address and what went wrong", () =>
    Effect.gen(function* () {
      const lines = yield* explaining(() => undefined)
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(lines, [])
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(lines, [
        [
          "1 has known no leader for 5 s. This node is connected to 1 of the 2 other voters",
          "  2 at 10.0.0.2:8081: connected",
          "  3 at 10.0.0.3:8081: not connected: connect ECONNREFUSED 10.0.0.3:8081",
          "  4 at 10.0.0.4:8081 (learner): not connected: it has not called, and this node waits for it"
        ].join("\n")
      ])
      yield* TestClock.adjust("29 seconds")
      assert.strictEqual(lines.length, 1)
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(lines.length, 2)
    })
  )

  it.effect("is silent while there is a leader, and counts anew when it is lost", () =>
    Effect.gen(function* () {
      let leader: string | undefined
      const lines = yield* explaining(() => leader)
      yield* TestClock.adjust("4 seconds")
      leader = "2"
      yield* TestClock.adjust("60 seconds")
      assert.deepStrictEqual(lines, [])
      leader = undefined
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(lines, [])
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(lines.length, 1)
    })
  )
})
