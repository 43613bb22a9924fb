/** One program, near and far: on a node by the node's services, and over HTTP as a program elsewhere. Only the layer differs. */
import assert from "node:assert/strict"
import { Console, Effect, Layer } from "effect"
import { FetchHttpClient, HttpServer } from "effect/http"
import { Client, Lithair, Repository } from "lithair"
import { layerServer, runMain } from "lithair/node"
import { Product } from "./models.ts"

/** Adds anvils to those in stock, and gives their number. It does not know where it runs. */
const deliver = Effect.fnUntraced(function* (count: number) {
  const products = yield* Repository.make(Product)
  const { items } = yield* products.list({ where: [["name", "eq", "Anvil"]], limit: 1 })
  const [found] = items
  const delivered =
    found === undefined
      ? products.create({ name: "Anvil", stock: count })
      : products.patch(found.row.id, { stock: found.row.stock + count }, { ifVersion: found.version })
  const { row } = yield* delivered
  return row.stock
})

/** A node in memory, and its HTTP API on a port that is free. */
const node = Lithair.layerHttp({ models: [Product] }).pipe(
  Layer.provide(Lithair.layerMemory),
  Layer.provideMerge(layerServer({ port: 0 }))
)

const program = Effect.gen(function* () {
  const near = yield* deliver(3)
  const url = yield* HttpServer.addressFormattedWith(Effect.succeed)
  const elsewhere = Client.layer({ nodes: [url] }).pipe(Layer.provide(FetchHttpClient.layer))
  const far = yield* Effect.provide(deliver(2), elsewhere)
  assert.deepEqual({ near, far }, { near: 3, far: 5 })
  yield* Console.log("anywhere: ok")
})

program.pipe(Effect.provide(node), Lithair.supervise, runMain)
