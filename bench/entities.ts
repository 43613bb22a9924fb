/**
 * Nodes of the line `cluster`: Effect Cluster over the log. `POST /call` is one persisted call of one of a thousand entities,
 * and `POST /workflow` a workflow of three activities.
 */
import * as NodeClusterSocket from "@effect/platform-node/NodeClusterSocket"
import { Effect, Layer, Option, Random, Schema } from "effect"
import { ClusterSchema, ClusterWorkflowEngine, Entity, RunnerAddress } from "effect/cluster"
import { SecureRandom } from "effect/crypto"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { Rpc } from "effect/rpc"
import { Activity, Workflow } from "effect/workflow"
import { Lithair } from "lithair"
import * as Cluster from "lithair/cluster"
import { run } from "lithair/node"

const entitiesCount = 1_000

const Counter = Entity.make("Counter", [
  Rpc.make("Add", {
    payload: { id: Schema.String },
    success: Schema.Int,
    primaryKey: ({ id }) => id
  }).annotate(ClusterSchema.Persisted, true)
])

const counterLayer = Counter.toLayer(
  Effect.sync(() => {
    let sum = 0
    return { Add: () => Effect.sync(() => ++sum) }
  })
)

const Steps = Workflow.make("Steps", {
  payload: { id: Schema.String },
  success: Schema.Int,
  idempotencyKey: ({ id }) => id
})

const step = (name: string) => Activity.make({ name, success: Schema.Int, execute: Effect.succeed(1) })

const stepsLayer = Steps.toLayer(
  Effect.fnUntraced(function* () {
    return (yield* step("first")) + (yield* step("second")) + (yield* step("third"))
  })
)

const call = HttpRouter.add(
  "POST",
  "/call",
  Effect.gen(function* () {
    const counters = yield* Counter.client
    const entity = yield* Random.nextIntBetween(0, entitiesCount)
    const sum = yield* counters(String(entity)).Add({ id: SecureRandom.uuidV4Unsafe() })
    return HttpServerResponse.jsonUnsafe({ sum })
  })
)

const workflow = HttpRouter.add(
  "POST",
  "/workflow",
  Effect.map(
    Effect.suspend(() => Steps.execute({ id: SecureRandom.uuidV4Unsafe() })),
    (sum) => HttpServerResponse.jsonUnsafe({ sum })
  )
)

const runner = Layer.unwrap(
  Effect.sync(() => {
    const port = Number(process.env.RUNNER_PORT)
    const runnerAddress = Option.some(RunnerAddress.make("127.0.0.1", port))
    const shardingConfig = {
      runnerAddress,
      runnerListenAddress: runnerAddress,
      refreshAssignmentsInterval: "500 millis",
      entityReplyPollInterval: "20 millis"
    } as const
    return Cluster.layer(NodeClusterSocket.layer({ storage: "byo", shardingConfig }), { shardingConfig })
  })
)

const entities = Layer.mergeAll(counterLayer, stepsLayer).pipe(
  Layer.provideMerge(ClusterWorkflowEngine.layer),
  Layer.provideMerge(runner)
)

run(
  HttpRouter.serve(Layer.mergeAll(call, workflow, Lithair.layerRoutes()), { disableLogger: true }).pipe(
    Layer.provide(entities),
    Layer.provide(Lithair.layer({ models: Cluster.models, commands: Cluster.commands })),
    Layer.provide(Cluster.layerHandlers)
  )
)
