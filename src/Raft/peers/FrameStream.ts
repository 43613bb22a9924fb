/**
 * Frames over one connection, both ways, until it ends. The connection is a stream of bytes: a socket, or anything else
 * that is a `Duplex`. PeerLink.ts says what the frames mean; WireFrame.ts has their bytes.
 */
import type { Duplex } from "node:stream"
import { Deferred, Effect, Latch, Schema } from "effect"
import { FrameReader, pack } from "./WireFrame.ts"

/** How long a connection that this node ends may take to deliver its last frames. Then the node cuts it. */
export const lingerMs = 500

/**
 * The connection could not be opened, or has ended. `refused` says that one side refused the other, so that another
 * attempt alone does not help.
 */
export class LinkClosed extends Schema.TaggedError<LinkClosed>()("LinkClosed", {
  message: Schema.String,
  refused: Schema.Boolean,
  /** A proven peer says that this cluster took the place of this node's own. */
  supersededBy: Schema.optionalKey(Schema.String),
  /** A proven peer knows this later start of this node's data directory, which is not in it. */
  copiedBefore: Schema.optionalKey(Schema.Struct({ life: Schema.Int, nonce: Schema.String }))
}) {}

/** Frames over one connection. It does not read ahead: bytes that nobody takes yet stay with the sender. */
export interface FrameStream {
  /** Sends a frame that has its length ahead. All frames of one turn of the event loop leave in one write. */
  readonly send: (frame: Uint8Array) => void
  /** Writes all waiting frames now. */
  readonly flush: () => void
  /** Takes the next frame, of at most `maxBytes`. */
  readonly next: (maxBytes: number) => Effect.Effect<Uint8Array, LinkClosed>
  /**
   * Calls `heard` for all further bytes, and passes each frame of at most `maxBytes` to `take`. A defect of `take` ends
   * the connection.
   */
  readonly read: (maxBytes: number, heard: () => void, take: (frame: Uint8Array) => void) => void
  /** Sends what waits, and nothing more. Frames still come in until the other side ends the connection too. */
  readonly endSending: () => void
  /** Sends what waits, and ends the connection. Only the first reason counts. */
  readonly end: (why: LinkClosed) => void
  /** Fails with the reason once the connection ends. */
  readonly ended: Effect.Effect<never, LinkClosed>
  /** Resumes once the connection is closed, soon after it has ended. */
  readonly closed: Effect.Effect<void>
}

/** Takes over the connection until the caller ends it. */
export const makeFrameStream = (stream: Duplex): FrameStream => {
  const reader = new FrameReader()
  const early: Array<Uint8Array> = []
  const arrived = Latch.makeUnsafe(false)
  const ended = Deferred.makeUnsafe<never, LinkClosed>()
  let take: ((frame: Uint8Array) => void) | undefined
  let heard = (): void => {}
  let maxBytes = 0
  let isOver = false
  let isSending = true
  let waiting: Array<Uint8Array> = []

  const flush = (): void => {
    const frames = waiting
    waiting = []
    if (frames.length === 0 || !stream.writable) return
    const packets = pack(frames)
    if (packets.length === 1) return void stream.write(packets[0])
    stream.cork()
    for (const packet of packets) stream.write(packet)
    stream.uncork()
  }

  const finish = (result: Effect.Effect<never, LinkClosed>): void => {
    if (isOver) return
    flush()
    isOver = true
    early.length = 0
    stream.off("data", onData)
    // The other side closes once it has read everything; until then its last bytes are dropped, since a connection that
    // is closed before its input is read is reset, and a reset overtakes the last frames.
    stream.resume()
    stream.end()
    const timer = setTimeout(() => stream.destroy(), lingerMs)
    stream.once("close", () => clearTimeout(timer))
    if (stream.closed) clearTimeout(timer)
    Deferred.doneUnsafe(ended, result)
    arrived.openUnsafe()
  }
  const end = (why: LinkClosed): void => finish(Effect.fail(why))

  const onFrame = (frame: Uint8Array): void => {
    if (isOver) return
    if (take === undefined) {
      early.push(frame)
      return
    }
    try {
      take(frame)
    } catch (defect) {
      finish(Effect.die(defect))
    }
  }
  const onData = (chunk: Uint8Array): void => {
    heard()
    const wrong = reader.push(chunk, maxBytes, onFrame)
    if (wrong !== undefined) end(new LinkClosed({ message: `Bad frame: ${wrong.found}`, refused: false }))
    if (early.length === 0) return
    stream.pause()
    arrived.openUnsafe()
  }
  stream.on("error", (error: Error) => end(new LinkClosed({ message: error.message, refused: false })))
  stream.once("end", () => end(new LinkClosed({ message: "The peer ended the connection", refused: false })))
  stream.once("close", () => end(new LinkClosed({ message: "The connection is closed", refused: false })))
  stream.pause()
  stream.on("data", onData)

  return {
    send: (frame) => {
      if (isSending && !isOver && waiting.push(frame) === 1) queueMicrotask(flush)
    },
    flush,
    next: (frameMaxBytes) =>
      Effect.gen(function* () {
        while (early.length === 0) {
          if (isOver) return yield* Deferred.await(ended)
          maxBytes = frameMaxBytes
          arrived.closeUnsafe()
          stream.resume()
          yield* arrived.await
        }
        return early.shift()!
      }),
    read: (frameMaxBytes, onBytes, onNext) => {
      if (isOver) return
      maxBytes = frameMaxBytes
      heard = onBytes
      take = onNext
      for (const frame of early.splice(0)) onFrame(frame)
      if (!isOver) stream.resume()
    },
    endSending: () => {
      if (isOver || !isSending) return
      flush()
      isSending = false
      stream.end()
    },
    end,
    ended: Deferred.await(ended),
    closed: Effect.callback<void>((resume) => {
      if (stream.closed) return resume(Effect.void)
      stream.once("close", () => resume(Effect.void))
    })
  }
}
