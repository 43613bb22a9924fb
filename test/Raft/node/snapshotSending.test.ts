/** How a leader sends a snapshot over links that break: C13. On the test's clock. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SnapshotStore } from "../../../src/EventStore/SnapshotStore.ts"
import { layerMemory } from "../../../src/EventStore/Snapshots.ts"
import type { InstallSnapshot } from "../../../src/Raft/core/Message.ts"
import * as SnapshotSending from "../../../src/Raft/node/SnapshotSending.ts"
import { begin, pass, turns } from "./Shell.ts"

describe("SnapshotSending", () => {
  it.effect("a chunk that was lost with its link is sent again as soon as the peer can be reached", () =>
    Effect.gen(function* () {
      const store = yield* SnapshotStore
      yield* store.write({ index: 1, term: 1, configuration: new Uint8Array(1), content: [new Uint8Array(10)] })
      const sent: Array<InstallSnapshot> = []
      const sending = SnapshotSending.make({
        currentTerm: () => 1,
        isLeader: () => true,
        send: (_, message) => sent.push(message),
        takeNow: Effect.void
      })
      const whole = yield* begin(Effect.provideService(sending.sendTo("b", 1), SnapshotStore, store))
      assert.strictEqual(sent.length, 1)
      yield* pass(500)
      assert.strictEqual(sent.length, 1)
      sending.onReachable("b")
      yield* turns
      assert.strictEqual(sent.length, 2)
      const { snapshotIndex } = sent[1]!
      sending.onReply("b", {
        _tag: "InstallSnapshotReply",
        term: 1,
        snapshotIndex,
        receivedBytes: 0,
        installed: true
      })
      assert.deepStrictEqual((yield* whole.join)._tag, "Success")
      // Nothing is sent any more: there is nothing to send again.
      sending.onReachable("b")
      yield* turns
      assert.strictEqual(sent.length, 2)
    }).pipe(Effect.provide(layerMemory), Effect.scoped)
  )
})
