/** A node whose name leads elsewhere than before is dialled where it leads now. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { Socket } from "effect/socket"
import * as PeerSockets from "../../../src/Raft/peers/PeerSockets.ts"
import { Resolver, resolving } from "../../../src/Raft/peers/Resolver.ts"

describe("the resolver of addresses", () => {
  it.effect("asks for the name each time, and dials the name itself where nobody knows it", () =>
    Effect.gen(function* () {
      const answers = [[{ address: "10.0.0.1" }], [{ address: "fd00::2" }], []]
      const asked: Array<string> = []
      const resolve = resolving((host) => {
        asked.push(host)
        return Promise.resolve(answers.shift() ?? Promise.reject(new Error("ENOTFOUND")))
      })
      const address = "b.example:8081"
      const found = [yield* resolve(address), yield* resolve(address), yield* resolve(address), yield* resolve(address)]
      assert.deepStrictEqual(found, ["10.0.0.1:8081", "[fd00::2]:8081", address, address])
      assert.deepStrictEqual(new Set(asked), new Set(["b.example"]))
    })
  )

  it.live("each dial of a peer resolves its name anew", () =>
    Effect.gen(function* () {
      const dialled: Array<string> = []
      const isThere = yield* Deferred.make<void>()
      let at = 0
      const peers = [{ id: "b", address: "b.example:8081" }]
      const layer = PeerSockets.layerWith({
        self: { nodeId: "a", address: "a:1", instanceId: "i", peers },
        secret: "0123456789abcdef0123456789abcdef"
      }).pipe(
        Layer.provide(HttpRouter.layer),
        Layer.provide(
          Layer.succeed(Socket.WebSocketConstructor)((url) => {
            dialled.push(String(url))
            if (String(url).includes("10.0.0.3")) Deferred.doneUnsafe(isThere, Effect.void)
            // Nobody listens there: the attempt is over at once.
            return new globalThis.WebSocket("ws://127.0.0.1:9")
          })
        ),
        Layer.provide(Layer.succeed(Resolver)(() => Effect.sync(() => `10.0.0.${++at}:8081`)))
      )
      yield* Layer.build(layer)
      yield* Deferred.await(isThere).pipe(Effect.timeout("10 seconds"))
      assert.isTrue(
        dialled.every((url) => /^ws:\/\/10\.0\.0\.\d+:8081\/_raft$/.test(url)),
        dialled.join(" ")
      )
      assert.strictEqual(new Set(dialled).size, dialled.length)
    }).pipe(Effect.scoped)
  )
})
