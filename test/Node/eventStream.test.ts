/** Event streams over real sockets, on the server of each runtime: they flush, end with their clients, and keep no server open. */
import { connect, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { type Cause, Effect, Exit, Layer, Queue, Scope, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import type { NetAddress } from "effect/net"
import { TestClock } from "effect/testing"
import {
  makeEventStreams,
  respond,
  type ServerEvent,
  streamsMaxCount,
  unsentMaxBytes
} from "../../src/Http/EventStream.ts"
import { stuckMaxMs } from "../../src/Http/Stuck.ts"
import { layerServer } from "../../src/node.ts"
import { type Problem, problem, toResponse } from "../../src/Problem.ts"
import * as Condition from "../../src/Raft/node/Condition.ts"

/** A server with one route, which streams what a test offers. */
const serving = Effect.gen(function* () {
  const streams = makeEventStreams(16)
  const told = yield* Queue.unbounded<ServerEvent, Problem | Cause.Done>()
  /** How many streams have ended, and how many events they have taken. */
  const seen = { ended: 0, taken: 0 }
  const { changed, until } = Condition.make()
  const note = (what: keyof typeof seen, count: number) => {
    seen[what] += count
    changed()
  }
  const events = Stream.fromQueue(told).pipe(
    Stream.tap(() => Effect.sync(() => note("taken", 1))),
    Stream.ensuring(Effect.sync(() => note("ended", 1)))
  )
  const route = respond(streams, Effect.succeed(events)).pipe(
    Effect.catch((met: Problem) => Effect.succeed(toResponse(met)))
  )
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  const services = yield* HttpRouter.serve(HttpRouter.add("GET", "/events", route), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(Layer.provideMerge(layerServer({ port: 0 })), Layer.buildWithScope(scope))
  const { port } = yield* Effect.map(HttpServer.HttpServer, ({ address }) => address as NetAddress.InetAddress).pipe(
    Effect.provide(services)
  )
  return { streams, told, seen, until, port, close: Scope.close(scope, Exit.void) }
})

/** A connection that has sent its request. It reads all that comes, unless it is told not to. */
const asking = (port: number, { method = "GET", isReading = true } = {}) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<Socket>((resume) => {
        const socket = connect(port, "127.0.0.1", () => {
          socket.write(`${method} /events HTTP/1.1\r\nHost: a\r\n\r\n`)
          resume(Effect.succeed(socket))
        })
        socket.on("error", () => {})
        if (!isReading) socket.pause()
      }),
      (socket) => Effect.sync(() => socket.destroy())
    ),
    (socket) => {
      const heard = { text: "", isClosed: false }
      const { changed, until } = Condition.make()
      if (isReading) {
        socket.on("data", (bytes) => {
          heard.text += bytes.toString()
          changed()
        })
      }
      socket.on("close", () => {
        heard.isClosed = true
        changed()
      })
      return { socket, heard, until, hears: (text: string) => until(() => heard.text.includes(text)) }
    }
  )

const event = (id: number, size = 1): ServerEvent => ({ event: "created", id: `${id}`, data: "x".repeat(size) })

const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

describe("a stream of events", () => {
  it.effect("sends each event when it comes, and last why it ends", () =>
    Effect.gen(function* () {
      const { port, streams, told } = yield* serving
      const { heard, hears } = yield* asking(port)
      yield* Queue.offer(told, event(1))
      yield* hears('id: 1\nevent: created\ndata: "x"\n\n')
      assert.match(heard.text, /^HTTP\/1\.1 200/)
      assert.match(heard.text, /content-type: text\/event-stream/i)
      assert.match(heard.text, /cache-control: no-store/i)
      yield* Queue.offer(told, event(2))
      yield* hears("id: 2\n")
      assert.strictEqual(streams.openCount(), 1)
      yield* Queue.fail(told, problem("draining", "It stops", { definite: true }))
      yield* hears("event: end\n")
      assert.include(heard.text, '"type":"urn:lithair:problem:draining"')
      yield* hears("\r\n0\r\n\r\n")
    })
  )

  // Bun does not tell a server that a client has closed: the next events do, of which a bookmark is one.
  const isTold = !("Bun" in globalThis)

  it.effect("ends with its client, whether that resets, closes or ends its half", () =>
    Effect.gen(function* () {
      const { port, seen, streams, told, until } = yield* serving
      const ways: ReadonlyArray<(socket: Socket) => unknown> = [
        (socket) => socket.resetAndDestroy(),
        (socket) => socket.destroy(),
        ...(isTold ? [(socket: Socket) => socket.end()] : [])
      ]
      for (const [at, leave] of ways.entries()) {
        const { hears, socket } = yield* asking(port)
        yield* Queue.offer(told, event(at))
        yield* hears(`id: ${at}\n`)
        leave(socket)
        for (let sent = 0; !isTold && seen.ended === at && sent < 1_000; sent++) {
          yield* Queue.offer(told, event(at))
          yield* turn
        }
        yield* until(() => seen.ended === at + 1)
      }
      yield* Effect.yieldNow
      assert.strictEqual(streams.openCount(), 0)
    })
  )

  it.effect("asks for no more than a client takes, and cuts off one that takes nothing for a minute", () =>
    Effect.gen(function* () {
      const { port, seen, streams, told, until } = yield* serving
      yield* Queue.offerAll(
        told,
        Array.from({ length: 1_000 }, (_, id) => event(id, 100_000))
      )
      const { socket, until: untilHeard, heard } = yield* asking(port, { isReading: false })
      // The operating system takes some megabytes for the client.
      yield* until(() => seen.taken > 0)
      for (let turns = 0, taken = -1; turns < 200; turns = seen.taken === taken ? turns + 1 : 0) {
        taken = seen.taken
        yield* turn
      }
      assert.isBelow(seen.taken, 500)
      yield* TestClock.adjust(stuckMaxMs / 2)
      assert.strictEqual(streams.openCount(), 1)
      yield* TestClock.adjust(stuckMaxMs)
      yield* until(() => seen.ended === 1)
      socket.resume()
      yield* untilHeard(() => heard.isClosed)
      yield* Effect.yieldNow
      assert.strictEqual(streams.openCount(), 0)
    })
  )

  it.effect("answers HEAD without a stream", () =>
    Effect.gen(function* () {
      const { port, streams } = yield* serving
      const { hears } = yield* asking(port, { method: "HEAD" })
      yield* hears("\r\n\r\n")
      yield* Effect.yieldNow
      assert.strictEqual(streams.openCount(), 0)
    })
  )

  it.live("keeps no server open", () =>
    Effect.gen(function* () {
      const { close, port, told } = yield* serving
      const { hears } = yield* asking(port)
      yield* Queue.offer(told, event(1))
      yield* hears("id: 1\n")
      const beganMs = performance.now()
      yield* close
      assert.isBelow(performance.now() - beganMs, 3_000)
    })
  )

  it.effect("is refused past the most streams of a node, and finds no room past the bytes of all", () =>
    Effect.gen(function* () {
      const streams = makeEventStreams(16)
      const scope = yield* Scope.make()
      for (let count = 0; count < streamsMaxCount; count++) yield* Scope.provide(streams.enter(undefined), scope)
      const refused = yield* Effect.flip(Effect.scoped(streams.enter(undefined)))
      assert.strictEqual(refused.kind, "overloaded")
      yield* Scope.close(scope, Exit.void)
      yield* Effect.scoped(streams.enter(undefined))
      assert.isTrue(streams.reserve(unsentMaxBytes))
      assert.isFalse(streams.reserve(1))
      streams.free(1)
      assert.isTrue(streams.reserve(1))
    })
  )

  it.effect("is refused to a holder that has its share, and to no other", () =>
    Effect.gen(function* () {
      const streams = makeEventStreams(2)
      const first = yield* Scope.make()
      const second = yield* Scope.make()
      yield* Scope.provide(streams.enter("ada"), first)
      yield* Scope.provide(streams.enter("ada"), second)
      const refused = yield* Effect.flip(Effect.scoped(streams.enter("ada")))
      assert.deepStrictEqual([refused.kind, refused.members.limit], ["too-many-requests", "streams"])
      yield* Effect.scoped(streams.enter("bob"))
      yield* Scope.close(first, Exit.void)
      yield* Effect.scoped(streams.enter("ada"))
      yield* Scope.close(second, Exit.void)
      assert.strictEqual(streams.openCount(), 0)
    })
  )
})
