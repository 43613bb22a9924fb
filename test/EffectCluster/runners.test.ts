/** Runners and shard locks in the log of a cluster: who holds a shard, what that costs, and when it ends. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Runner, RunnerStorage } from "effect/cluster"
import { Member } from "../../src/Cluster/Member.ts"
import { TestCluster } from "../../src/Testing.ts"
import { at, layerCluster, leaseMs, shard, storagesOf } from "./storages.ts"

const runnerAt = (port: number) => Runner.make({ address: at(port), groups: ["default"], weight: 1 })

/** Uses the runner storage of a runner on a node. */
const on = <A, E>(
  node: number,
  use: (storage: RunnerStorage.RunnerStorage["Service"]) => Effect.Effect<A, E>,
  port = node
) =>
  Effect.flatMap(TestCluster, ({ nodes, on }) =>
    on(nodes[node]!, Effect.flatMap(RunnerStorage.RunnerStorage, use).pipe(Effect.provide(storagesOf(port))))
  )

/** Uses one storage of a runner for several acts: it remembers its heartbeats. */
const asOne = <A, E>(
  node: number,
  use: (storage: RunnerStorage.RunnerStorage["Service"]) => Effect.Effect<A, E, Member | TestCluster>
) =>
  Effect.flatMap(TestCluster, ({ nodes, on }) =>
    on(nodes[node]!, Effect.flatMap(RunnerStorage.RunnerStorage, use).pipe(Effect.provide(storagesOf(node))))
  )

const lastIndex = Effect.map(Member, ({ tables }) => tables.index)

const shards = (count: number) => Array.from({ length: count }, (_, at) => shard(at + 1))

describe("runners", () => {
  it.effect("are known on every node at once, each with a machine id of its own that it keeps", () =>
    Effect.gen(function* () {
      const first = yield* on(0, (storage) => storage.register(runnerAt(0), true))
      const second = yield* on(1, (storage) => storage.register(runnerAt(1), false))
      assert.notStrictEqual(first, second)
      assert.strictEqual(yield* on(2, (storage) => storage.register(runnerAt(0), true), 0), first)
      yield* on(1, (storage) => storage.setRunnerHealth(at(1), true))
      const known = yield* on(2, (storage) => storage.getRunners)
      assert.deepStrictEqual(
        known.map(([{ address }, isHealthy]) => [address.port, isHealthy]),
        [
          [0, true],
          [1, true]
        ]
      )
      yield* on(0, (storage) => storage.unregister(at(0)))
      const left = yield* on(2, (storage) => storage.getRunners)
      assert.deepStrictEqual(
        left.map(([{ address }]) => address.port),
        [1]
      )
      // Ids made by the runner that has gone are still around.
      assert.notStrictEqual(yield* on(2, (storage) => storage.register(runnerAt(2), true)), first)
    }).pipe(Effect.provide(layerCluster()))
  )

  it.effect("expire by the age of the log, and count again after the next sign of life", () =>
    Effect.gen(function* () {
      const { advance } = yield* TestCluster
      yield* on(0, (storage) => storage.register(runnerAt(0), true))
      yield* advance(leaseMs + 1)
      yield* on(1, (storage) => storage.register(runnerAt(1), true))
      const ports = Effect.map(
        on(2, (storage) => storage.getRunners),
        (known) => known.map(([{ address }]) => address.port)
      )
      assert.deepStrictEqual(yield* ports, [1])
      yield* on(0, (storage) => storage.refresh(at(0), []))
      assert.deepStrictEqual(yield* ports, [0, 1])
    }).pipe(Effect.provide(layerCluster()))
  )
})

describe("shard locks", () => {
  it.effect("have one holder, which is the only one to give them up", () =>
    Effect.gen(function* () {
      assert.lengthOf(yield* on(0, (storage) => storage.acquire(at(0), shards(3))), 3)
      assert.deepStrictEqual(yield* on(1, (storage) => storage.acquire(at(1), shards(4))), [shard(4)])
      yield* on(1, (storage) => storage.release(at(1), shard(1)))
      assert.deepStrictEqual(yield* on(1, (storage) => storage.refresh(at(1), shards(4))), [shard(4)])
      yield* on(0, (storage) => storage.release(at(0), shard(1)))
      assert.deepStrictEqual(yield* on(1, (storage) => storage.acquire(at(1), shards(2))), [shard(1)])
      yield* on(0, (storage) => storage.releaseAll(at(0)))
      assert.lengthOf(yield* on(1, (storage) => storage.acquire(at(1), shards(3))), 3)
      assert.deepStrictEqual(yield* on(0, (storage) => storage.refresh(at(0), shards(3))), [])
    }).pipe(Effect.provide(layerCluster()))
  )

  it.effect("pass to another runner once their holder has expired, and not before", () =>
    Effect.gen(function* () {
      const { advance } = yield* TestCluster
      yield* on(0, (storage) => storage.acquire(at(0), shards(2)))
      yield* advance(leaseMs - 200)
      assert.deepStrictEqual(yield* on(1, (storage) => storage.acquire(at(1), shards(2))), [])
      yield* on(0, (storage) => storage.refresh(at(0), shards(2)))
      yield* advance(leaseMs - 200)
      assert.deepStrictEqual(yield* on(1, (storage) => storage.acquire(at(1), shards(2))), [])
      yield* advance(400)
      assert.lengthOf(yield* on(1, (storage) => storage.acquire(at(1), shards(2))), 2)
      assert.deepStrictEqual(yield* on(0, (storage) => storage.refresh(at(0), shards(2))), [])
    }).pipe(Effect.provide(layerCluster()))
  )

  it.effect("of a runner's earlier process end with a heartbeat of its next one, which did not take them again", () =>
    Effect.gen(function* () {
      yield* on(0, (storage) => storage.acquire(at(0), shards(3)))
      yield* asOne(0, (storage) =>
        Effect.gen(function* () {
          assert.lengthOf(yield* storage.acquire(at(0), shards(1)), 1)
          yield* Effect.sleep(leaseMs / 2)
          assert.deepStrictEqual(yield* storage.refresh(at(0), shards(1)), shards(1))
        })
      )
      assert.deepStrictEqual(yield* on(1, (storage) => storage.acquire(at(1), shards(3))), [shard(2), shard(3)])
    }).pipe(Effect.provide(layerCluster()))
  )

  it.effect("of 300 shards cost one entry, a heartbeat one, and what is asked between heartbeats none", () =>
    asOne(0, (storage) =>
      Effect.gen(function* () {
        yield* storage.register(runnerAt(0), true)
        const began = yield* lastIndex
        assert.lengthOf(yield* storage.acquire(at(0), shards(300)), 300)
        assert.strictEqual(yield* lastIndex, began + 1)
        assert.lengthOf(yield* storage.refresh(at(0), shards(300)), 300)
        assert.strictEqual(yield* lastIndex, began + 1)
        yield* Effect.sleep(leaseMs / 2)
        assert.lengthOf(yield* storage.refresh(at(0), shards(300)), 300)
        assert.strictEqual(yield* lastIndex, began + 2)
      })
    ).pipe(Effect.provide(layerCluster()))
  )

  it.effect("outlive the leader, and stay with their holder", () =>
    Effect.gen(function* () {
      const { crash, leader, nodes, settle } = yield* TestCluster
      const first = yield* leader
      const [one, other] = nodes.flatMap((id, at) => (id === first ? [] : [at])) as [number, number]
      yield* on(one, (storage) => storage.acquire(at(one), shards(2)))
      yield* crash(first)
      yield* settle
      assert.deepStrictEqual(yield* on(other, (storage) => storage.acquire(at(other), shards(2))), [])
      assert.lengthOf(yield* on(one, (storage) => storage.refresh(at(one), shards(2))), 2)
    }).pipe(Effect.provide(layerCluster()))
  )
})
