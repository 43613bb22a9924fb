/**
 * The example cluster. Without flags: three nodes as three processes, on ports 8081 to 8083. With `--port` and
 * `--peers`: one node of it. Runs unbuilt on Node, Bun and Deno.
 */
import { Effect } from "effect"
import * as Lithair from "../src/Lithair.ts"
import { run } from "./cluster/Program.ts"
import { commands, models } from "./models.ts"
import { transferLayer } from "./transfer.ts"

run({
  script: import.meta.url,
  directory: ".lithair",
  path: "/api/products",
  curls: [
    `curl -X POST http://127.0.0.1:8081/api/products -H 'content-type: application/json' -d '{"name":"Anvil","price":"19.90"}'`,
    "curl http://127.0.0.1:8082/api/products"
  ],
  launch: (place, server) => Effect.provide(Lithair.launch({ ...place, models, commands }, server), transferLayer)
})
