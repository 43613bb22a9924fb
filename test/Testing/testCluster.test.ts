/** A cluster inside a test: what it promises to those who test their own models on it. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Deferred, Duration, Effect, Exit, Fiber, Layer, Schema, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { system } from "../../src/Access/Caller.ts"
import { Member } from "../../src/Cluster/Member.ts"
import * as Command from "../../src/Command.ts"
import * as Model from "../../src/Model.ts"
import * as Projection from "../../src/Projection.ts"
import { Records } from "../../src/Repository/Records.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

class User extends Model.Class<User>("User")(
  {
    id: Model.id(Schema.String.check(Schema.isUUID())),
    email: Model.replicate(Schema.NonEmptyString),
    cacheData: Model.local(Schema.String)
  },
  { unique: ["email"] }
) {}

const models = [Product, User]
const products = Model.describe(Product)

const create = (name: string) =>
  Records.use((records) => records.change(system, products, { _tag: "Create", model: "Product", data: { name } }))

const names = Effect.map(
  Records.use((records) => records.source(system, products)),
  ({ value }) => Array.from(value.table.rows.values(), ({ data }) => String(data.name)).toSorted()
)

/** What this node has applied, whoever leads. */
const namesHere = Effect.map(
  Records.use((records) => records.source(system, products, { _tag: "Local" })),
  ({ value }) => value.table.rows.size
)

const appliedHere = Member.use((member) => Effect.sync(() => member.node()?.appliedIndex()))

const onEach = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  Effect.flatMap(TestCluster, ({ nodes, on }) => Effect.forEach(nodes, (node) => on(node, program)))

const provide = Effect.provide(TestCluster.layer({ models }))

describe("TestCluster", () => {
  it.effect("every node reads a write of any node (promise 2)", () =>
    Effect.gen(function* () {
      const { nodes, on } = yield* TestCluster
      assert.deepStrictEqual(nodes, ["n1", "n2", "n3"])
      yield* Effect.forEach(nodes, (node) => on(node, create(`of ${node}`)))
      const all = ["of n1", "of n2", "of n3"]
      assert.deepStrictEqual(yield* onEach(names), [all, all, all])
    }).pipe(provide)
  )

  it.effect("a minority refuses in a typed error within 3 s, and the majority goes on (promise 4)", () =>
    Effect.gen(function* () {
      const { heal, leader, nodes, on, partition, settle } = yield* TestCluster
      const cut = yield* leader
      yield* partition([cut])
      const [duration, refused] = yield* on(cut, Effect.timed(Effect.flip(create("lost"))))
      assert.include(["NotDone", "UnknownOutcome"], refused._tag)
      assert.isBelow(Duration.toMillis(duration), 3_000)
      assert.strictEqual((yield* on(cut, Effect.flip(create("lost"))))._tag, "NotDone")
      assert.strictEqual((yield* on(cut, Effect.flip(names)))._tag, "NotDone")
      const next = yield* leader
      assert.notStrictEqual(next, cut)
      yield* Effect.forEach(nodes, (node) => (node === cut ? Effect.void : on(node, create(`of ${node}`))))
      yield* heal
      yield* settle
      const found = nodes.filter((node) => node !== cut).map((node) => `of ${node}`)
      assert.deepStrictEqual(yield* onEach(names), [found, found, found])
    }).pipe(provide)
  )

  it.effect("the client of a node calls its HTTP API, with the answers of a server", () =>
    Effect.gen(function* () {
      const { on, partition } = yield* TestCluster
      const post = HttpClientRequest.post("/api/products").pipe(
        HttpClientRequest.bodyJsonUnsafe({ name: "Anvil" }),
        HttpClient.execute
      )
      const made = yield* on("n1", post)
      assert.deepStrictEqual([made.status, made.headers.etag, made.headers["lithair-node"]], [201, '"1"', "n1"])
      const found = yield* on("n2", HttpClient.get(made.headers.location ?? ""))
      assert.deepStrictEqual([found.status, yield* found.json], [200, yield* made.json])
      assert.strictEqual((yield* on("n3", HttpClient.get("/api/nothing"))).status, 404)
      assert.strictEqual((yield* on("n3", HttpClient.get("/%"))).status, 404)
      yield* partition(["n3"])
      const refused = yield* on("n3", post)
      assert.strictEqual(refused.status, 503)
      assert.include(yield* refused.text, '"urn:lithair:problem:no-quorum"')
    }).pipe(provide)
  )

  it.effect(
    "what was acknowledged survives a crash of the leader, and of all nodes at the same moment (promise 3)",
    () =>
      Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8], (seed) =>
        Effect.gen(function* () {
          const { crash, leader, nodes, on, restart } = yield* TestCluster
          const first = yield* leader
          yield* on(first, create("one"))
          yield* crash(first)
          const second = yield* leader
          assert.notStrictEqual(second, first)
          yield* on(second, create("two"))
          yield* restart(first)
          yield* on(first, create("three"))
          yield* restart(...nodes)
          yield* leader
          const all = ["one", "three", "two"]
          assert.deepStrictEqual(yield* onEach(names), [all, all, all])
        }).pipe(Effect.provide(TestCluster.layer({ models, seed })))
      )
  )

  it.effect("a crash while a disk writes loses the write, or not: the seed decides (C2)", () =>
    Effect.gen(function* () {
      const found = yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7, 8], (seed) =>
        Effect.gen(function* () {
          const { advance, crash, leader, on, restart } = yield* TestCluster
          yield* leader
          // Until a quorum has confirmed its records, a node begins no write.
          yield* on("n1", names)
          const writing = yield* Effect.forkChild(Effect.flip(on("n1", create("perhaps"))))
          yield* advance("100 micros")
          yield* crash("n1")
          const failure = yield* Fiber.join(writing)
          assert.deepInclude(failure, { _tag: "NodeDown", reason: "crashed" })
          yield* restart("n1")
          yield* leader
          return (yield* on("n1", names)).length
        }).pipe(Effect.provide(TestCluster.layer({ models, size: 1, seed })))
      )
      assert.sameMembers([...new Set(found)], [0, 1])
    })
  )

  it.effect("the same seed gives the same run, to the id and the hash, and another seed another", () =>
    Effect.gen(function* () {
      const run = (seed: number) =>
        Effect.gen(function* () {
          const { crash, heal, leader, nodes, on, partition, restart, settle } = yield* TestCluster
          const first = yield* leader
          const made = yield* Effect.forEach(nodes, (node) => on(node, create(node)))
          yield* partition([first])
          yield* on(first, Effect.flip(create("lost")))
          yield* heal
          yield* crash(yield* leader)
          yield* leader
          yield* restart(...nodes)
          yield* settle
          const status = Effect.flatMap(HttpClient.get("/_admin/api/cluster"), ({ text }) => text)
          return [first, made, yield* onEach(Effect.all([status, Clock.currentTimeNanos, appliedHere]))]
        }).pipe(Effect.provide(TestCluster.layer({ models, seed })))
      const [one, again, other] = yield* Effect.forEach([7, 7, 8], run)
      assert.deepStrictEqual(again, one)
      assert.notDeepEqual(other, one)
    })
  )

  it.effect("local fields stay on the node that wrote them, also when it crashes (D4)", () =>
    Effect.gen(function* () {
      const { on, restart } = yield* TestCluster
      const users = Model.describe(User)
      const made = yield* on(
        "n1",
        Records.use((records) =>
          records.change(system, users, { _tag: "Create", model: "User", data: { email: "a@x", cacheData: "of n1" } })
        )
      )
      const patch = Records.use((records) =>
        records.change(system, users, { _tag: "Patch", model: "User", id: made.id, data: { cacheData: "of n2" } })
      )
      yield* on("n2", patch)
      yield* restart("n2")
      const cached = Effect.map(
        Records.use((records) => records.get(system, users, made.id)),
        ({ value }) => value?.record.cacheData
      )
      assert.deepStrictEqual(yield* onEach(cached), ["of n1", "of n2", undefined])
    }).pipe(provide)
  )

  it.effect("every node folds a projection, and folds it again if it lost its states", () => {
    const initials = Projection.make("initials", {
      from: [Product],
      version: 1,
      state: Schema.Int,
      initial: 0,
      key: ({ record }) => record.name.slice(0, 1),
      evolve: (count) => count + 1
    })
    const counts = Effect.map(
      Repository.Repository.use(({ projections }) => projections.page(initials, { limit: 9 })),
      ({ items }) => items.map(({ key, value }) => `${key}${value}`)
    )
    return Effect.gen(function* () {
      const { on, restart } = yield* TestCluster
      yield* on("n1", Effect.forEach(["anvil", "bolt", "axle"], create))
      yield* restart("n2")
      const found = yield* onEach(counts)
      assert.deepStrictEqual(found, [
        ["a2", "b1"],
        ["a2", "b1"],
        ["a2", "b1"]
      ])
    }).pipe(Effect.provide(TestCluster.layer({ models, projections: [initials] })))
  })

  it.effect("a declared command is decided by the handler that the test provides, on whichever node leads (D2)", () => {
    const rename = Command.make("rename", {
      payload: Schema.Struct({ id: Schema.String, name: Schema.NonEmptyString }),
      success: Schema.Int
    })
    const handler = Command.layer(
      rename,
      Effect.fnUntraced(function* ({ id, name }) {
        const transaction = yield* Command.Transaction
        yield* transaction.patch(Product, id, { name })
        return name.length
      })
    )
    return Effect.gen(function* () {
      const { leader, on, partition } = yield* TestCluster
      const { id } = yield* on("n1", create("one"))
      const called = Repository.Repository.use(({ run }) => run(rename, { id, name: "three" }))
      assert.strictEqual(yield* on("n2", called), 5)
      yield* partition([yield* leader])
      assert.strictEqual(yield* on(yield* leader, called), 5)
      assert.deepStrictEqual(yield* on(yield* leader, names), ["three"])
    }).pipe(Effect.provide(Layer.provide(TestCluster.layer({ models, commands: [rename] }), handler)))
  })

  it.effect("nodes share no service, and a program's own layers stand on the node that it runs on", () =>
    Effect.gen(function* () {
      assert.strictEqual(new Set(yield* onEach(Effect.map(Records, (records) => records))).size, 3)
      class Here extends Context.Service<Here, { readonly nodeId: string }>()("test/Here") {
        static readonly layer = Layer.effect(
          Here,
          Effect.map(Member, ({ self }) => Here.of({ nodeId: self.nodeId }))
        )
      }
      const here = Effect.map(Here, ({ nodeId }) => nodeId).pipe(Effect.provide(Here.layer))
      assert.deepStrictEqual(yield* onEach(here), ["n1", "n2", "n3"])
    }).pipe(provide)
  )

  it.effect("time is the cluster's on every node, and stands still unless something waits for it", () =>
    Effect.gen(function* () {
      const { advance, on } = yield* TestCluster
      const before = yield* on("n1", Clock.currentTimeMillis)
      yield* Effect.repeat(Effect.yieldNow, { times: 100 })
      assert.strictEqual(yield* on("n2", Clock.currentTimeMillis), before)
      yield* advance("3 seconds")
      assert.strictEqual(yield* on("n3", Clock.currentTimeMillis), before + 3_000)
      yield* on("n1", Effect.sleep("2 seconds"))
      assert.strictEqual(yield* on("n1", Clock.currentTimeMillis), before + 5_000)
    }).pipe(provide)
  )

  it.effect("a write that waits in a minority is done once the network is whole again", () =>
    Effect.gen(function* () {
      const { advance, heal, nodes, on, partition } = yield* TestCluster
      yield* partition(...nodes.map((node) => [node]))
      yield* advance("500 millis")
      const writing = yield* Effect.forkChild(on("n1", create("patient")))
      yield* advance("100 millis")
      assert.isUndefined(writing.pollUnsafe())
      yield* heal
      yield* Fiber.join(writing)
      assert.deepStrictEqual(yield* on("n2", names), ["patient"])
    }).pipe(provide)
  )

  it.effect("a partition replaces the one before, and unnamed nodes form a part too", () =>
    Effect.gen(function* () {
      const { leader, on, partition, settle } = yield* TestCluster
      yield* partition(["n1", "n2"], ["n3", "n4", "n5"])
      assert.include(["n3", "n4", "n5"], yield* leader)
      assert.strictEqual((yield* on("n2", Effect.flip(create("refused"))))._tag, "NotDone")
      yield* partition(["n3", "n4"])
      assert.include(["n1", "n2", "n5"], yield* leader)
      yield* on("n2", create("done"))
      yield* settle
      assert.deepStrictEqual(yield* onEach(namesHere), [1, 1, 0, 0, 1])
    }).pipe(Effect.provide(TestCluster.layer({ models, size: 5 })))
  )

  it.effect("without a majority nothing settles, and the failure says what each node reports", () =>
    Effect.gen(function* () {
      const { crash, leader, on, partition, settle } = yield* TestCluster
      yield* crash("n1")
      yield* partition(["n2"])
      assert.match((yield* Effect.flip(settle)).message, /n1 is not running; n2 follows nobody in term \d+, at index/)
      assert.strictEqual((yield* Effect.flip(leader))._tag, "NotSettled")
      const down = yield* Effect.flip(on("n1", create("nowhere")))
      assert.deepInclude(down, { _tag: "NodeDown", nodeId: "n1", reason: "not-running" })
    }).pipe(provide)
  )

  it.effect("a node that stops by itself fails the test with its reason (D9)", () =>
    Effect.gen(function* () {
      const { advance, on } = yield* TestCluster
      const exit = yield* Effect.exit(
        Effect.andThen(
          on(
            "n1",
            Member.use((member) => Effect.sync(() => Object.assign(member.node()!.core, { commitIndex: 1_000 })))
          ),
          advance("1 second")
        )
      )
      assert.match(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", /durable|commit|applied/i)
    }).pipe(provide)
  )

  it.effect("a stream of a node breaks off when the node crashes, as a socket does", () =>
    Effect.gen(function* () {
      const { advance, crash, on, restart } = yield* TestCluster
      const begun = yield* Deferred.make<void>()
      const read = Effect.flatMap(HttpClient.get("/api/products/changes"), ({ stream }) =>
        Stream.runForEach(stream, () => Deferred.succeed(begun, undefined))
      )
      const reading = yield* on("n2", Effect.forkDetach(Effect.exit(read)))
      yield* advance("1 second")
      yield* Deferred.await(begun)
      assert.isUndefined(reading.pollUnsafe())
      yield* crash("n2")
      yield* restart("n2")
      yield* advance("1 second")
      const exit = yield* Fiber.join(reading)
      assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "it goes on", "n2 closed the connection")
    }).pipe(provide)
  )

  it.live("needs neither a test clock nor another runner", () =>
    Effect.gen(function* () {
      const { advance, on } = yield* TestCluster
      yield* advance("1 hour").pipe(Effect.timeoutOption("1 millis"))
      yield* on("n1", create("after all"))
      assert.deepStrictEqual(yield* on("n3", names), ["after all"])
    }).pipe(provide)
  )
})
