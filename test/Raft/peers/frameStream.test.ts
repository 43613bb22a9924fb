import { Duplex } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeFrameStream } from "../../../src/Raft/peers/FrameStream.ts"

/** A connection that keeps what is written to it. */
const connection = () => {
  const writes: Array<string> = []
  const stream = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _, done) => {
      writes.push(chunk.toString())
      done()
    }
  })
  return { writes, frames: makeFrameStream(stream) }
}

const text = (value: string) => new TextEncoder().encode(value)

describe("FrameStream", () => {
  it.effect("writes the frames of one turn together, at its end", () =>
    Effect.gen(function* () {
      const { frames, writes } = connection()
      frames.send(text("one "))
      frames.send(text("two"))
      assert.deepStrictEqual(writes, [])
      yield* Effect.promise(() => Promise.resolve())
      assert.deepStrictEqual(writes, ["one two"])
    })
  )

  it.effect("writes what waits at once when it is flushed, and nothing twice", () =>
    Effect.gen(function* () {
      const { frames, writes } = connection()
      frames.send(text("one"))
      frames.flush()
      assert.deepStrictEqual(writes, ["one"])
      frames.flush()
      frames.send(text("two"))
      yield* Effect.promise(() => Promise.resolve())
      assert.deepStrictEqual(writes, ["one", "two"])
    })
  )
})
