/** How nodes end with the program that they are in. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { NetAddress } from "effect/net"
import { LogFailed } from "../../src/EventStore/LogStore.ts"
import { layerMemory } from "../../src/Lithair/Host.ts"
import { Lifecycle, launch, layerTest, supervise } from "../../src/Lithair/Lifecycle.ts"
import { layer } from "../../src/Lithair/Node.ts"
import * as Place from "../../src/Lithair/Place.ts"
import * as Model from "../../src/Model.ts"
import { layerPeers } from "../../src/Raft/peers/PeerListener.ts"
import { layer as layerSocketTransport } from "../../src/Raft/peers/PeerSockets.ts"
import * as Repository from "../../src/Repository.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

const node = Layer.provide(layer({ models: [Product] }), layerMemory)

/** Notes what happens to a node that registers. */
const registered = (happened: Array<string>, stopped: Effect.Effect<never, LogFailed> = Effect.never) =>
  Effect.gen(function* () {
    const drain = yield* Effect.cached(Effect.sync(() => void happened.push("drained")))
    yield* (yield* Lifecycle).register({ drain, stopped })
  })

describe("supervise", () => {
  it.effect("drains the node while the program goes on, and only then interrupts it", () =>
    Effect.gen(function* () {
      const happened: Array<string> = []
      const started = yield* Deferred.make<void>()
      const program = Effect.gen(function* () {
        yield* registered(happened)
        const wait = Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
        return yield* Effect.onInterrupt(wait, () => Effect.sync(() => void happened.push("interrupted")))
      })
      const running = yield* Effect.forkChild(supervise(Effect.scoped(program)))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(happened, ["drained", "interrupted"])
    })
  )

  it.effect("ends what uses the node before the node drains", () =>
    Effect.gen(function* () {
      const happened: Array<string> = []
      const started = yield* Deferred.make<void>()
      const program = Effect.gen(function* () {
        yield* registered(happened)
        const ends = Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => void happened.push("handed over"))
        )
        yield* (yield* Lifecycle).beforeDrain(ends)
        return yield* Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
      })
      const running = yield* Effect.forkChild(supervise(Effect.scoped(program)))
      yield* Deferred.await(started)
      yield* Fiber.interrupt(running)
      assert.deepStrictEqual(happened, ["handed over", "drained"])
    })
  )

  it.effect(
    "drains the node of a program that ends by itself, after everything that depends on the node has closed",
    () =>
      Effect.gen(function* () {
        const happened: Array<string> = []
        const program = Effect.gen(function* () {
          yield* registered(happened)
          yield* Effect.addFinalizer(() => Effect.sync(() => void happened.push("server closed")))
          return "done"
        })
        assert.strictEqual(yield* supervise(Effect.scoped(program)), "done")
        assert.deepStrictEqual(happened, ["server closed", "drained"])
      })
  )

  it.effect("fails with the reason why a node stopped, and ends the program", () =>
    Effect.gen(function* () {
      const happened: Array<string> = []
      const failed = yield* Deferred.make<never, LogFailed>()
      const program = Effect.gen(function* () {
        yield* registered(happened, Deferred.await(failed))
        yield* Deferred.fail(failed, new LogFailed({ message: "EIO" }))
        return yield* Effect.onInterrupt(Effect.never, () => Effect.sync(() => void happened.push("interrupted")))
      })
      const exit = yield* Effect.exit(supervise(Effect.scoped(program)))
      assert.deepStrictEqual(exit, Exit.fail(new LogFailed({ message: "EIO" })))
      assert.include(happened, "interrupted")
    })
  )

  it.live("gives a program the services of its node", () =>
    Effect.gen(function* () {
      const { row, version } = yield* Effect.flatMap(Repository.make(Product), (products) =>
        products.create({ name: "Anvil" })
      )
      assert.deepStrictEqual([row.name, version], ["Anvil", 1])
    }).pipe(Effect.provide(node), supervise)
  )
})

describe("a node", () => {
  it("does not compile without a lifecycle, which hears of its end", () => {
    const bare = Layer.launch(node)
    // @ts-expect-error nobody provides the Lifecycle
    const run: () => Promise<never> = () => Effect.runPromise(bare)
    const launched: () => Promise<never> = () => Effect.runPromise(launch(node))
    const tested: () => Promise<void> = () =>
      Effect.runPromise(Effect.provide(Effect.void, Layer.provide(node, layerTest)))
    assert.isFunction(run)
    assert.isFunction(launched)
    assert.isFunction(tested)
  })

  it("does not compile without a place, a storage and a transport", () => {
    // @ts-expect-error they are not there
    const run: () => Promise<never> = () => Effect.runPromise(launch(layer({ models: [Product] })))
    assert.isFunction(run)
  })
})

describe("layerPeers", () => {
  const serverAt = (address: NetAddress.IpAddress) =>
    Layer.succeed(
      HttpServer.HttpServer,
      HttpServer.make({ address: NetAddress.inetAddressUnsafe(address, 8081), serve: () => Effect.void })
    )
  const self = { nodeId: "a", address: "127.0.0.1:8081", instanceId: "i", peers: [] }
  const peersOn = (address: NetAddress.IpAddress, options: { secret?: string; insecurePeers?: boolean } = {}) =>
    Layer.build(
      layerPeers.pipe(
        Layer.provide(serverAt(address)),
        Layer.provide(HttpRouter.layer),
        Layer.provide(layerSocketTransport({ self, ...options }))
      )
    ).pipe(Effect.scoped, Effect.exit)

  it.effect(
    "refuses a server that other hosts reach, unless peers prove a secret and the operator says insecurePeers",
    () =>
      Effect.gen(function* () {
        const secret = "a long secret of the cluster, 1234567890"
        for (const options of [{}, { secret }, { insecurePeers: true }]) {
          const refused = yield* peersOn(NetAddress.ipv4Unspecified, options)
          assert.isTrue(Exit.isFailure(refused))
          assert.match(String(refused), /Cannot listen to peers on 0\.0\.0\.0: .* need TLS, or insecurePeers/)
        }
        assert.isTrue(Exit.isSuccess(yield* peersOn(NetAddress.ipv4Loopback)))
        assert.isTrue(Exit.isSuccess(yield* peersOn(NetAddress.ipv4Unspecified, { secret, insecurePeers: true })))
      })
  )
})

describe("a place", () => {
  it.effect("is its address, unless it has an id", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.provide(Place.Place, Place.layer({ address: "a:1" }))).id, "a:1")
      assert.strictEqual((yield* Effect.provide(Place.Place, Place.layer({ address: "a:1", id: "a" }))).id, "a")
    })
  )

  it.effect("refuses an id that no header of an answer can carry, of its own and of its peers", () =>
    Effect.gen(function* () {
      for (const id of ["nœud", "节点", "a\nb", "a b", "a/b", "", "a".repeat(129)]) {
        for (const options of [
          { address: "a:1", id },
          { address: "a:1", peers: [{ id, address: "b:1" }] }
        ]) {
          const failure = yield* Effect.flip(Layer.build(Place.layer(options)))
          assert.strictEqual(failure._tag, "BadId")
          assert.match(failure.message, /cannot be a node's id: use 1 to 128 characters/)
        }
      }
      assert.strictEqual((yield* Effect.provide(Place.Place, Place.layer({ address: "[::1]:8081" }))).id, "[::1]:8081")
    }).pipe(Effect.scoped)
  )
})
