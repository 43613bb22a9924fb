/** Of two links that cross, both sides keep the same one. PeerSockets.ts opens links; LinkTable.ts decides which stay. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import type { Hello } from "../../../src/Raft/peers/Handshake.ts"
import { unintroduced } from "../../../src/Raft/peers/Introduction.ts"
import { crossingMs, makeLinkTable } from "../../../src/Raft/peers/LinkTable.ts"
import type { PeerLink } from "../../../src/Raft/peers/PeerLink.ts"

/** One end of a connection to a peer, and whether this side has retired it. */
const endOf = (peer: string, dialledBy: string) => {
  const end = { isRetired: false }
  const link: PeerLink = {
    hello: {
      nodeId: peer,
      address: `${peer}:1`,
      instanceId: peer,
      processNonce: new Uint8Array(16)
    } as unknown as Hello,
    lane: "control",
    generation: 0,
    dialledBy,
    introduced: unintroduced,
    send: () => true,
    flush: () => {},
    answers: Effect.succeed(true),
    refuse: () => Effect.never,
    run: () => Effect.never,
    retire: Effect.sync(() => {
      end.isRetired = true
    }),
    close: Effect.void
  }
  return { end, link }
}

/** The node that dialled the link that a side keeps. */
const keptBy = Effect.fnUntraced(function* (
  [first, second]: readonly [string, string],
  { afterMs, peer }: { readonly peer: string; readonly afterMs: number }
) {
  const links = makeLinkTable()
  const [one, other] = [endOf(peer, first), endOf(peer, second)]
  yield* links.raise(one.link)
  yield* TestClock.adjust(afterMs)
  yield* links.raise(other.link)
  const kept = links.up.control.get(peer)
  const [stays, goes] = kept === one.link ? [one, other] : [other, one]
  assert.deepStrictEqual([stays.end.isRetired, goes.end.isRetired], [false, true])
  return kept?.dialledBy
})

describe("two links of a pair", () => {
  it.effect("that cross leave one: both sides keep that of the smaller id, in whichever order they open", () =>
    Effect.gen(function* () {
      for (const afterMs of [0, crossingMs - 1]) {
        for (const order of [["a", "b"] as const, ["b", "a"] as const]) {
          assert.strictEqual(yield* keptBy(order, { peer: "b", afterMs }), "a")
          assert.strictEqual(yield* keptBy(order, { peer: "a", afterMs }), "a")
        }
      }
    })
  )

  it.effect("of which one is older leave the newer one, and so do two that one side has dialled", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* keptBy(["a", "b"], { peer: "b", afterMs: crossingMs }), "b")
      const links = makeLinkTable()
      const [one, other] = [endOf("b", "a"), endOf("b", "a")]
      yield* links.raise(one.link)
      yield* links.raise(other.link)
      assert.strictEqual(links.up.control.get("b"), other.link)
      assert.isTrue(one.end.isRetired)
    })
  )
})
