/** Entities and workflows of Effect over the log of a cluster, in virtual time: what wakes a runner, and what is forgotten. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Layer, Option, Schema } from "effect"
import {
  ClusterSchema,
  ClusterWorkflowEngine,
  Entity,
  type MessageStorage,
  RunnerHealth,
  Runners,
  Sharding,
  ShardingConfig
} from "effect/cluster"
import { Rpc } from "effect/rpc"
import { Activity, DurableClock, Workflow } from "effect/workflow"
import { Member } from "../../src/Cluster/Member.ts"
import * as Cluster from "../../src/Cluster.ts"
import type { ForgettingOptions } from "../../src/EffectCluster/Forgetting.ts"
import { Message } from "../../src/EffectCluster/MessageRecords.ts"
import { Lifecycle } from "../../src/Lithair/Lifecycle.ts"
import { describe as described } from "../../src/Model/Class.ts"
import { TestCluster } from "../../src/Testing.ts"
import { encodedOf, layerCluster, request, shardingConfig } from "./storages.ts"

const Counter = Entity.make("Counter", [
  Rpc.make("Add", {
    payload: { id: Schema.String, by: Schema.Int },
    success: Schema.Int,
    primaryKey: ({ id }) => id
  }).annotate(ClusterSchema.Persisted, true)
])

const runs: Array<string> = []

const counterLayer = Counter.toLayer(
  Effect.sync(() => {
    let sum = 0
    return {
      Add: ({ payload }: { readonly payload: { readonly id: string; readonly by: number } }) =>
        Effect.sync(() => {
          runs.push(payload.id)
          sum += payload.by
          return sum
        })
    }
  })
)

const step = (name: string) =>
  Activity.make({
    name,
    success: Schema.String,
    execute: Effect.as(
      Effect.sync(() => runs.push(name)),
      name
    )
  })

const Nap = Workflow.make("Nap", {
  payload: { id: Schema.String },
  success: Schema.String,
  idempotencyKey: ({ id }) => id
})

const napLayer = Nap.toLayer(
  Effect.fnUntraced(function* () {
    const before = yield* step("before")
    yield* DurableClock.sleep({ name: "nap", duration: "3 minutes", inMemoryThreshold: 0 })
    return `${before} ${yield* step("after")}`
  })
)

const lifecycle = Layer.succeed(Lifecycle, { register: () => Effect.void, beforeDrain: () => Effect.void })

/** A runner of its own, with its entities and workflows, over the node. */
const runner = (options: ForgettingOptions = {}) => {
  const sharding = Sharding.layer.pipe(
    Layer.provideMerge(Runners.layerNoop),
    Layer.provide([RunnerHealth.layerNoop, ShardingConfig.layer(shardingConfig(1))])
  )
  const cluster = Cluster.layer(sharding, { shardingConfig: shardingConfig(1), ...options })
  return Layer.mergeAll(counterLayer, napLayer).pipe(
    Layer.provideMerge(ClusterWorkflowEngine.layer),
    Layer.provideMerge(cluster),
    Layer.provide(lifecycle)
  )
}

/** Runs a program on the second node of a cluster. */
const onNode = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  Effect.flatMap(TestCluster, ({ nodes, on }) => on(nodes[1]!, program))

const messagesCount = Effect.map(Member, ({ tables }) => tables.byModel.get(described(Message).name)?.rows.size ?? 0)

const saveAdd = (storage: MessageStorage.Encoded, requestId: string, deliverAt: number | null = null) => {
  const envelope = request(requestId, { payload: { id: requestId, by: 1 } })
  return storage.saveEnvelope({ envelope, primaryKey: `Counter/a/Add/${requestId}`, deliverAt })
}

/** Waits until it holds. Returns for how long. */
const until = <R>(holds: Effect.Effect<boolean, unknown, R>) =>
  Effect.gen(function* () {
    const began = yield* Clock.currentTimeMillis
    for (;;) {
      const isSo = yield* Effect.orDie(holds)
      const waitedMs = (yield* Clock.currentTimeMillis) - began
      if (isSo) return waitedMs
      if (waitedMs > 300_000) return yield* Effect.die(new Error("It does not come to hold"))
      yield* Effect.sleep(20)
    }
  })

describe("a runner", () => {
  it.effect("answers a call, and a second call of the same key as the first", () =>
    Effect.gen(function* () {
      runs.length = 0
      const results = yield* onNode(
        Effect.gen(function* () {
          const counters = yield* Counter.client
          const first = yield* counters("a").Add({ id: "one", by: 2 })
          const again = yield* counters("a").Add({ id: "one", by: 2 })
          const other = yield* counters("a").Add({ id: "two", by: 3 })
          return [first, again, other]
        }).pipe(Effect.provide(runner()))
      )
      assert.deepStrictEqual(results, [2, 2, 5])
      assert.deepStrictEqual(runs, ["one", "two"])
    }).pipe(Effect.provide(layerCluster()))
  )

  it.effect("finds a message whose sender died before it told anybody, and one when it is due, without polling", () =>
    Effect.gen(function* () {
      runs.length = 0
      yield* onNode(
        Effect.gen(function* () {
          const storage = yield* encodedOf(9)
          const replied = (id: string) => Effect.map(storage.repliesForUnfiltered([id]), (found) => found.length === 1)
          const counters = yield* Counter.client
          yield* counters("a").Add({ id: "warm", by: 1 })
          yield* saveAdd(storage, "1000")
          assert.isBelow(yield* until(replied("1000")), 200)
          yield* saveAdd(storage, "1001", (yield* Clock.currentTimeMillis) + 5_000)
          const waitedMs = yield* until(replied("1001"))
          assert.isAtLeast(waitedMs, 4_900)
          assert.isBelow(waitedMs, 5_500)
        }).pipe(Effect.provide(runner()))
      )
      assert.deepStrictEqual(runs, ["warm", "1000", "1001"])
    }).pipe(Effect.provide(layerCluster()))
  )
})

describe("a workflow", () => {
  it.effect("sleeps past the life of its runner, and runs no finished step again, however long it slept", () =>
    Effect.gen(function* () {
      runs.length = 0
      const { advance, crash, nodes, restart, settle } = yield* TestCluster
      const options = { keepFinished: "10 seconds" } as const
      yield* onNode(
        Effect.gen(function* () {
          yield* Nap.execute({ id: "n" }, { discard: true })
          yield* until(Effect.sync(() => runs.length === 1))
          yield* Effect.sleep("1 minute")
        }).pipe(Effect.provide(runner(options)))
      )
      yield* crash(nodes[1]!)
      yield* advance("30 seconds")
      yield* restart(nodes[1]!)
      yield* settle
      yield* onNode(
        Effect.gen(function* () {
          const id = yield* Nap.executionId({ id: "n" })
          yield* until(Effect.map(Nap.poll(id), (found) => Option.isSome(found) && found.value._tag === "Complete"))
          const result = yield* Nap.poll(id)
          assert.include(JSON.stringify(result), "before after")
          // A time after its end all of it is forgotten.
          assert.isAbove(yield* messagesCount, 0)
          yield* Effect.sleep("1 minute")
          assert.strictEqual(yield* messagesCount, 0)
        }).pipe(Effect.provide(runner(options)))
      )
      assert.deepStrictEqual(runs, ["before", "after"])
    }).pipe(Effect.provide(layerCluster()))
  )
})

describe("finished messages", () => {
  it.effect("are forgotten after their time, and before it if there are too many", () =>
    Effect.gen(function* () {
      yield* onNode(
        Effect.gen(function* () {
          const counters = yield* Counter.client
          for (let at = 0; at < 20; at++) yield* counters("a").Add({ id: String(at), by: 1 })
          assert.strictEqual(yield* messagesCount, 20)
          yield* Effect.sleep("95 seconds")
          assert.strictEqual(yield* messagesCount, 5)
          yield* Effect.sleep("100 seconds")
          assert.strictEqual(yield* messagesCount, 0)
        }).pipe(Effect.provide(runner({ keepFinished: "150 seconds", messagesMaxCount: 5 })))
      )
    }).pipe(Effect.provide(layerCluster()))
  )
})
