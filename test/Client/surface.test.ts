/** One contract for a repository on a node and for one over real HTTP: what a program sees is the same. docs/client.md. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option } from "effect"
import { FetchHttpClient, HttpServer } from "effect/http"
import { layer as layerNear } from "../../src/Client/near/layer.ts"
import * as Client from "../../src/Client.ts"
import * as Command from "../../src/Command.ts"
import * as Http from "../../src/Http.ts"
import * as Lithair from "../../src/Lithair.ts"
import { layerServer } from "../../src/node.ts"
import { type Begin, outcomeOf } from "../../src/Raft/node/Settle.ts"
import { Records } from "../../src/Repository/Records.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster, type TestNodeServices, type TestRoutes } from "../../src/Testing.ts"
import { changesContract } from "./changesContract.ts"
import { liveContract } from "./liveContract.ts"
import { contract } from "./surfaceContract.ts"
import {
  application,
  byCategory,
  count,
  handlers,
  Product,
  ProductId,
  Review,
  Stock,
  take,
  View
} from "./surfaceModels.ts"

type Program = Effect.Effect<void, unknown, Repository.Repository>

/** On a node of a cluster, by its services. */
const near = (program: Program) =>
  TestCluster.use(({ on }) => on("n1", program)).pipe(
    Effect.provide(Layer.provide(TestCluster.layer({ ...application, size: 1 }), handlers))
  )

/** A node with its routes on a real server. */
const served = Lithair.layerHttp(application).pipe(
  Layer.provide([handlers, Lithair.layerMemory, Lithair.layerTest]),
  Layer.provideMerge(layerServer({ port: 0 }))
)

const layerFar = Layer.unwrap(
  HttpServer.addressFormattedWith((url) => Effect.succeed(Client.layer({ nodes: [url] })))
).pipe(Layer.provide(FetchHttpClient.layer))

/** In the same process as its node, but by HTTP alone. */
const far = (program: Program) => Effect.provide(program, Layer.provide(layerFar, served))

for (const [where, run] of [
  ["on a node", near],
  ["over HTTP", far]
] as const) {
  describe(`a repository ${where}`, () => {
    for (const [name, program] of Object.entries({ ...contract, ...changesContract, ...liveContract }))
      it.live(name, () => run(program))
  })
}

/** Both in one test: on the node, and over the node's own routes. */
const both = Effect.gen(function* () {
  const far = yield* Client.make({ nodes: [""], timeoutMs: 2_000 })
  return { near: yield* Repository.Repository, far }
})

const onFirst = <A, E>(
  program: Effect.Effect<A, E, TestNodeServices>,
  options: { readonly routes?: TestRoutes } = {}
) =>
  TestCluster.use(({ on }) => on("n1", program)).pipe(
    Effect.provide(Layer.provide(TestCluster.layer({ ...application, ...options }), handlers))
  )

/** A node whose own log writes no part of a mixed record. */
const layerLosing = Layer.effect(
  Records,
  Effect.map(Records, (records) => {
    const losing =
      <A, E>(begin: Begin<A, E>): Begin<A, E> =>
      (settle) =>
        begin((exit) => settle(Exit.map(exit, (done) => ({ ...done, isLocalPartLost: true }))))
    const beginChange: typeof records.beginChange = (...asked) => losing(records.beginChange(...asked))
    const beginTransact: typeof records.beginTransact = (...asked) => losing(records.beginTransact(...asked))
    return {
      ...records,
      beginChange,
      change: (...asked) => outcomeOf(beginChange(...asked)),
      beginTransact,
      transact: (...asked) => outcomeOf(beginTransact(...asked))
    }
  })
)

describe("a repository on a node and one over HTTP", () => {
  it.live("say that the node could not write local fields, of mixed records alone (D4)", () =>
    onFirst(
      Effect.gen(function* () {
        const near = Layer.fresh(Layer.provide(layerNear, layerLosing))
        const far = Layer.effect(Repository.Repository, Client.make({ nodes: [""] }))
        const check = (where: string) =>
          Effect.gen(function* () {
            const { records, transact } = yield* Repository.Repository
            const { row } = yield* records(Product).create({ name: where, price: 1 })
            const review = { productId: row.id, text: "", draft: "lost" }
            const lost = { isLocalPartLost: true } as const
            assert.deepInclude(yield* records(Review).create(review), { version: 1, ...lost })
            assert.deepInclude((yield* records(Review).createAll([review]))[0], { version: 1, ...lost })
            const [patched, created, removed] = yield* transact([
              Repository.patch(Product, row.id, { price: 2 }),
              Repository.create(Review, { ...review, id: where }),
              Repository.remove(Review, where)
            ])
            assert.deepStrictEqual([patched.isLocalPartLost, removed.isLocalPartLost], [undefined, undefined])
            assert.deepInclude(created, { id: where, version: 1, ...lost })
          })
        yield* Effect.provide(check("near"), near)
        yield* Effect.provide(check("far"), far)
      }),
      { routes: Layer.provide(Http.layerApi(), layerLosing) }
    )
  )

  it.live("go on with each other's pages, and tell what became of each other's keys", () =>
    onFirst(
      Effect.gen(function* () {
        const { far, near } = yield* both
        const names = ["a", "b", "c"].map((name) => ({ name, price: 1 }))
        yield* near.records(Product).createAll(names, { key: "near" })
        const nextOf = (page: { readonly next: string | undefined }) => ({ limit: 1, cursor: page.next! })
        const first = yield* near.records(Product).list({ limit: 1 })
        const second = yield* far.records(Product).list(nextOf(first))
        const third = yield* near.records(Product).list(nextOf(second))
        assert.lengthOf(new Set([first, second, third].map(({ items }) => items[0]?.row.name)), 3)
        yield* far.records(Product).create({ name: "d", price: 1 }, { key: "far" })
        for (const key of ["near", "far"]) {
          assert.deepStrictEqual(yield* near.operation(key), yield* far.operation(key))
          assert.strictEqual((yield* far.operation(key)).state, "committed")
        }
      })
    )
  )

  it.live("know a copy of each other's changes: one key, one change, whichever is asked again", () =>
    onFirst(
      Effect.gen(function* () {
        const { far, near } = yield* both
        const id = ProductId.make("00000000-0000-4000-8000-000000000001")
        const anvil = { name: "Anvil", price: 5 }
        type Way = Repository.Repository["Service"]
        const changes: Readonly<Record<string, (way: Way, key: string) => Effect.Effect<unknown, unknown>>> = {
          create: ({ records }, key) => records(Stock).create({ id: "s", left: 9 }, { key }),
          put: ({ records }, key) => records(Product).put(id, anvil, { key }),
          patch: ({ records }, key) => records(Product).patch(id, { price: 6, category: null }, { key, ifVersion: 1 }),
          run: ({ run }, key) => run(take, { id: "s", count: 1 }, { key }),
          createAll: ({ records }, key) => records(Product).createAll([{ name: "Nail", price: 1 }], { key }),
          transact: ({ transact }, key) =>
            transact(
              [
                Repository.create(Product, { name: "Bolt", price: 1 }),
                Repository.put(Review, "r", { productId: id, text: "", draft: "kept" }),
                Repository.remove(Review, "r"),
                Repository.patch(Product, id, { price: 7 }, { ifVersion: 2 })
              ],
              { key }
            ),
          local: ({ records }, key) => records(View).create({ id: "v", html: "" }, { key }),
          delete: ({ records }, key) => records(Product).delete(id, { key, ifVersion: 3 })
        }
        for (const [name, change] of Object.entries(changes)) {
          const [first, second] = name.length % 2 === 0 ? [near, far] : [far, near]
          const done = yield* change(first, name)
          assert.deepStrictEqual(yield* change(second, name), done, name)
          const other = yield* Effect.flip(second.records(Stock).create({ left: 0 }, { key: name }))
          assert.isTrue(Repository.isProblem(other, "key-reused"), name)
        }
      })
    )
  )

  it.live("read in a session what their changes were answered before, on a node that lags", () =>
    Effect.gen(function* () {
      const { leader, nodes, on, weather } = yield* TestCluster
      const first = yield* leader
      const follower = nodes.find((node) => node !== first) ?? ""
      yield* on(
        first,
        Effect.flatMap(Repository.make(Stock), ({ create }) => create({ id: "s", left: 99 }))
      )
      yield* weather({ latencyMaxMs: 40 })
      const session = { consistency: "session" } as const
      const check = Effect.gen(function* () {
        for (const [where, { records, run }] of Object.entries(yield* both)) {
          const stocks = records(Stock)
          for (let count = 0; count < 10; count++) {
            const { left } = yield* run(take, { id: "s", count: 1 })
            assert.strictEqual(Option.getOrThrow(yield* stocks.get("s", session)).row.left, left, where)
          }
        }
      })
      yield* on(follower, check)
    }).pipe(Effect.provide(Layer.provide(TestCluster.layer(application), handlers)))
  )

  it.live("say that certainly nothing happened where no quorum is reached", () =>
    Effect.gen(function* () {
      const { on, partition } = yield* TestCluster
      yield* on(
        "n1",
        Effect.flatMap(Repository.make(Product), ({ list }) => list())
      )
      yield* partition(["n1"])
      yield* on(
        "n1",
        Effect.gen(function* () {
          for (const [where, repository] of Object.entries(yield* both)) {
            const { operation, projections, records, run, transact } = repository
            const products = records(Product)
            for (const refused of [
              products.get(ProductId.make("00000000-0000-4000-8000-000000000001")),
              products.list(),
              products.create({ name: "Anvil", price: 1 }),
              transact([Repository.create(Product, { name: "Anvil", price: 1 })]),
              run(take, { id: "s", count: 1 }),
              projections.get(count),
              operation("key")
            ] as ReadonlyArray<Effect.Effect<unknown, { readonly _tag: string }>>) {
              const error = yield* Effect.flip(refused)
              assert.strictEqual(error instanceof Repository.Problem ? error.kind : error, "no-quorum", where)
            }
          }
        })
      )
    }).pipe(Effect.provide(Layer.provide(TestCluster.layer(application), handlers)))
  )

  it("are checked by the compiler: ids by their brands, fields and their values", () => {
    const program = Effect.gen(function* () {
      const { projections, records, run } = yield* Repository.Repository
      const products = records(Product)
      const id = ProductId.make("00000000-0000-4000-8000-000000000001")
      const found: Option.Option<Repository.Versioned<typeof Product>> = yield* products.get(id)
      const { command } = { command: yield* Command.Transaction }
      yield* products.patch(Option.getOrThrow(found).row.id, { price: 1 })
      yield* records(Stock).get("any text: its id has no brand")
      // @ts-expect-error: the id of a product is a brand
      yield* products.get("00000000-0000-4000-8000-000000000001")
      // @ts-expect-error: the id of a product is a brand
      yield* products.delete("00000000-0000-4000-8000-000000000001")
      // @ts-expect-error: the id of a product is a brand
      Repository.patch(Product, "00000000-0000-4000-8000-000000000001", {})
      // @ts-expect-error: the id of a product is a brand
      yield* command.get(Product, "00000000-0000-4000-8000-000000000001")
      // @ts-expect-error: there is no such field
      yield* products.create({ name: "Anvil", price: 5, weight: 1 })
      // @ts-expect-error: a price is a number
      yield* products.list({ where: [["price", "eq", "5"]] })
      // @ts-expect-error: there is no such field
      yield* products.list({ orderBy: [["weight", "asc"]] })
      // @ts-expect-error: a count is a number
      yield* run(take, { id: "s", count: "1" })
      // @ts-expect-error: this projection has keys
      yield* projections.get(byCategory)
    })
    assert.isTrue(Effect.isEffect(program))
  })
})
