/** The round trips of beats and their echoes. */
import { assert, describe, it } from "@effect/vitest"
import * as RoundTrips from "../../../src/Raft/node/RoundTrips.ts"

const beat = (readNumber: number) =>
  ({ _tag: "Heartbeat", term: 1, leaderCommit: 0, matchIndex: 0, lastContactMs: undefined, readNumber }) as const
const echo = (readNumber: number) => ({ _tag: "HeartbeatReply", term: 1, readNumber }) as const

const make = () => {
  const at = { ms: 0 }
  return { at, trips: RoundTrips.make(() => BigInt(Math.round(at.ms * 1e6))) }
}

describe("the round trip to a peer", () => {
  it("is that from a beat to its echo, smoothed", () => {
    const { at, trips } = make()
    assert.isUndefined(trips.secondsOf("b"))
    trips.sent("b", beat(1))
    at.ms = 8
    trips.received("b", echo(1))
    assert.approximately(trips.secondsOf("b")!, 0.008, 1e-9)
    trips.sent("b", beat(2))
    at.ms = 8 + 88
    trips.received("b", echo(2))
    assert.approximately(trips.secondsOf("b")!, 0.008 + (0.088 - 0.008) / 8, 1e-9)
    assert.isUndefined(trips.secondsOf("c"))
  })

  it("is how long the peer owes an echo, if that is longer, whatever is sent meanwhile", () => {
    const { at, trips } = make()
    trips.sent("b", beat(1))
    at.ms = 1
    trips.received("b", echo(1))
    for (let number = 2; number < 50; number++) {
      trips.sent("b", beat(number))
      at.ms += 100
    }
    assert.approximately(trips.secondsOf("b")!, 4.8, 1e-9)
    trips.received("b", echo(2))
    assert.isBelow(trips.secondsOf("b")!, 1)
  })

  it("is not measured by the echo of another beat", () => {
    const { at, trips } = make()
    trips.sent("b", beat(5))
    at.ms = 30
    // An echo of an earlier beat, and one of a later beat: the timed one was lost.
    trips.received("b", echo(4))
    assert.approximately(trips.secondsOf("b")!, 0.03, 1e-9)
    trips.received("b", echo(6))
    assert.strictEqual(trips.secondsOf("b"), 0)
    trips.sent("b", beat(7))
    at.ms = 32
    trips.received("b", echo(7))
    assert.approximately(trips.secondsOf("b")!, 0.002, 1e-9)
  })

  it("is forgotten by a node that does not lead any more", () => {
    const { trips } = make()
    trips.sent("b", beat(1))
    trips.forget()
    assert.isUndefined(trips.secondsOf("b"))
  })
})
