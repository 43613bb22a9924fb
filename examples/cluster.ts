/**
 * The example cluster. Without flags: three nodes as three processes, on ports 8081 to 8083. With `--port` and
 * `--peers`: one node of it. Runs unbuilt on Node, Bun and Deno.
 */
import { Layer } from "effect"
import { Lithair } from "lithair"
import { run } from "lithair/node"
import { commands, models } from "./models.ts"
import { transferLayer } from "./transfer.ts"

run(Layer.provide(Lithair.layerHttp({ models, commands }), transferLayer), {
  directory: ".lithair",
  path: "/api/products",
  curls: [
    `curl -X POST http://127.0.0.1:8081/api/products -H 'content-type: application/json' -d '{"name":"Anvil","price":"19.90"}'`,
    "curl http://127.0.0.1:8082/api/products"
  ]
})
