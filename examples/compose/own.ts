/**
 * Your own route, your own HttpApi and your own middleware beside the derived API, on one port. A bearer token guards all
 * that clients use; health checks and peers do without it.
 */
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import {
  HttpApi,
  HttpApiBuilder,
  HttpApiEndpoint,
  HttpApiGroup,
  HttpApiMiddleware,
  HttpApiSecurity
} from "effect/http-api"
import { Http, Lithair, Repository } from "lithair"
import { run } from "lithair/node"
import { Product } from "./models.ts"

/** The user who asks. */
class User extends Context.Service<User, { readonly name: string }>()("example/User") {}

class Unauthorized extends Schema.TaggedError<Unauthorized>()("Unauthorized", {}, { httpApiStatus: 401 }) {}

const userOf = (token: string): Effect.Effect<User["Service"], Unauthorized> =>
  token === "secret" ? Effect.succeed({ name: "ada" }) : Effect.fail(new Unauthorized())

/** Guards an HttpApi, and stands in its document. */
class Bearer extends HttpApiMiddleware.Service<Bearer, { provides: User }>()("example/Bearer", {
  error: Unauthorized,
  security: { bearer: HttpApiSecurity.bearer }
}) {}
const bearer = Layer.succeed(Bearer)({
  bearer: (app, { credential }) =>
    Effect.flatMap(userOf(Redacted.value(credential)), (user) => Effect.provideService(app, User, user))
})

/** Guards routes that are not of an HttpApi, the derived ones among them. */
const guard = HttpRouter.middleware<{ provides: User }>()((app) =>
  Effect.gen(function* () {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const user = yield* Effect.option(userOf((headers.authorization ?? "").replace(/^Bearer /, "")))
    if (user._tag === "None") return HttpServerResponse.jsonUnsafe({ title: "Unauthorized" }, { status: 401 })
    return yield* Effect.provideService(app, User, user.value)
  })
).layer

const Api = HttpApi.make("shop")
  .add(
    HttpApiGroup.make("stock").add(
      HttpApiEndpoint.get("total", "/total", { success: Schema.Struct({ total: Schema.Int, by: Schema.String }) })
    )
  )
  .prefix("/shop")
  .middleware(Bearer)

const stock = HttpApiBuilder.group(
  Api,
  "stock",
  Effect.fnUntraced(function* (handlers) {
    const products = yield* Repository.make(Product)
    return handlers.handle("total", () =>
      Effect.gen(function* () {
        // A read that no quorum confirms is 503 here too, with its problem as the body.
        const { items } = yield* Effect.orDie(products.list({ limit: 100 }))
        const { name } = yield* User
        return { total: items.reduce((sum, { row }) => sum + row.stock, 0), by: name }
      })
    )
  })
)

const hello = HttpRouter.add(
  "GET",
  "/hello",
  Effect.map(User, ({ name }) => HttpServerResponse.text(`hello ${name}`))
).pipe(Layer.provide(guard))

/** The routes for clients. A test runs the same layer in its cluster. */
export const routes = Layer.mergeAll(
  hello,
  HttpApiBuilder.layer(Api).pipe(Layer.provide(stock), Layer.provide(bearer)),
  Http.layerApi({ prefix: "/v1" }).pipe(Layer.provide(guard)),
  Http.layerDocs({ prefix: "/v1", apis: [Api] }),
  Http.layerHealth
)

export const application = { models: [Product] }

if (import.meta.main) {
  const node = HttpRouter.serve(Layer.mergeAll(routes, Http.layerAdmin, Http.layerPeers), { disableLogger: true })
  run(Layer.provide(node, Lithair.layer(application)), { directory: ".lithair/own", path: "/docs" })
}
