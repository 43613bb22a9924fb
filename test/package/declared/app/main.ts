/** An application over shared models: what it exports can be named in its declarations, layers and launch included. */
import { Context, Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { Client, Command, Http, Lithair, Projection, Reaction, Repository } from "lithair"
import { layer, layerServer, runMain } from "lithair/node"
import { TestCluster } from "lithair/testing"
import { buy, byName, models, Product, ProductId, total } from "../shared/models.ts"
export class Mailer extends Context.Service<Mailer, { readonly send: (text: string) => Effect.Effect<void> }>()(
  "Mailer"
) {}
export const mail = Reaction.make("mail", {
  from: [Product],
  run: (event) => Effect.flatMap(Mailer, (m) => m.send(event.record.name))
})
export const buyLayer = Command.layer(
  buy,
  Effect.fnUntraced(function* ({ productId }) {
    const t = yield* Command.Transaction
    return yield* t.get(Product, productId)
  })
)
export const rows = Projection.sqlite("rows", { from: [Product], version: 1, ddl: "", evolve: () => [] })
export const application = { models, commands: [buy], projections: [total, byName, rows], reactions: [mail] }
export const node = Lithair.layer(application)
export const http = Lithair.layerHttp(application)
export const routes = Layer.mergeAll(
  Http.layerApi({ prefix: "/v1" }),
  Http.layerDocs(),
  Http.layerHealth,
  Http.layerAdmin,
  Http.layerPeers,
  Http.layerNotFound
)
export const server = HttpRouter.serve(routes)
export const place = Lithair.layerHost({ address: "a:1", directory: "x" })
export const all = layer({ port: 1, directory: "x" })
export const listen = layerServer({ port: 1 })
export const launched = Lithair.launch(Layer.provide(http, [place, listen]))
export const cluster = TestCluster.layer(application)
export const products = Repository.make(Product)
export const client = Client.make({ nodes: ["http://a"] })
export const clientLayer = Client.layer({ nodes: ["http://a"] })
export const start = () => runMain(Effect.void)
export const price = Effect.map(products, (p) => p.list({ where: [["name", "eq", "a"]] }))
export const one = (id: typeof ProductId.Type) => Effect.flatMap(products, (p) => p.get(id))
export const repository = Repository.Repository
export const bought = Effect.flatMap(repository, ({ run, transact }) =>
  Effect.andThen(
    run(buy, { productId: ProductId.make("00000000-0000-4000-8000-000000000001"), count: 1 }),
    transact([Repository.create(Product, { name: "a", price: 1 })])
  )
)
export const totals = Effect.flatMap(repository, ({ projections }) => projections.page(byName))
export const query = Projection.query(rows, { sql: "SELECT 1" })
export const made = Effect.flatMap(products, (p) => p.create({ name: "a", price: 1 }))
export const problems = Http.problem("not-found", "x", {})
