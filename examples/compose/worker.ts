/** A worker without an API, which changes records by itself. Only its peers reach it over HTTP: `node worker.ts 8081`. */
import { Console, Effect, Layer, Schedule } from "effect"
import { HttpRouter } from "effect/http"
import { Http, Lithair, Repository } from "lithair"
import { layer, runMain } from "lithair/node"
import { Product } from "./models.ts"

const port = Number(process.argv[2] ?? 8081)

const node = HttpRouter.serve(Http.layerPeers, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(Lithair.layer({ models: [Product] })),
  Layer.provide(layer({ port, directory: `.lithair/worker-${port}` }))
)

const work = Effect.gen(function* () {
  const products = yield* Repository.make(Product)
  const once = Effect.gen(function* () {
    const { row, version } = yield* products.create({ name: "Anvil", stock: 1 })
    yield* Console.log(`created ${row.id} at version ${version}`)
  })
  return yield* once.pipe(
    // The write is certainly not done, for example while there is no leader yet. Any other failure ends the worker.
    Effect.catchTag("Problem", ({ message }) => Console.log(`not done: ${message}`)),
    Effect.repeat(Schedule.spaced("200 millis"))
  )
})

work.pipe(Effect.provide(node), Lithair.supervise, runMain)
