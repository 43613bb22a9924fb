/** Records are stored in a new version after it is active: under crashes of leaders, and unseen by what follows changes. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Model from "../../src/Model.ts"
import * as Projection from "../../src/Projection.ts"
import { TestCluster } from "../../src/Testing.ts"

const id = Model.id(Schema.String)

class Former extends Model.Class<Former>("Item")({ id, name: Model.replicate(Schema.String) }) {}

/** A step that is no function: every reading of another copy gets another number. */
let drawn = 0

class Present extends Model.Class<Present>("Item")(
  { id, title: Model.replicate(Schema.String), number: Schema.Int },
  {
    version: 2,
    indexes: ["number"],
    lift: Model.from(1, { id: Schema.String, name: Schema.String })
      .rename("name", "title")
      .map((record) => ({ ...record, number: ++drawn }))
      .to(2)
  }
) {}

const changesOf = (model: typeof Former | typeof Present) =>
  Projection.make("changes", {
    from: [model],
    version: 1,
    state: Schema.Int,
    initial: 0,
    evolve: (count) => count + 1
  })

const Answer = Schema.Struct({
  items: Schema.optionalKey(Schema.Array(Schema.Json)),
  stateHash: Schema.optionalKey(Schema.String)
})
const text = (path: string) => Effect.flatMap(HttpClient.get(path), ({ text }) => text)
const json = (path: string) => Effect.flatMap(text(path), Schema.decodeUnknownEffect(Schema.fromJsonString(Answer)))
const bulk = (count: number, from: number) =>
  HttpClientRequest.post("/api/items/_bulk").pipe(
    HttpClientRequest.bodyJsonUnsafe(Array.from({ length: count }, (_, at) => ({ id: `i${from + at}`, name: "n" }))),
    HttpClient.execute,
    Effect.flatMap(({ json }) => json)
  )
const Stored = Schema.Struct({ stored: Schema.Record(Schema.String, Schema.Int) })
const storedOn = (node: string) =>
  Effect.flatMap(TestCluster, ({ on }) => on(node, json("/_admin/api/models"))).pipe(
    Effect.flatMap(({ items }) => Schema.decodeUnknownEffect(Stored)(items?.[0])),
    Effect.map(({ stored }) => stored)
  )

it.effect("records are stored in the active version, over crashes of leaders, and no record is changed by that", () =>
  Effect.gen(function* () {
    const { advance, crash, leader, nodes, on, restart, settle, upgrade } = yield* TestCluster
    const count = 2_000
    for (let from = 0; from < count; from += 500) yield* on(yield* leader, bulk(500, from))
    yield* upgrade("present", ...nodes)
    yield* settle
    for (const _ of [1, 2]) {
      const isPartly = Effect.map(Effect.flatMap(leader, storedOn), ({ 1: before = 0, 2: after = 0 }) => {
        assert.strictEqual(before + after, count)
        return before > 0 && after > 0
      })
      const soon = Effect.andThen(Effect.andThen(advance("20 millis"), settle), isPartly)
      yield* Effect.repeat(soon, { until: (isNow) => isNow, times: 500 })
      assert.isTrue(yield* isPartly)
      const former = yield* leader
      yield* crash(former)
      yield* settle
      assert.isTrue(yield* isPartly)
      yield* restart(former)
      yield* settle
    }
    yield* advance("10 seconds")
    yield* settle
    for (const node of nodes) assert.deepStrictEqual(yield* storedOn(node), { 2: count })
    const lists = yield* Effect.forEach(nodes, (node) =>
      on(
        node,
        Effect.map(json("/api/items?order=number.desc&limit=200"), ({ items }) => items)
      )
    )
    assert.lengthOf(lists[0] ?? [], 200)
    assert.deepStrictEqual([lists[1], lists[2]], [lists[0], lists[0]], "nodes agree though the step is no function")
    const hashes = yield* Effect.forEach(nodes, (node) =>
      on(
        node,
        Effect.map(json("/_admin/api/cluster"), ({ stateHash }) => stateHash)
      )
    )
    assert.strictEqual(new Set(hashes).size, 1)
    const { headers } = yield* on(nodes[0]!, HttpClient.get("/api/items/i7"))
    assert.strictEqual(headers.etag, '"1;2"')
    for (const node of nodes) {
      assert.strictEqual(yield* on(node, text("/api/_projections/changes")), `${count}`)
    }
  }).pipe(
    Effect.provide(
      TestCluster.layer({
        models: [Former],
        projections: [changesOf(Former)],
        releases: { present: { models: [Present], projections: [changesOf(Present)] } }
      })
    )
  )
)
