import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Result, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Lithair from "../../src/Lithair.ts"
import * as Format from "../../src/Machine/Format.ts"
import * as Model from "../../src/Model.ts"
import * as Projection from "../../src/Projection.ts"
import { Repository } from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"

const id = Model.id(Schema.String)

class First extends Model.Class<First>("Product")({
  id,
  name: Model.replicate(Schema.String),
  price: Schema.String,
  note: Model.local(Schema.String)
}) {}

/** It has a required field, and says of no stored record what it is. */
class Unfit extends Model.Class<Unfit>("Product")(
  { id, name: Model.replicate(Schema.String), price: Schema.String, currency: Schema.String },
  { version: 2 }
) {}

class Fit extends Model.Class<Fit>("Product")(
  {
    id,
    title: Model.replicate(Schema.String),
    cents: Schema.Int,
    currency: Schema.String,
    note: Model.local(Schema.String)
  },
  {
    version: 2,
    indexes: ["currency"],
    lift: Model.from(1, { id: Schema.String, name: Schema.String, price: Schema.String })
      .rename("name", "title")
      .map(({ price, ...rest }) => ({ ...rest, cents: Math.round(Number(price) * 100) }))
      .add("currency", "EUR")
      .to(2)
  }
) {}

class Euros extends Model.Class<Euros>("Price")({ id, price: Model.replicate(Schema.Int) }) {}

/** The same fields mean something else. */
class Cents extends Model.Class<Cents>("Price")(
  { id, price: Model.replicate(Schema.Int) },
  {
    version: 2,
    lift: Model.from(1, { id: Schema.String, price: Schema.Int })
      .map(({ price, ...rest }) => ({ ...rest, price: price * 100 }))
      .to(2)
  }
) {}

class Other extends Model.Class<Other>("Other")({ id }, { mode: "replicate" }) {}

type Models = typeof First | typeof Fit | typeof Other | typeof Euros | typeof Cents

const create = <M extends Models>(model: M, row: M["create"]["Type"]) =>
  Effect.flatMap(Repository, (repository) => repository.records(model).create(row))

const get = <M extends typeof Euros | typeof Cents>(model: M, id: string) =>
  Effect.flatMap(Repository, (repository) => repository.records(model).get(id as never))

const json = (path: string) => Effect.flatMap(HttpClient.get(path), ({ json }) => json)

describe("a release with a changed model", () => {
  it.effect("ends a node whose stored records it cannot read, and the others go on", () =>
    Effect.gen(function* () {
      const { advance, leader, nodes, on, settle, upgrade } = yield* TestCluster
      const first = yield* leader
      yield* on(first, create(First, { id: "a", name: "anvil", price: "1.50" }))
      const follower = nodes.find((node) => node !== first)!
      yield* upgrade("unfit", follower)
      yield* advance("2 seconds")
      const down = yield* Effect.flip(on(follower, json("/readyz")))
      assert.deepInclude(down, { _tag: "NodeDown" })
      yield* on(first, create(First, { id: "b", name: "bolt", price: "2" }))
      yield* upgrade("fit", follower)
      yield* settle
      const seen = yield* on(
        follower,
        Effect.flatMap(Repository, (repository) => repository.records(Fit).get("b"))
      )
      assert.deepInclude(Option.getOrThrow(seen).row, { id: "b", title: "bolt", cents: 200, currency: "EUR" })
    }).pipe(
      Effect.provide(
        TestCluster.layer({ models: [First], releases: { unfit: { models: [Unfit] }, fit: { models: [Fit] } } })
      )
    )
  )

  it.effect("is written once every node has it: until then writes of the model wait, and others go on", () =>
    Effect.gen(function* () {
      const { advance, leader, nodes, on, settle, upgrade } = yield* TestCluster
      const first = yield* leader
      yield* on(first, create(First, { id: "a", name: "anvil", price: "1.50" }))
      const rest = nodes.filter((node) => node !== first)
      yield* upgrade("fit", ...rest)
      yield* settle
      yield* advance("10 seconds")
      // Whichever release leads, a node with the new one asks it for nothing.
      const early = yield* on(
        rest[0]!,
        Effect.result(create(Fit, { id: "b", title: "bolt", cents: 1, currency: "EUR" }))
      )
      assert.deepInclude(Result.getFailure(early).pipe(Option.getOrThrow), {
        _tag: "Problem",
        kind: "upgrade-pending"
      })
      yield* on(rest[0]!, create(Other, { id: "o" }))
      yield* upgrade("fit", first)
      yield* settle
      yield* advance("3 seconds")
      for (const [at, node] of nodes.entries()) {
        yield* on(node, create(Fit, { id: `c${at}`, title: "bolt", cents: 1, currency: "EUR" }))
      }
    }).pipe(Effect.provide(TestCluster.layer({ models: [First, Other], releases: { fit: { models: [Fit, Other] } } })))
  )

  it.effect("answers a copy of a request that was done, on a node whose version is pending, as the first was", () =>
    Effect.gen(function* () {
      const { advance, leader, nodes, on, settle, upgrade } = yield* TestCluster
      const first = yield* leader
      const follower = nodes.find((node) => node !== first)!
      const post = (price: number) =>
        HttpClientRequest.post("/api/prices").pipe(
          HttpClientRequest.setHeader("idempotency-key", "once"),
          HttpClientRequest.bodyJsonUnsafe({ id: "a", price }),
          HttpClient.execute
        )
      assert.strictEqual((yield* on(first, post(1))).status, 201)
      yield* upgrade("cents", follower)
      yield* settle
      yield* advance("2 seconds")
      const copy = yield* on(follower, post(1))
      assert.deepStrictEqual([copy.status, copy.headers["idempotent-replayed"]], [201, "true"])
      assert.strictEqual((yield* on(follower, post(2))).status, 422, "the key came with another request before")
      const fresh = yield* on(follower, Effect.result(create(Cents, { id: "b", price: 1 })))
      assert.deepInclude(Result.isFailure(fresh) ? fresh.failure : fresh, { kind: "upgrade-pending" })
    }).pipe(Effect.provide(TestCluster.layer({ models: [Euros], releases: { cents: { models: [Cents] } } })))
  )

  it.effect("is decided in the version in which it was asked, or not at all: the first record of a model too", () =>
    Effect.gen(function* () {
      const { advance, leader, nodes, on, settle, upgrade } = yield* TestCluster
      const first = yield* leader
      const follower = nodes.find((node) => node !== first)!
      yield* upgrade("cents", follower)
      yield* settle
      yield* advance("5 seconds")
      const done = yield* on(follower, Effect.result(create(Cents, { id: "a", price: 1990 })))
      if (Result.isFailure(done)) return assert.deepInclude(done.failure, { kind: "upgrade-required" })
      const seen = yield* on(follower, get(Cents, "a"))
      assert.strictEqual(Option.getOrThrow(seen).row.price, 1990)
    }).pipe(Effect.provide(TestCluster.layer({ models: [Euros], releases: { cents: { models: [Cents] } } })))
  )

  it.effect("is not changed by a node that goes back to the former release once it is active", () =>
    Effect.gen(function* () {
      const { advance, leader, nodes, on, settle, upgrade } = yield* TestCluster
      yield* on(yield* leader, create(Euros, { id: "a", price: 1 }))
      yield* upgrade("cents", ...nodes)
      yield* settle
      yield* advance("5 seconds")
      const first = yield* leader
      const follower = nodes.find((node) => node !== first)!
      yield* upgrade("euros", follower)
      yield* settle
      const done = yield* on(follower, Effect.result(create(Euros, { id: "b", price: 19 })))
      assert.deepInclude(Result.isFailure(done) ? done.failure : done, { kind: "upgrade-required" })
      assert.isTrue(Option.isNone(yield* on(first, get(Cents, "b"))))
    }).pipe(
      Effect.provide(
        TestCluster.layer({ models: [Euros], releases: { cents: { models: [Cents] }, euros: { models: [Euros] } } })
      )
    )
  )

  it.effect(
    "becomes active without a member that is down if an operator says so, and that member decides nothing then",
    () =>
      Effect.gen(function* () {
        const { advance, crash, nodes, on, restart, settle, upgrade } = yield* TestCluster
        const [down = "", ...rest] = nodes
        const activate = (node: string, without: ReadonlyArray<string>) =>
          on(
            node,
            HttpClientRequest.post("/_admin/api/models:activate").pipe(
              HttpClientRequest.bodyJsonUnsafe({ without }),
              HttpClient.execute,
              Effect.flatMap(({ json, status }) => Effect.map(json, (body) => ({ body, status })))
            )
          )
        yield* on(down, create(Euros, { id: "a", price: 1 }))
        yield* crash(down)
        yield* upgrade("cents", ...rest)
        yield* settle
        yield* advance("10 seconds")
        const early = yield* on(rest[0]!, Effect.result(create(Cents, { id: "b", price: 1 })))
        assert.deepInclude(Result.isFailure(early) ? early.failure : early, { kind: "upgrade-pending" })
        assert.strictEqual((yield* activate(rest[0]!, ["n9"])).status, 404)
        assert.strictEqual((yield* activate(rest[0]!, [down])).status, 200)
        yield* advance("2 seconds")
        yield* on(rest[1]!, create(Cents, { id: "b", price: 1 }))
        const again = yield* activate(rest[0]!, [down])
        assert.deepInclude(again.body, { status: 409, reason: "nothingPending" })
        yield* restart(down)
        yield* settle
        const late = yield* on(down, Effect.result(create(Euros, { id: "c", price: 1 })))
        assert.deepInclude(Result.isFailure(late) ? late.failure : late, { kind: "upgrade-required" })
      }).pipe(Effect.provide(TestCluster.layer({ models: [Euros], releases: { cents: { models: [Cents] } } })))
  )

  it.effect("goes back to the former release before all nodes have the new one", () =>
    Effect.gen(function* () {
      const { advance, nodes, on, settle, upgrade } = yield* TestCluster
      yield* on("n1", create(First, { id: "a", name: "anvil", price: "1.50" }))
      yield* upgrade("fit", "n1", "n2")
      yield* settle
      yield* advance("10 seconds")
      yield* upgrade("first", "n1", "n2")
      yield* settle
      for (const node of nodes) yield* on(node, create(First, { id: `after-${node}`, name: "bolt", price: "2" }))
    }).pipe(
      Effect.provide(
        TestCluster.layer({ models: [First], releases: { fit: { models: [Fit] }, first: { models: [First] } } })
      )
    )
  )

  it.effect("shows lifted records over HTTP and in code, and stores them with the next change", () =>
    Effect.gen(function* () {
      const { advance, leader, nodes, on, settle, upgrade } = yield* TestCluster
      const first = yield* leader
      yield* on(first, create(First, { id: "a", name: "anvil", price: "1.50", note: "here" }))
      yield* upgrade("fit", ...nodes)
      yield* settle
      const shown = { id: "a", title: "anvil", cents: 150, currency: "EUR" }
      for (const node of nodes) {
        const own = node === first ? { note: "here" } : {}
        assert.deepStrictEqual(yield* on(node, json("/api/products/a")), { ...shown, ...own })
        assert.deepInclude(yield* on(node, json("/api/products?currency=eq.EUR&order=cents.desc")), {
          items: [{ ...shown, ...own }]
        })
      }
      yield* advance("5 seconds")
      const format = { version: Format.newest, active: Format.newest }
      const status = { name: "Product", path: "products", mode: "mixed", version: 2, active: 2 }
      const patched = yield* on(
        first,
        HttpClientRequest.patch("/api/products/a").pipe(
          HttpClientRequest.bodyJsonUnsafe({ cents: 200 }),
          HttpClient.execute,
          Effect.flatMap(({ json }) => json)
        )
      )
      assert.deepStrictEqual(patched, { ...shown, cents: 200, note: "here" })
      assert.deepStrictEqual(yield* on(first, json("/_admin/api/models")), {
        format,
        items: [{ ...status, stored: { 2: 1 }, localParts: { 2: 1 } }],
        dropped: []
      })
    }).pipe(Effect.provide(TestCluster.layer({ models: [First], releases: { fit: { models: [Fit] } } })))
  )
})

describe("a projection of a model with a new version", () => {
  const totalOf = (model: typeof Euros | typeof Cents) =>
    Projection.make("total", {
      from: [model],
      version: 1,
      state: Schema.Int,
      initial: 0,
      evolve: (sum, { record, type }) => (type === "created" ? sum + record.price : sum)
    })
  const ddl = "CREATE TABLE prices (id TEXT, price INTEGER)"
  const pricesOf = (model: typeof Euros | typeof Cents) =>
    Projection.sqlite("prices", {
      from: [model],
      version: 1,
      ddl,
      evolve: ({ id, record }) => [{ sql: "INSERT INTO prices VALUES (?, ?)", params: [id, record.price] }]
    })

  it("is another file for SQLite, and the same as before for version 1", () => {
    assert.strictEqual(pricesOf(Euros).ddl, ddl)
    assert.strictEqual(pricesOf(Cents).ddl, `${ddl}\n-- {"Price":2}\n`)
  })

  it.effect("is folded anew from lifted events, so that no state mixes two forms of a record", () =>
    Effect.gen(function* () {
      const { advance, leader, nodes, on, settle, upgrade } = yield* TestCluster
      const total = (node: string) =>
        on(
          node,
          Effect.flatMap(HttpClient.get("/api/_projections/total"), ({ text }) => text)
        )
      yield* on(yield* leader, create(Euros, { id: "a", price: 3 }))
      assert.strictEqual(yield* total("n1"), "3")
      yield* upgrade("cents", ...nodes)
      yield* settle
      yield* advance("3 seconds")
      yield* on(yield* leader, create(Cents, { id: "b", price: 250 }))
      for (const node of nodes) assert.strictEqual(yield* total(node), "550")
    }).pipe(
      Effect.provide(
        TestCluster.layer({
          models: [Euros],
          projections: [totalOf(Euros)],
          releases: { cents: { models: [Cents], projections: [totalOf(Cents)] } }
        })
      )
    )
  )
})

describe("Lithair.check", () => {
  it.live("tells of a stopped node's directory whether a release could serve it", () =>
    Effect.gen(function* () {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-check-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      const node = Lithair.layer({ models: [First] }).pipe(
        Layer.provide(Lithair.layerHost({ address: "127.0.0.1:8081", directory })),
        Layer.provide(Lithair.layerTest)
      )
      const whileStarting = Effect.retry(create(First, { id: "a", name: "anvil", price: "1.50", note: "here" }), {
        times: 20
      })
      yield* Effect.provide(whileStarting, node)
      const fit = yield* Lithair.check({ models: [Fit], directory })
      assert.isTrue(fit.fits, fit.message)
      assert.include(fit.message, "Product: stored v1 (1 records), code v2")
      const unfit = yield* Lithair.check({ models: [Unfit], directory })
      assert.isFalse(unfit.fits)
      assert.include(unfit.message, '→ .add("currency", …)')
      assert.strictEqual(
        (yield* Effect.flip(Lithair.check({ models: [Fit], directory: `${directory}/none` })))._tag,
        "LogFailed"
      )
    }).pipe(Effect.scoped)
  )
})
