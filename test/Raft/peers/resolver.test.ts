/** A node whose name leads elsewhere than before is dialled where it leads now. */
import { createServer } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import * as PeerSockets from "../../../src/Raft/peers/PeerSockets.ts"
import { Resolver, resolving } from "../../../src/Raft/peers/Resolver.ts"

/** A server on every loopback address that upgrades nothing, and the hosts that it was asked for. */
const refusingServer = Effect.gen(function* () {
  const hosts: Array<string> = []
  const isEnough = yield* Deferred.make<void>()
  const server = createServer().on("upgrade", ({ headers }, socket) => {
    socket.on("error", () => {}) // The dialer cuts the connection.
    hosts.push(String(headers.host))
    if (hosts.length === 6) Deferred.doneUnsafe(isEnough, Effect.void)
    socket.end("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
  })
  const port = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "0.0.0.0", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () => Effect.sync(() => server.close())
  )
  return { hosts, port, isEnough }
})

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
      const { hosts, port, isEnough } = yield* refusingServer
      let at = 0
      const layer = PeerSockets.layer({
        self: { nodeId: "a", address: "a:1", instanceId: "i", peers: [{ id: "b", address: "b.example:8081" }] },
        secret: "0123456789abcdef0123456789abcdef",
        insecurePeers: true
      }).pipe(Layer.provide(Layer.succeed(Resolver)(() => Effect.sync(() => `127.0.0.${++at}:${port}`))))
      yield* Layer.build(layer)
      yield* Deferred.await(isEnough).pipe(Effect.timeout("10 seconds"))
      assert.isTrue(
        hosts.every((host) => /^127\.0\.0\.\d+:\d+$/.test(host)),
        hosts.join(" ")
      )
      assert.strictEqual(new Set(hosts).size, hosts.length)
    }).pipe(Effect.scoped)
  )
})
