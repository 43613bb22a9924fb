/** A model ends once no member has it any more, and its records go little by little, over a crash of the leader. */
import { assert, it } from "@effect/vitest"
import { Effect, Result, Schedule, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Model from "../../src/Model.ts"
import { Repository } from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"

const id = Model.id(Schema.String)
class Product extends Model.Class<Product>("Product")({ id, name: Model.replicate(Schema.String) }) {}
class Cart extends Model.Class<Cart>("Cart")({
  id,
  name: Model.replicate(Schema.String),
  note: Model.local(Schema.String)
}) {}

const Answer = Schema.fromJsonString(
  Schema.Struct({
    dropped: Schema.optionalKey(Schema.Array(Schema.Struct({ name: Schema.String, records: Schema.Int }))),
    stateHash: Schema.optionalKey(Schema.String)
  })
)
const json = (path: string) =>
  Effect.flatMap(
    Effect.flatMap(HttpClient.get(path), ({ text }) => text),
    Schema.decodeUnknownEffect(Answer)
  )
const bulk = (count: number, from: number) =>
  HttpClientRequest.post("/api/carts/_bulk").pipe(
    HttpClientRequest.bodyJsonUnsafe(Array.from({ length: count }, (_, at) => ({ id: `c${from + at}`, name: "n" }))),
    HttpClient.execute
  )
const create = <M extends typeof Product | typeof Cart>(model: M, row: M["create"]["Type"]) =>
  Effect.flatMap(Repository, (repository) => repository.records(model).create(row))

it.effect("a model ends once every member has dropped it, and its records go, over a crash of the leader", () =>
  Effect.gen(function* () {
    const { advance, crash, leader, nodes, on, restart, settle, upgrade } = yield* TestCluster
    const count = 1_500
    for (let from = 0; from < count; from += 500) {
      assert.strictEqual((yield* on(yield* leader, bulk(500, from))).status, 201)
    }
    const [last = "", ...first] = nodes
    yield* upgrade("without", ...first)
    yield* settle
    yield* advance("5 seconds")
    assert.deepStrictEqual((yield* on(first[0]!, json("/_admin/api/models"))).dropped, [])
    // A leader that has dropped the model hands leadership on, until the last that has it leads.
    const again = Effect.retry(create(Cart, { id: "late", name: "still here" }), {
      schedule: Schedule.spaced("1 second"),
      times: 20
    })
    yield* on(last, again)
    yield* on(first[0]!, create(Product, { id: "p", name: "anvil" }))
    yield* upgrade("without", last)
    yield* settle
    const left = Effect.gen(function* () {
      yield* advance("20 millis")
      yield* settle
      const { dropped = [] } = yield* on(yield* leader, json("/_admin/api/models"))
      return dropped[0]?.records ?? count + 1
    })
    yield* Effect.repeat(left, { until: (records) => records <= count, times: 500 })
    const former = yield* leader
    yield* crash(former)
    yield* settle
    assert.isAbove(yield* left, 0, "no leader crashed in the middle")
    yield* restart(former)
    yield* settle
    yield* advance("10 seconds")
    yield* settle
    for (const node of nodes) {
      assert.deepStrictEqual((yield* on(node, json("/_admin/api/models"))).dropped, [{ name: "Cart", records: 0 }])
      assert.strictEqual((yield* on(node, HttpClient.get("/api/products/p"))).status, 200)
      assert.strictEqual((yield* on(node, HttpClient.get("/api/carts/c1"))).status, 404)
    }
    const hashes = yield* Effect.forEach(nodes, (node) => on(node, json("/_admin/api/cluster")))
    assert.strictEqual(new Set(hashes.map(({ stateHash }) => stateHash)).size, 1)
    yield* upgrade("with", last)
    yield* settle
    const back = yield* on(last, Effect.result(create(Cart, { id: "back", name: "n" })))
    assert.deepInclude(Result.isFailure(back) ? back.failure : back, { kind: "upgrade-required" })
  }).pipe(
    Effect.provide(
      TestCluster.layer({
        models: [Product, Cart],
        releases: { without: { models: [Product, Model.dropped("Cart")] }, with: { models: [Product, Cart] } }
      })
    )
  )
)
