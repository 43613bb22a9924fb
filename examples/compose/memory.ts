/** For tests: a node in memory without a socket, and the routes of own.ts on a cluster of three that loses its leader. */
import assert from "node:assert/strict"
import { Effect, Layer } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { Lithair, Repository } from "lithair"
import { TestCluster } from "lithair/testing"
import { Product } from "./models.ts"
import { application, routes } from "./own.ts"

const node = Lithair.layer(application).pipe(Layer.provide(Lithair.layerMemory), Layer.provide(Lithair.layerTest))

const createAnvil = Effect.flatMap(Repository.make(Product), (products) => products.create({ name: "Anvil", stock: 3 }))

const alone = Effect.provide(createAnvil, node)

const askTotal = HttpClientRequest.get("/shop/total").pipe(HttpClientRequest.bearerToken("secret"), HttpClient.execute)

const cluster = Effect.gen(function* () {
  const { crash, leader, nodes, on, settle } = yield* TestCluster
  const first = yield* leader
  yield* on(first, createAnvil)
  yield* crash(first)
  yield* settle
  const other = nodes.find((id) => id !== first) ?? ""
  const unauthorized = yield* on(other, HttpClient.get("/v1/api/products"))
  const total = yield* on(
    other,
    Effect.flatMap(askTotal, (response) => response.json)
  )
  return { unauthorized: unauthorized.status, total }
}).pipe(Effect.provide(TestCluster.layer({ ...application, routes })))

const { row } = await Effect.runPromise(alone)
assert.equal(row.stock, 3)
assert.deepEqual(await Effect.runPromise(cluster), { unauthorized: 401, total: { total: 3, by: "ada" } })
console.log("memory: ok")
