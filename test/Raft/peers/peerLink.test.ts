/** A link whose peer falls silent, lies, refuses or sends too much: by hand, over a stream that the test owns. */
import { type Duplex, duplexPair } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { makeFrameStream } from "../../../src/Raft/peers/FrameStream.ts"
import { greet, handshakeTimeoutMs } from "../../../src/Raft/peers/Greeting.ts"
import {
  encodeHello,
  type Hello,
  helloMaxBytes,
  introducingProtocol,
  prove
} from "../../../src/Raft/peers/Handshake.ts"
import { encodeIntroduction } from "../../../src/Raft/peers/Introduction.ts"
import { makeLink, pulseIntervalMs, silentPulsesMax } from "../../../src/Raft/peers/PeerLink.ts"
import type { PeerMessage } from "../../../src/Raft/peers/PeerMessage.ts"
import { plain } from "../../../src/Raft/peers/Upgrade.ts"
import { encodeFrame } from "../../../src/Raft/peers/Wire.ts"
import { decodePulse, decodeRefused, handshakeFrame, makeFrame, pulseFrame } from "../../../src/Raft/peers/WireFrame.ts"

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
const [dialer, acceptor] = [hello("a", "b"), hello("b", "a")]

const echo = (term: number): PeerMessage => ({ _tag: "HeartbeatReply", term, readNumber: 1 })
const frameOf = (...bytes: ReadonlyArray<number>) => makeFrame(bytes.length, (to) => to.raw(Uint8Array.from(bytes)))

/** Lets events of streams happen, which no clock of a test moves. */
const untilWritten = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

/** A dialer's link after its handshake, the other end of its stream, and each write that arrived there since. */
const linkByHand = Effect.gen(function* () {
  const [near, far] = duplexPair()
  const writes: Array<Uint8Array> = []
  far.on("data", (chunk: Uint8Array) => writes.push(chunk))
  far.once("end", () => far.end())
  far.write(handshakeFrame("hello", encodeHello(acceptor)))
  far.write(handshakeFrame("proof", prove({ secret: undefined, role: "acceptor", dialer, acceptor })))
  const greeted = yield* greet({ connection: plain(near), side: { role: "dialer", hello: dialer }, secret: undefined })
  const link = makeLink(greeted, { lane: "control", generation: 0, dialledBy: "a" })
  yield* Effect.addFinalizer(() => Effect.sync(() => far.destroy()))
  while (writes.length < 2) yield* untilWritten
  writes.length = 0
  return { link, far, writes }
})

/** What an acceptor says to a dialer by hand, and how its handshake ends. */
const acceptByHand = Effect.fnUntraced(function* (play: (far: Duplex) => void) {
  const [near, far] = duplexPair()
  const said: Array<Uint8Array> = []
  far.on("data", (chunk: Uint8Array) => said.push(chunk))
  far.once("end", () => far.end())
  play(far)
  const closed = yield* greet({
    connection: plain(near),
    side: { role: "acceptor", answer: () => acceptor },
    secret: undefined
  }).pipe(Effect.scoped, Effect.flip)
  return { closed, said: Buffer.concat(said) }
})

describe("PeerLink", () => {
  it.effect("a peer that is silent for 5 s is closed, and one that pulses is not (D8)", () =>
    Effect.gen(function* () {
      const { far, link } = yield* linkByHand
      const running = yield* Effect.forkScoped(link.run(() => {}))
      for (let interval = 0; interval < 3 * silentPulsesMax; interval++) {
        far.write(pulseFrame(0))
        yield* untilWritten
        yield* TestClock.adjust(pulseIntervalMs)
      }
      assert.isUndefined(running.pollUnsafe())
      yield* TestClock.adjust(pulseIntervalMs * silentPulsesMax)
      const closed = yield* Effect.flip(Fiber.join(running))
      assert.strictEqual(closed.message, "The peer is silent")
      assert.isFalse(link.send(echo(1)))
    })
  )

  it.effect("a frame may take longer than 5 s on a slow connection, as long as its bytes come", () =>
    Effect.gen(function* () {
      const { far, link } = yield* linkByHand
      const received: Array<PeerMessage> = []
      const running = yield* Effect.forkScoped(link.run((message) => received.push(message)))
      const sent: PeerMessage = { _tag: "Forward", life: 1, requestIds: [1], body: new Uint8Array(1_000) }
      const frame = encodeFrame(sent)
      for (let at = 0; at < frame.length; at += 100) {
        far.write(frame.subarray(at, at + 100))
        yield* untilWritten
        yield* TestClock.adjust(pulseIntervalMs)
      }
      assert.isUndefined(running.pollUnsafe())
      assert.deepStrictEqual(
        received.map(({ _tag }) => _tag),
        ["Forward"]
      )
    })
  )

  it.effect("a peer that claims to have read more than it was sent is closed", () =>
    Effect.gen(function* () {
      const { far, link } = yield* linkByHand
      far.write(pulseFrame(1))
      const closed = yield* Effect.flip(link.run(() => {}))
      assert.strictEqual(closed.message, "Bad pulse: 1 bytes read of 0")
    })
  )

  it.effect("a frame that does not decode ends the link, and says what and where", () =>
    Effect.gen(function* () {
      const { far, link } = yield* linkByHand
      far.write(frameOf(99))
      const closed = yield* Effect.flip(link.run(() => {}))
      assert.strictEqual(closed.message, "Bad frame: tag at 0: the unknown tag 99")
    })
  )

  it.effect("a frame past the limit ends the link by its length alone", () =>
    Effect.gen(function* () {
      const { far, link } = yield* linkByHand
      far.write(new Uint8Array([0xff, 0xff, 0xff, 0xff]))
      const closed = yield* Effect.flip(link.run(() => {}))
      assert.strictEqual(closed.message, "Bad frame: a length of 4294967295 past the limit of 16777216")
    })
  )

  it.effect("messages that come right behind the proof wait for the link to run, and no further ones are read", () =>
    Effect.gen(function* () {
      const { far, link } = yield* linkByHand
      for (let term = 1; term <= 3; term++) far.write(encodeFrame(echo(term)))
      const received: Array<PeerMessage> = []
      const running = yield* Effect.forkScoped(link.run((message) => received.push(message)))
      while (received.length < 3) yield* untilWritten
      assert.deepStrictEqual(received, [echo(1), echo(2), echo(3)])
      yield* link.close
      const closed = yield* Effect.flip(Fiber.join(running))
      assert.strictEqual(closed.message, "Closed by this node")
    })
  )

  it.effect("a large message may come right behind the introduction", () =>
    Effect.gen(function* () {
      const [near, far] = duplexPair()
      far.once("end", () => far.end())
      const protocols = { protocolMin: introducingProtocol, protocolMax: introducingProtocol }
      const [from, to] = [
        { ...dialer, ...protocols },
        { ...acceptor, ...protocols }
      ]
      const sent: PeerMessage = { _tag: "Forward", life: 1, requestIds: [1], body: new Uint8Array(2 * helloMaxBytes) }
      const parts = [
        handshakeFrame("proof", prove({ secret: undefined, role: "dialer", dialer: from, acceptor: to })),
        Buffer.concat([
          handshakeFrame("introduction", encodeIntroduction({ start: undefined, known: undefined })),
          encodeFrame(sent)
        ])
      ]
      // The acceptor answers the hello, and then the proof.
      far.on("data", () => {
        const part = parts.shift()
        if (part !== undefined) far.write(part)
      })
      far.write(handshakeFrame("hello", encodeHello(from)))
      const side = { role: "acceptor", answer: () => to } as const
      const link = makeLink(yield* greet({ connection: plain(near), side, secret: undefined }), {
        lane: "control",
        generation: 0,
        dialledBy: "a"
      })
      const received: Array<PeerMessage> = []
      yield* Effect.forkScoped(link.run((message) => received.push(message)))
      while (received.length < 1) yield* untilWritten
      assert.deepStrictEqual(received, [sent])
      far.destroy()
    })
  )

  it.effect("bytes without the tag of an introduction are none", () =>
    Effect.gen(function* () {
      const protocols = { protocolMin: introducingProtocol, protocolMax: introducingProtocol }
      const [from, to] = [
        { ...dialer, ...protocols },
        { ...acceptor, ...protocols }
      ]
      const [near, far] = duplexPair()
      far.once("end", () => far.end())
      const parts = [
        handshakeFrame("proof", prove({ secret: undefined, role: "dialer", dialer: from, acceptor: to })),
        makeFrame(2, (bytes) => bytes.raw(encodeIntroduction({ start: undefined, known: undefined })))
      ]
      far.on("data", () => {
        const part = parts.shift()
        if (part !== undefined) far.write(part)
      })
      far.write(handshakeFrame("hello", encodeHello(from)))
      const side = { role: "acceptor", answer: () => to } as const
      const closed = yield* Effect.flip(greet({ connection: plain(near), side, secret: undefined }))
      assert.match(closed.message, /the tag 0 in the place of the introduction$/)
    }).pipe(Effect.scoped)
  )

  it.effect("messages of one turn leave in one write", () =>
    Effect.gen(function* () {
      const { link, writes } = yield* linkByHand
      const frameBytes = encodeFrame(echo(1)).length
      for (let term = 1; term <= 10; term++) assert.isTrue(link.send(echo(term)))
      while (writes.length === 0) yield* untilWritten
      assert.deepStrictEqual(
        writes.map(({ length }) => length),
        [10 * frameBytes]
      )
    })
  )

  it.effect("a defect of the one who receives ends the link as a defect", () =>
    Effect.gen(function* () {
      const { far, link } = yield* linkByHand
      far.write(encodeFrame(echo(1)))
      const exit = yield* Effect.exit(
        link.run(() => {
          throw new Error("no")
        })
      )
      assert.include(String(exit), "no")
      assert.isFalse(link.send(echo(1)))
    })
  )

  it.effect("one who is refused after the handshake hears why", () =>
    Effect.gen(function* () {
      const { link, writes } = yield* linkByHand
      const reason = yield* Effect.flip(link.refuse({ _tag: "SecondProcess", nodeId: "b" }))
      assert.isTrue(reason.refused)
      while (writes.length === 0) yield* untilWritten
      const said = decodeRefused(writes[0]!.subarray(4))
      assert.isTrue(said._tag === "Refused" && said.reason.startsWith("another process runs as b"))
    })
  )

  it.live("a stranger that says nothing is closed after the handshake's time", () =>
    Effect.gen(function* () {
      const beganMs = performance.now()
      const { closed } = yield* acceptByHand(() => {})
      assert.strictEqual(closed.message, "The handshake took too long")
      assert.isAtLeast(performance.now() - beganMs, handshakeTimeoutMs - 10)
    })
  )

  it.live("a stranger can make a node keep no more than the longest hello", () =>
    Effect.gen(function* () {
      const { closed } = yield* acceptByHand((far) => far.write(makeFrame(4, (to) => to.u32(0)).fill(0x7f, 0, 4)))
      assert.include(closed.message, `past the limit of ${helloMaxBytes}`)
    })
  )

  it.live("a stranger that does not begin with a hello is told so", () =>
    Effect.gen(function* () {
      const { closed, said } = yield* acceptByHand((far) => far.write(pulseFrame(0)))
      assert.isTrue(closed.refused)
      const refused = decodeRefused(said.subarray(4))
      assert.isTrue(refused._tag === "Refused" && refused.reason.includes("the tag 0 in the place of the hello"))
    })
  )
})

describe("FrameStream", () => {
  it.live("reads no further while nobody takes its frames", () =>
    Effect.gen(function* () {
      const [near, far] = duplexPair({ highWaterMark: 1_000 })
      const frames = makeFrameStream(near)
      yield* untilWritten
      let count = 0
      while (far.write(pulseFrame(count)) && count < 10_000) count += 1
      assert.isBelow(count, 10_000)
      const first = decodePulse(yield* frames.next(100))
      assert.deepStrictEqual(first, { _tag: "Pulse", receivedBytes: 0 })
      far.destroy()
    })
  )
})
