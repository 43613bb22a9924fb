/** The shop: orders that never sell more than the stock, and the sales of each day, on three nodes. See shop/README.md. */
import { Layer } from "effect"
import { Lithair } from "lithair"
import { run } from "lithair/node"
import { application } from "./shop/application.ts"
import { handlersLayer } from "./shop/handlers.ts"

const anvil = "00000000-0000-4000-8000-0000000000aa"

const post = (url: string, body: unknown) =>
  `curl -X POST ${url} -H 'content-type: application/json' -d '${JSON.stringify(body)}'`

run(Layer.provide(Lithair.layerHttp(application), handlersLayer), {
  directory: ".lithair/shop",
  path: "/api/products",
  curls: [
    post("http://127.0.0.1:8081/api/products", { id: anvil, name: "Anvil", price: "19.90", stock: 1 }),
    post("http://127.0.0.1:8082/api/_commands/placeOrder", { productId: anvil, count: 1 }),
    post("http://127.0.0.1:8083/api/_commands/placeOrder", { productId: anvil, count: 1 }),
    "curl 'http://127.0.0.1:8083/api/orders?status=eq.pending'"
  ]
})
