/** Long answers over real sockets, on the server of each runtime: a client that stops reading does not keep one for ever. */
import { connect } from "node:net"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { NetAddress } from "effect/net"
import { TestClock } from "effect/testing"
import { stuckMaxMs, takenInTime } from "../../src/Http/Stuck.ts"
import { layerServer } from "../../src/node.ts"
import * as Condition from "../../src/Raft/node/Condition.ts"

const turn = Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))

it.effect("an answer ends when its client takes nothing for a minute", () =>
  Effect.gen(function* () {
    const { changed, until } = Condition.make()
    const seen = { given: 0, isOver: false }
    const endless = Stream.forever(Stream.succeed(new Uint8Array(100_000))).pipe(
      Stream.tap(() => Effect.sync(() => void seen.given++)),
      Stream.tap(() => Effect.sync(changed)),
      Stream.ensuring(
        Effect.sync(() => {
          seen.isOver = true
          changed()
        })
      )
    )
    const route = Effect.gen(function* () {
      return HttpServerResponse.stream(yield* takenInTime(endless, yield* HttpServerRequest.HttpServerRequest))
    })
    const services = yield* HttpRouter.serve(HttpRouter.add("GET", "/long", route), {
      disableLogger: true,
      disableListenLog: true
    }).pipe(Layer.provideMerge(layerServer({ port: 0 })), Layer.build)
    const { port } = yield* Effect.map(HttpServer.HttpServer, ({ address }) => address as NetAddress.InetAddress).pipe(
      Effect.provide(services)
    )
    const socket = connect(port, "127.0.0.1", () => socket.write("GET /long HTTP/1.1\r\nHost: a\r\n\r\n"))
    yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
    socket.on("error", () => {})
    socket.pause()
    yield* until(() => seen.given > 0)
    // The operating system takes some megabytes for the client.
    for (let turns = 0, given = -1; turns < 200; turns = seen.given === given ? turns + 1 : 0) {
      given = seen.given
      yield* turn
    }
    yield* TestClock.adjust(stuckMaxMs / 2)
    assert.isFalse(seen.isOver)
    yield* TestClock.adjust(stuckMaxMs)
    yield* until(() => seen.isOver)
  })
)
