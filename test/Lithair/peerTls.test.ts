/** Where a node listens for peers under TLS: by options, and by variables of the environment. */
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Layer, Result } from "effect"
import { peerAddressOf, together } from "../../src/Lithair/PeerTls.ts"
import { layer, layerConfig, Place } from "../../src/Lithair/Place.ts"
import { parseListen } from "../../src/Raft/peers/Address.ts"

const files = { certFile: "cert.pem", keyFile: "key.pem", caFile: "ca.pem" }

describe("where peers speak under TLS", () => {
  it("is a host and a port; the host may mean all interfaces", () => {
    const taken: ReadonlyArray<readonly [string, string, number]> = [
      ["127.0.0.1:7081", "127.0.0.1", 7081],
      ["0.0.0.0:7081", "0.0.0.0", 7081],
      ["[::]:7081", "::", 7081],
      ["[::1]:1", "::1", 1],
      ["node-1.example:65535", "node-1.example", 65_535]
    ]
    for (const [text, host, port] of taken) assert.deepStrictEqual(parseListen(text), Result.succeed({ host, port }))
    for (const text of ["", "7081", ":7081", "a:0", "a:65536", "::1:7081", "a b:1", "http://a:1", "[a]:1"]) {
      const parsed = parseListen(text)
      assert.isTrue(Result.isFailure(parsed), text)
      if (Result.isFailure(parsed)) assert.match(parsed.failure, /is no place to listen at: /)
    }
  })

  it.effect("needs all four settings, or none", () =>
    Effect.gen(function* () {
      const names = ["--listen", "--cert", "--key", "--ca"]
      assert.isUndefined(yield* together(names, [undefined, undefined, undefined, undefined]))
      const whole = yield* together(names, ["a:1", "cert.pem", "key.pem", "ca.pem"])
      assert.deepStrictEqual(whole, { listen: "a:1", alsoPlain: false, ...files })
      const part = yield* Effect.flip(together(names, [undefined, "cert.pem", undefined, "ca.pem"]))
      assert.strictEqual(part.message, "TLS between peers needs --listen, --key too")
      // Who has none of them is plain, and not also plain.
      const plain = yield* Effect.flip(together(names, [undefined, undefined, undefined, undefined], true))
      assert.strictEqual(plain.message, "TLS between peers needs --listen, --cert, --key, --ca too")
      // Until TLS is required, peers find the node where they do without.
      assert.isUndefined(peerAddressOf({ listen: "a:1", alsoPlain: true, ...files }))
      assert.strictEqual(peerAddressOf({ listen: "a:1", ...files }), "a:1")
    })
  )

  it.effect("is part of a node's place", () =>
    Effect.gen(function* () {
      const placeOf = (listen: string) =>
        Effect.map(Layer.build(layer({ address: "a:1", peerTls: { listen, ...files } })), Context.get(Place))
      const { insecurePeers, peerTls } = yield* placeOf("0.0.0.0:7081")
      assert.deepStrictEqual(peerTls, { listen: { host: "0.0.0.0", port: 7081 }, alsoPlain: false, ...files })
      assert.isFalse(insecurePeers)
      assert.strictEqual((yield* Effect.flip(placeOf("7081")))._tag, "BadAddress")
    }).pipe(Effect.scoped)
  )

  it.effect("comes from variables of the environment", () =>
    Effect.gen(function* () {
      const placeOf = (variables: Record<string, string>) =>
        Effect.map(Layer.build(layerConfig), Context.get(Place)).pipe(
          Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ LITHAIR_ADDRESS: "a:1", ...variables })))
        )
      const variables = {
        LITHAIR_PEER_LISTEN: "a:7081",
        LITHAIR_PEER_CERT_FILE: "cert.pem",
        LITHAIR_PEER_KEY_FILE: "key.pem",
        LITHAIR_PEER_CA_FILE: "ca.pem"
      }
      assert.deepStrictEqual((yield* placeOf(variables)).peerTls, {
        listen: { host: "a", port: 7081 },
        alsoPlain: false,
        ...files
      })
      assert.isTrue((yield* placeOf({ LITHAIR_INSECURE_PEERS: "true" })).insecurePeers)
      assert.isUndefined((yield* placeOf({})).peerTls)
      const { LITHAIR_PEER_KEY_FILE: _, ...others } = variables
      assert.match(String(yield* Effect.flip(placeOf(others))), /TLS between peers needs LITHAIR_PEER_KEY_FILE too/)
    }).pipe(Effect.scoped)
  )
})
