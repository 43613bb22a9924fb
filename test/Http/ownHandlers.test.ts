/** Failures of the library keep their status and their problem in handlers of an application: raw routes and an HttpApi. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { HttpClient, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiTest } from "effect/http-api"
import * as Command from "../../src/Command.ts"
import { layerMemory } from "../../src/Lithair/Host.ts"
import { layerTest } from "../../src/Lithair/Lifecycle.ts"
import { layer } from "../../src/Lithair/Node.ts"
import * as Model from "../../src/Model.ts"
import { toResponse } from "../../src/Problem.ts"
import { NotDone, UnknownOutcome } from "../../src/Raft/node/Outcome.ts"
import { NotCaughtUp, TooStale } from "../../src/Repository/Freshness.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"

class User extends Model.Class<User>("User")(
  { id: Model.id(Schema.String.check(Schema.isUUID())), email: Model.replicate(Schema.NonEmptyString) },
  { unique: ["email"] }
) {}

class TooPoor extends Schema.TaggedError<TooPoor>()("TooPoor", { missing: Schema.Int }, { httpApiStatus: 402 }) {}

const pay = Command.make("pay", { payload: Schema.Struct({}), success: Schema.Null, error: [TooPoor] })
const payLayer = Command.layer(pay, () => Effect.fail(new TooPoor({ missing: 3 })))

const createAda = Effect.flatMap(Repository.make(User), (users) => users.create({ email: "ada@example.org" }))
const runPay = Effect.flatMap(Repository.Repository, ({ run }) => run(pay, {}))
const ok = Effect.as(HttpServerResponse.empty({ status: 204 }))

const Api = HttpApi.make("own").add(
  HttpApiGroup.make("own")
    .add(HttpApiEndpoint.post("create", "/create", { success: Schema.Null }))
    .add(HttpApiEndpoint.post("pay", "/pay", { success: Schema.Null }))
    .prefix("/own")
)
const own = HttpApiBuilder.group(
  Api,
  "own",
  Effect.fnUntraced(function* (handlers) {
    const users = yield* Repository.make(User)
    const { run } = yield* Repository.Repository
    return handlers
      .handle("create", () => users.create({ email: "ada@example.org" }).pipe(Effect.orDie, Effect.as(null)))
      .handle("pay", () => run(pay, {}).pipe(Effect.orDie))
  })
)

const routes = Layer.mergeAll(
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const users = yield* Repository.make(User)
      const { run } = yield* Repository.Repository
      yield* router.add("POST", "/raw/create", ok(users.create({ email: "ada@example.org" })))
      yield* router.add("POST", "/raw/pay", ok(run(pay, {})))
    })
  ),
  HttpApiBuilder.layer(Api).pipe(Layer.provide(own))
)

const cluster = TestCluster.layer({ models: [User], commands: [pay], routes }).pipe(Layer.provide(payLayer))

const problemAt = (path: string) =>
  Effect.gen(function* () {
    const response = yield* HttpClient.post(path)
    const { definite, type } = (yield* response.json) as Record<string, unknown>
    return [response.status, response.headers["content-type"], type, definite]
  })

const problemType = "application/problem+json"

describe("in handlers of an application", () => {
  it.live("a refused change, a command's declared error and a missing quorum keep their status and problem", () =>
    Effect.gen(function* () {
      const { on, partition } = yield* TestCluster
      yield* on("n1", createAda)
      for (const at of ["/raw", "/own"]) {
        assert.deepStrictEqual(yield* on("n1", problemAt(`${at}/create`)), [
          409,
          problemType,
          "urn:lithair:problem:unique-violation",
          undefined
        ])
        assert.deepStrictEqual(yield* on("n1", problemAt(`${at}/pay`)), [
          402,
          problemType,
          "urn:lithair:problem:too-poor",
          undefined
        ])
      }
      yield* partition(["n1"])
      for (const at of ["/raw", "/own"]) {
        assert.deepStrictEqual(yield* on("n1", problemAt(`${at}/create`)), [
          503,
          problemType,
          "urn:lithair:problem:no-quorum",
          true
        ])
      }
      assert.strictEqual((yield* on("n2", Effect.flip(runPay)))._tag, "TooPoor", "in code it is the declared error")
    }).pipe(Effect.provide(cluster))
  )

  it.live("an HttpApi is tested by Effect's own client, over a node in memory", () =>
    Effect.gen(function* () {
      const client = yield* HttpApiTest.groups(Api, ["own"])
      assert.isNull(yield* client.own.create())
      const { items } = yield* Effect.flatMap(Repository.make(User), (users) => users.list())
      assert.strictEqual(items.length, 1)
    }).pipe(
      Effect.scoped,
      Effect.provide(own),
      Effect.provide(Layer.provide(layer({ models: [User], commands: [pay] }), payLayer)),
      Effect.provide(layerMemory),
      Effect.provide(layerTest),
      Effect.provide(HttpServer.layerServices)
    )
  )

  it("each failure says its own status", () => {
    const statusOf = (error: { toProblem(): Parameters<typeof toResponse>[0] }) => toResponse(error.toProblem()).status
    assert.strictEqual(statusOf(new NotDone({ reason: "storage-full", message: "" })), 507)
    assert.strictEqual(statusOf(new NotDone({ reason: "overloaded", message: "" })), 503)
    assert.strictEqual(statusOf(new UnknownOutcome({ message: "" })), 504)
    assert.strictEqual(statusOf(new NotCaughtUp({ message: "" })), 503)
    assert.strictEqual(statusOf(new TooStale({ message: "" })), 503)
  })
})
