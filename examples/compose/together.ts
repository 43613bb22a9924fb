/**
 * Follows two models in one stream. Its elements are a union, told apart by the name of the model. They come in the order
 * of the log, so each delivery comes after its product, and the program knows the product's name by then.
 */
import assert from "node:assert/strict"
import { Console, Effect, Layer, Schema, Stream } from "effect"
import { FetchHttpClient, HttpServer } from "effect/http"
import { Client, Lithair, Model, Repository } from "lithair"
import { layerServer, runMain } from "lithair/node"
import { Product } from "./models.ts"

class Delivery extends Model.Class<Delivery>("Delivery")(
  {
    id: Model.id(Schema.String.check(Schema.isUUID())),
    productId: Schema.String.pipe(Model.replicate),
    count: Schema.Int.check(Schema.isGreaterThan(0))
  },
  { references: { productId: { model: Product, onDelete: "restrict" } } }
) {}

type Told = Repository.ToldOf<{ readonly Product: typeof Product; readonly Delivery: typeof Delivery }>

/** Says in one line what a change means. */
const line = (names: Map<string, string>, told: Told): string | undefined => {
  if (told.type === "bookmark" || told.type === "erased" || told.type === "left") return undefined
  switch (told.model) {
    case "Product":
      names.set(told.id, told.row.name)
      return `${told.row.name}: ${told.row.stock} in stock`
    case "Delivery":
      return `${names.get(told.row.productId)}: ${told.row.count} delivered`
  }
}

/** Tells what happened since the beginning of the log, and goes on. */
const lines = Stream.unwrap(
  Effect.map(Repository.Repository, ({ changes }) => {
    const names = new Map<string, string>()
    return changes({ Product, Delivery }, { after: "0" }).pipe(
      Stream.flatMap((told) => Stream.fromIterable([line(names, told)].filter((each) => each !== undefined)))
    )
  })
)

const demo = Effect.gen(function* () {
  const { records, transact } = yield* Repository.Repository
  const { row: anvil } = yield* records(Product).create({ name: "Anvil", stock: 0 })
  yield* transact([
    Repository.create(Delivery, { productId: anvil.id, count: 3 }),
    Repository.patch(Product, anvil.id, { stock: 3 })
  ])
  const url = yield* HttpServer.addressFormattedWith(Effect.succeed)
  const elsewhere = Client.layer({ nodes: [url] }).pipe(Layer.provide(FetchHttpClient.layer))
  const told = yield* lines.pipe(
    Stream.take(3),
    Stream.runCollect,
    Effect.timeout("20 seconds"),
    Effect.provide(elsewhere)
  )
  assert.deepEqual(told, ["Anvil: 0 in stock", "Anvil: 3 delivered", "Anvil: 3 in stock"])
  yield* Effect.forEach(told, (each) => Console.log(each))
  yield* Console.log("together: ok")
})

const node = Lithair.layerHttp({ models: [Product, Delivery] }).pipe(
  Layer.provide(Lithair.layerMemory),
  Layer.provideMerge(layerServer({ port: 0 }))
)

demo.pipe(Effect.provide(node), Lithair.supervise, runMain)
