/** Clients on one port; administration, health checks and peers on another one: `node admin.ts 8081 9081 9082,9083`. */
import { Layer } from "effect"
import { HttpRouter } from "effect/http"
import { Http, Lithair } from "lithair"
import { layerServer, runMain } from "lithair/node"
import { Product } from "./models.ts"

const [port = "8081", adminPort = "9081", peerPorts = ""] = process.argv.slice(2)

const place = {
  address: `127.0.0.1:${adminPort}`,
  peers: peerPorts
    .split(",")
    .flatMap((peer) => (peer === "" ? [] : [{ id: `127.0.0.1:${peer}`, address: `127.0.0.1:${peer}` }])),
  directory: `.lithair/admin-${port}`
}
// Other hosts reach the API, and this example has no `auth`: everybody who reaches it may change everything.
const node = Lithair.layer({ models: [Product], insecureOpen: true }).pipe(Layer.provideMerge(Lithair.layerHost(place)))

const quiet = { disableLogger: true }
const forClients = HttpRouter.serve(Layer.mergeAll(Http.layerApi(), Http.layerDocs(), Http.layerNotFound), quiet).pipe(
  Layer.provide(layerServer({ port: Number(port), host: "0.0.0.0" }))
)
const forOperators = HttpRouter.serve(Layer.mergeAll(Http.layerAdmin, Http.layerPeers, Http.layerHealth), quiet).pipe(
  Layer.provide(layerServer({ port: Number(adminPort) }))
)

Layer.mergeAll(forClients, forOperators).pipe(Layer.provide(node), Lithair.launch, runMain)
