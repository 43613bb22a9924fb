/**
 * A cluster that backs itself up to a directory, from whichever node leads. Without flags: three nodes as three processes,
 * on ports 8081 to 8083. LITHAIR_BACKUPS names another place, as in `s3://bucket/prefix`. See docs/backup.md.
 */
import { Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { Backup, Lithair } from "lithair"
import { run } from "lithair/node"
import { models } from "./models.ts"

const place = process.env.LITHAIR_BACKUPS ?? ".lithair/backup/store"

const backups = Backup.every({ snapshot: "1 minute", log: "2 seconds", keep: "1 day" }, Backup.layerUrl(place)).pipe(
  Layer.provide(FetchHttpClient.layer)
)

run(Layer.provideMerge(backups, Lithair.layerHttp({ models })), {
  directory: ".lithair/backup",
  path: "/api/products",
  curls: [
    `curl -X POST http://127.0.0.1:8081/api/products -H 'content-type: application/json' -d '{"name":"Anvil","price":"19.90"}'`,
    "curl http://127.0.0.1:8082/_admin/api/backups",
    `npx lithair inspect ${place}`
  ]
})
