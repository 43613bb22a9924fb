/** A node whose application made its server itself, from `node:http`, as a process: it takes the flags of the example's nodes. */
import { createServer } from "node:http"
import { parseArgs } from "node:util"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Layer } from "effect"
import { models } from "../../examples/models.ts"
import * as Lithair from "../../src/Lithair.ts"
import { runMain } from "../../src/node.ts"

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "" },
    peers: { type: "string", default: "" },
    data: { type: "string", default: "" }
  }
})

runMain(
  Lithair.launch(
    Lithair.layerHttp({ models }).pipe(
      Layer.provide(Lithair.layerHost({ address: `127.0.0.1:${values.port}`, directory: values.data })),
      Layer.provide(NodeHttpServer.layer(createServer, { port: Number(values.port), host: "127.0.0.1" }))
    )
  )
)
