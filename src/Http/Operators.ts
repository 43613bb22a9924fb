/** All that a node serves for those who look after it, on their own listener if the node has one. */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import type { OpenToOthers } from "./OpenMode.ts"
import { type NotForClients, OperatorServer } from "./OperatorServer.ts"
import { type DocsOptions, layerAdmin, layerDocs, layerHealth, layerNotFound, type OperatorServices } from "./Routes.ts"

/**
 * Serves `/_admin`, `/metrics`, `/docs` and `/openapi.json`: on the listener of the node's operators if it has one, beside
 * `/livez` and `/readyz`, and nowhere else; otherwise on the router of this context. So the flags of a node decide, and the
 * composition stays as it is.
 */
export const layerOperators = (
  options: DocsOptions = {}
): Layer.Layer<never, NotForClients | OpenToOthers, HttpRouter.HttpRouter | OperatorServices> => {
  const routes = Layer.merge(layerAdmin, layerDocs(options))
  return Layer.unwrap(
    Effect.map(OperatorServer, (server) => (server === undefined ? routes : servedBy(server, routes)))
  )
}

/** Serves routes on another server. They are built apart: the layers that both servers mount exist once for each. */
const servedBy = <E, R>(
  server: HttpServer.HttpServer["Service"],
  routes: Layer.Layer<never, E, R | HttpRouter.HttpRouter>
) => {
  const quiet = { disableLogger: true, disableListenLog: true }
  const served = HttpRouter.serve(Layer.mergeAll(routes, layerHealth, layerNotFound), quiet).pipe(
    Layer.provide(Layer.succeed(HttpServer.HttpServer, server))
  )
  return Layer.effectDiscard(
    Effect.gen(function* () {
      yield* Layer.buildWithMemoMap(served, yield* Layer.makeMemoMap, yield* Effect.scope)
    })
  )
}
