/** Key-value stores and queues in the log of a cluster. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schema } from "effect"
import { KeyValueStore, PersistedQueue } from "effect/persistence"
import { Member } from "../../src/Cluster/Member.ts"
import { layerKeyValueStore, layerQueueStore } from "../../src/Cluster.ts"
import { QueueElement } from "../../src/EffectCluster/QueueRecords.ts"
import { describe as described } from "../../src/Model/Class.ts"
import { UnknownOutcome } from "../../src/Raft/node/Outcome.ts"
import { TestCluster } from "../../src/Testing.ts"
import { layerCluster } from "./storages.ts"

const on = <A, E, R>(node: number, program: Effect.Effect<A, E, R>) =>
  Effect.flatMap(TestCluster, ({ nodes, on }) => on(nodes[node]!, program))

const withStore = <A, E>(
  node: number,
  use: (store: KeyValueStore.KeyValueStore) => Effect.Effect<A, E>,
  name = "default"
) => on(node, Effect.flatMap(KeyValueStore.KeyValueStore, use).pipe(Effect.provide(layerKeyValueStore({ name }))))

/** A member whose next command is done, and whose outcome is then unknown, after something else was done. */
const doubting = (member: Member["Service"], meanwhile: Effect.Effect<unknown>): Member["Service"] => {
  let isNext = true
  const submit: Member["Service"]["submit"] = (command) => {
    if (!isNext) return member.submit(command)
    isNext = false
    const unknown = new UnknownOutcome({ key: "doubtful", message: "No answer in time" })
    return member
      .submit({ ...command, key: "doubtful" })
      .pipe(Effect.andThen(meanwhile), Effect.andThen(Effect.fail(unknown)))
  }
  return Object.create(member, { submit: { value: submit } })
}

describe("a key-value store", () => {
  it.effect("is one on all nodes, and none of another name", () =>
    Effect.gen(function* () {
      yield* withStore(0, (store) => store.set("a", "1"))
      yield* withStore(1, (store) => store.set("b/c", new Uint8Array([1, 2, 255])))
      yield* withStore(2, (store) => store.set("a", "other"), "others")
      assert.strictEqual(yield* withStore(2, (store) => store.get("a")), "1")
      assert.deepStrictEqual(yield* withStore(2, (store) => store.getUint8Array("b/c")), new Uint8Array([1, 2, 255]))
      assert.isUndefined(yield* withStore(0, (store) => store.get("z")))
      assert.deepStrictEqual([...(yield* withStore(0, (store) => store.keys))].sort(), ["a", "b/c"])
      yield* withStore(1, (store) => store.clearPrefix("b/"))
      assert.strictEqual(yield* withStore(0, (store) => store.size), 1)
      yield* withStore(1, (store) => store.clear)
      assert.isTrue(yield* withStore(0, (store) => store.isEmpty))
      assert.strictEqual(yield* withStore(0, (store) => store.get("a"), "others"), "other")
    }).pipe(Effect.provide(layerCluster()))
  )

  it.effect("loses no change that two nodes make at once", () =>
    Effect.gen(function* () {
      yield* withStore(0, (store) => store.set("n", "0"))
      const more = (node: number) =>
        withStore(node, (store) =>
          Effect.forEach(Array.from({ length: 10 }), () => store.modify("n", (value) => String(Number(value) + 1)))
        )
      yield* Effect.all([more(0), more(1), more(2)], { concurrency: "unbounded" })
      assert.strictEqual(yield* withStore(1, (store) => store.get("n")), "30")
    }).pipe(Effect.provide(layerCluster()))
  )
})

describe("a change of unknown outcome", () => {
  it.effect("is made once, also if another node changed the value meanwhile", () =>
    Effect.gen(function* () {
      const cluster = yield* TestCluster
      const adding = (count: number) => (store: KeyValueStore.KeyValueStore) =>
        store.modify("n", (value) => String(Number(value) + count))
      yield* withStore(0, (store) => store.set("n", "0"))
      const meanwhile = Effect.orDie(Effect.provideService(withStore(1, adding(10)), TestCluster, cluster))
      yield* on(
        0,
        Effect.flatMap(Member, (member) =>
          Effect.flatMap(KeyValueStore.KeyValueStore, adding(1)).pipe(
            Effect.provide(layerKeyValueStore()),
            Effect.provideService(Member, doubting(member, meanwhile))
          )
        )
      )
      assert.strictEqual(yield* withStore(2, (store) => store.get("n")), "11")
    }).pipe(Effect.provide(layerCluster()))
  )
})

const makeQueue = PersistedQueue.make({ name: "mails", schema: Schema.String, maxAttempts: 3 })
const layerQueue = PersistedQueue.layer.pipe(Layer.provideMerge(layerQueueStore({ lockExpiration: "3 seconds" })))

const withQueue = <A, E>(node: number, use: (queue: PersistedQueue.PersistedQueue<string>) => Effect.Effect<A, E>) =>
  on(node, Effect.flatMap(makeQueue, use).pipe(Effect.provide(layerQueue)))

describe("a persisted queue", () => {
  it.effect("gives each element to one taker, in order, and takes an id once", () =>
    Effect.gen(function* () {
      for (const value of ["a", "b", "c"]) yield* withQueue(0, (queue) => queue.offer(value, { id: value }))
      yield* withQueue(1, (queue) => queue.offer("again", { id: "a" }))
      const taken = yield* Effect.all(
        [1, 2, 0].map((node) => withQueue(node, (queue) => queue.take((value) => Effect.succeed(value)))),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual([...taken].sort(), ["a", "b", "c"])
      yield* withQueue(1, (queue) => queue.offer("again", { id: "b" }))
      yield* withQueue(0, (queue) => queue.offer("d"))
      assert.strictEqual(yield* withQueue(2, (queue) => queue.take((value) => Effect.succeed(value))), "d")
    }).pipe(Effect.provide(layerCluster()))
  )

  it.effect("wakes a taker that waits, and one when a delay is over", () =>
    Effect.gen(function* () {
      const waiting = yield* Effect.forkChild(withQueue(1, (queue) => queue.take((value) => Effect.succeed(value))))
      yield* withQueue(0, (queue) => queue.offer("late", { delay: "5 seconds" }))
      yield* withQueue(0, (queue) => queue.offer("now"))
      assert.strictEqual(yield* Fiber.join(waiting), "now")
      const tookMs = yield* withQueue(2, (queue) =>
        Effect.clockWith((clock) => {
          const beganMs = clock.currentTimeMillisUnsafe()
          return queue.take((value) => Effect.sync(() => [value, clock.currentTimeMillisUnsafe() - beganMs] as const))
        })
      )
      assert.strictEqual(tookMs[0], "late")
      assert.isBelow(tookMs[1], 6_000)
    }).pipe(Effect.provide(layerCluster()))
  )

  it.effect("gives a failed element again, until it has failed too often", () =>
    Effect.gen(function* () {
      yield* withQueue(0, (queue) => queue.offer("bad", { id: "bad" }))
      const attempts: Array<number> = []
      for (let at = 0; at < 3; at++) {
        const exit = yield* Effect.exit(
          withQueue(at, (queue) =>
            queue.take((_, { attempts: attempt }) =>
              Effect.andThen(
                Effect.sync(() => attempts.push(attempt)),
                Effect.fail("no")
              )
            )
          )
        )
        assert.isTrue(Exit.isFailure(exit))
      }
      assert.deepStrictEqual(attempts, [1, 2, 3])
      yield* withQueue(0, (queue) => queue.offer("good"))
      assert.strictEqual(yield* withQueue(1, (queue) => queue.take((value) => Effect.succeed(value))), "good")
    }).pipe(Effect.provide(layerCluster()))
  )

  it.effect("gives an element of a node that died to another taker after the lease, and not before", () =>
    Effect.gen(function* () {
      const { crash, nodes, settle } = yield* TestCluster
      yield* withQueue(0, (queue) => queue.offer("precious"))
      const dying = yield* Effect.forkChild(Effect.exit(withQueue(1, (queue) => queue.take(() => Effect.never))))
      yield* withQueue(0, () => Effect.sleep("10 seconds"))
      yield* crash(nodes[1]!)
      yield* Fiber.join(dying)
      yield* settle
      const [value, attempts] = yield* withQueue(2, (queue) =>
        queue.take((value, { attempts }) => Effect.succeed([value, attempts] as const))
      )
      assert.deepStrictEqual([value, attempts], ["precious", 2])
    }).pipe(Effect.provide(layerCluster()))
  )

  it.effect("fails an element whose last taker died, also if it is the only one", () =>
    Effect.gen(function* () {
      const { crash, nodes, settle } = yield* TestCluster
      const once = PersistedQueue.make({ name: "once", schema: Schema.String, maxAttempts: 1 })
      const lastOf = (node: number, use: (value: string) => Effect.Effect<string>) =>
        on(node, Effect.flatMap(once, (queue) => queue.take(use)).pipe(Effect.provide(layerQueue)))
      const offered = (value: string) =>
        on(0, Effect.flatMap(once, (queue) => queue.offer(value)).pipe(Effect.provide(layerQueue)))
      yield* offered("poison")
      const dying = yield* Effect.forkChild(Effect.exit(lastOf(1, () => Effect.never)))
      yield* on(0, Effect.sleep("1 second"))
      yield* crash(nodes[1]!)
      yield* Fiber.join(dying)
      yield* settle
      const waiting = yield* Effect.forkChild(lastOf(2, Effect.succeed))
      yield* on(0, Effect.sleep("20 seconds"))
      const states = yield* on(
        0,
        Effect.map(Member, ({ tables }) =>
          [...tables.byModel.get(described(QueueElement).name)!.rows.values()].map(({ data }) => data.state)
        )
      )
      assert.deepStrictEqual(states, ["failed"])
      yield* offered("good")
      assert.strictEqual(yield* Fiber.join(waiting), "good")
    }).pipe(Effect.provide(layerCluster()))
  )
})
