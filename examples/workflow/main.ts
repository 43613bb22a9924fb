/**
 * Orders on three nodes, as workflows of Effect: no database, since their steps are in the log of the cluster. End any node
 * in the middle, and its orders go on elsewhere. See README.md.
 */
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import { Effect, Layer, Option } from "effect"
import { ClusterWorkflowEngine, RunnerAddress } from "effect/cluster"
import { HttpRouter } from "effect/http"
import { Lithair } from "lithair"
import * as Cluster from "lithair/cluster"
import { run } from "lithair/node"
import { Payment } from "./models.ts"
import { orderLayer } from "./order.ts"
import { routes } from "./routes.ts"

/** Runners talk to each other on a port of their own: 9081 beside 8081, unless the environment names another one. */
const runner = Layer.unwrap(
  Effect.gen(function* () {
    const { address } = yield* Lithair.Place
    const port = Number(process.env.RUNNER_PORT ?? Number(address.replace(/^.*:/, "")) + 1000)
    const runnerAddress = Option.some(RunnerAddress.make("127.0.0.1", port))
    const shardingConfig = {
      runnerAddress,
      runnerListenAddress: runnerAddress,
      shardLockExpiration: "5 seconds",
      refreshAssignmentsInterval: "1 second",
      entityReplyPollInterval: "50 millis"
    } as const
    return Cluster.layer(NodeClusterSocket.layer({ storage: "byo", shardingConfig }), { shardingConfig })
  })
)

const workflows = orderLayer.pipe(Layer.provideMerge(ClusterWorkflowEngine.layer), Layer.provide(runner))

const node = HttpRouter.serve(Layer.mergeAll(routes, Lithair.layerRoutes()), { disableLogger: true }).pipe(
  Layer.provide(workflows),
  Layer.provide(Lithair.layer({ models: [Payment, ...Cluster.models], commands: Cluster.commands })),
  Layer.provide(Cluster.layerHandlers)
)

const json = "-H 'content-type: application/json'"

run(node, {
  directory: ".lithair/workflow",
  path: "/api/payments",
  curls: [
    `curl -X POST http://127.0.0.1:8081/orders ${json} -d '{"id":"a","cents":1990,"city":"Paris"}'`,
    `curl -X POST http://127.0.0.1:8082/orders ${json} -d '{"id":"b","cents":2990,"city":"Atlantis"}'`,
    "curl http://127.0.0.1:8083/orders/a"
  ]
})
