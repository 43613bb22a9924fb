/** Frames on a stream of bytes: however the stream cuts them, they come back whole, and none is larger than it may be. */
import { assert, describe, it } from "@effect/vitest"
import {
  decodePulse,
  decodeRefused,
  FrameReader,
  handshakeFrame,
  lengthBytes,
  linkTags,
  makeFrame,
  pack,
  packetTargetBytes,
  pulseFrame,
  refusedFrame
} from "../../../src/Raft/peers/WireFrame.ts"

const frameOf = (body: Uint8Array) => makeFrame(body.length, (to) => to.raw(body))
const bodyOf = (frame: Uint8Array) => frame.subarray(lengthBytes)

/** Frames of these lengths, each filled with its number. */
const framesOf = (...lengths: ReadonlyArray<number>) =>
  lengths.map((length, at) => frameOf(new Uint8Array(length).fill(at + 1)))

describe("WireFrame", () => {
  it("frames come back whole and in order, wherever the stream cuts them", () => {
    const frames = framesOf(1, 0, 300, 5, 0, 7_000, 2)
    const stream = Buffer.concat(frames)
    for (const chunkBytes of [1, 2, 3, 4, 5, 7, 64, 304, 4_096, stream.length]) {
      const reader = new FrameReader()
      const back: Array<Uint8Array> = []
      for (let at = 0; at < stream.length; at += chunkBytes) {
        assert.isUndefined(reader.push(stream.subarray(at, at + chunkBytes), 7_000, (frame) => back.push(frame)))
      }
      assert.isTrue(
        back.length === frames.length && back.every((frame, at) => Buffer.compare(frame, bodyOf(frames[at]!)) === 0),
        `in chunks of ${chunkBytes}`
      )
    }
  })

  it("a length past the limit is refused before its bytes come, and the frames before it are taken", () => {
    const reader = new FrameReader()
    const [small, large] = framesOf(3, 11)
    const back: Array<number> = []
    const found = reader.push(Buffer.concat([small!, large!.subarray(0, lengthBytes)]), 10, ({ length }) =>
      back.push(length)
    )
    assert.deepStrictEqual(found, {
      _tag: "Malformed",
      field: "length",
      offset: 0,
      found: "a length of 11 past the limit of 10"
    })
    assert.deepStrictEqual(back, [3])
  })

  it("small frames leave in one buffer, and a large one is not copied", () => {
    const frames = framesOf(1, 10, packetTargetBytes, 3, 5)
    const packets = pack(frames)
    assert.strictEqual(packets.length, 3)
    assert.strictEqual(packets[1], frames[2])
    assert.strictEqual(Buffer.compare(Buffer.concat(packets), Buffer.concat(frames)), 0)
    assert.deepStrictEqual(pack([]), [])
    assert.strictEqual(pack(frames.slice(0, 1))[0], frames[0])
  })

  it("a pulse and a refusal survive the wire, and are refused when cut", () => {
    const pulse = bodyOf(pulseFrame(2 ** 40))
    assert.deepStrictEqual(decodePulse(pulse), { _tag: "Pulse", receivedBytes: 2 ** 40 })
    const refused = bodyOf(refusedFrame("wrong cluster: own é, theirs c2"))
    assert.deepStrictEqual(decodeRefused(refused), { _tag: "Refused", reason: "wrong cluster: own é, theirs c2" })
    for (let length = 1; length < pulse.length; length++) {
      assert.strictEqual(decodePulse(pulse.subarray(0, length))._tag, "Malformed", `cut at ${length}`)
    }
    for (let length = 1; length < refused.length; length++) {
      assert.strictEqual(decodeRefused(refused.subarray(0, length))._tag, "Malformed", `cut at ${length}`)
    }
  })

  it("a reason of any length fits into a refusal, and puts no line into the log of the other side", () => {
    const said = decodeRefused(bodyOf(refusedFrame(`a\nb${"€".repeat(10_000)}`)))
    assert.isTrue(said._tag === "Refused" && said.reason.startsWith("a?b€"))
  })

  it("a part of the handshake is its tag and its bytes", () => {
    const frame = bodyOf(handshakeFrame("proof", new Uint8Array([1, 2])))
    assert.deepStrictEqual([...frame], [linkTags.proof, 1, 2])
  })
})
