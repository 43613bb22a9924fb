/**
 * A node of the example whose router serves every request, as a process: a middleware of the application stands before
 * all routes. It takes the flags of the example's nodes.
 */
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { commands, models } from "../../examples/models.ts"
import { transferLayer } from "../../examples/transfer.ts"
import * as Lithair from "../../src/Lithair.ts"
import { run } from "../../src/node.ts"

const passing = HttpRouter.middleware(<A, E, R>(app: Effect.Effect<A, E, R>) => Effect.map(app, (it) => it), {
  global: true
})

run(
  HttpRouter.serve(Layer.provideMerge(Lithair.layerRoutes(), passing), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(Layer.provide(Lithair.layer({ models, commands })), Layer.provide(transferLayer))
)
