/** Frames in packets, and a link whose peer falls silent or lies: by hand, over a socket that the test owns. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue } from "effect"
import { Socket } from "effect/socket"
import { TestClock } from "effect/testing"
import { encodeHello, type Hello, prove } from "../../../src/Raft/peers/Handshake.ts"
import { openLink, pulseIntervalMs, silentPulsesMax } from "../../../src/Raft/peers/PeerLink.ts"
import { decodePulse, encodePulse, pack, packetTargetBytes, unpack } from "../../../src/Raft/peers/WireFrame.ts"

describe("WireFrame", () => {
  it("frames come back in order, in packets near their target size", () => {
    const frames = [1, 10, packetTargetBytes, 3, packetTargetBytes * 3, 5].map((length) =>
      new Uint8Array(length).fill(1)
    )
    const packets = pack(frames)
    assert.isBelow(packets.length, frames.length)
    const back = packets.map(unpack).flatMap((packet) => (packet._tag === "Frames" ? packet.frames : []))
    assert.deepStrictEqual(
      back.map((frame) => frame.length),
      frames.map((frame) => frame.length)
    )
    assert.deepStrictEqual(pack([]), [])
  })

  it("a packet cut inside a frame is refused", () => {
    const [packet] = pack([new Uint8Array([1, 2, 3])])
    for (let length = 1; length < packet!.length; length++) {
      assert.strictEqual(unpack(packet!.subarray(0, length))._tag, "Malformed", `cut at ${length}`)
    }
  })

  it("a pulse survives the wire", () => {
    assert.deepStrictEqual(decodePulse(encodePulse(2 ** 40)), { _tag: "Pulse", receivedBytes: 2 ** 40 })
    assert.strictEqual(decodePulse(new Uint8Array([0]))._tag, "Malformed")
  })
})

const hello = (nodeId: string, targetNodeId: string): Hello => ({
  protocolMin: 1,
  protocolMax: 1,
  clusterId: null,
  nodeId,
  address: nodeId,
  targetNodeId,
  instanceId: nodeId,
  expectedInstanceId: null,
  lane: "control",
  peers: ["a", "b"],
  processNonce: new Uint8Array(16),
  nonce: new Uint8Array(32)
})

/** A dialer's link, its handshake done, to a peer that says only what the test puts into `toLink`. */
const linkByHand = Effect.gen(function* () {
  const toLink = yield* Queue.unbounded<Uint8Array>()
  const socket = Socket.make({
    reader: Effect.succeed({
      pull: Effect.map(Queue.take(toLink), (frame) => [frame] as const),
      upgrade: Socket.SocketUpgradeError.unsupported
    }),
    writer: Effect.succeed({ write: () => Effect.void, writeAll: () => Effect.void })
  })
  const [dialer, acceptor] = [hello("a", "b"), hello("b", "a")]
  yield* Queue.offer(toLink, encodeHello(acceptor))
  yield* Queue.offer(toLink, prove({ secret: undefined, role: "acceptor", dialer, acceptor }))
  const link = yield* openLink({ socket, side: { role: "dialer", hello: dialer }, secret: undefined })
  return { link, toLink }
})

describe("PeerLink", () => {
  it.effect("a peer that is silent for 5 s is closed, and one that pulses is not (D8)", () =>
    Effect.gen(function* () {
      const { link, toLink } = yield* linkByHand
      const running = yield* Effect.forkScoped(link.run(() => {}))
      for (let interval = 0; interval < 3 * silentPulsesMax; interval++) {
        yield* Queue.offerAll(toLink, pack([encodePulse(0)]))
        yield* TestClock.adjust(pulseIntervalMs)
      }
      assert.isUndefined(running.pollUnsafe())
      yield* TestClock.adjust(pulseIntervalMs * silentPulsesMax)
      const closed = yield* Effect.flip(Fiber.join(running))
      assert.strictEqual(closed.message, "The peer is silent")
      assert.isFalse(link.send({ _tag: "HeartbeatReply", term: 1, readNumber: 1 }))
    })
  )

  it.effect("a peer that claims to have read more than it was sent is closed", () =>
    Effect.gen(function* () {
      const { link, toLink } = yield* linkByHand
      yield* Queue.offerAll(toLink, pack([encodePulse(1)]))
      const closed = yield* Effect.flip(link.run(() => {}))
      assert.strictEqual(closed.message, "Bad pulse: 1 bytes read of 0")
    })
  )

  it.effect("a frame that does not decode ends the link, and says what and where", () =>
    Effect.gen(function* () {
      const { link, toLink } = yield* linkByHand
      yield* Queue.offerAll(toLink, pack([new Uint8Array([99])]))
      const closed = yield* Effect.flip(link.run(() => {}))
      assert.strictEqual(closed.message, "Bad frame: tag at 0: the unknown tag 99")
    })
  )
})
