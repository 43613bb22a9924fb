/** A node's own log: local models in a new version, the end of one, and local fields of mixed records. */
import { assert, it } from "@effect/vitest"
import { Cause, Effect, Exit, Option, Result, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { LocalNode } from "../../src/Local/LocalNode.ts"
import * as Format from "../../src/Machine/Format.ts"
import { storedVersions } from "../../src/Machine/Rows.ts"
import * as Model from "../../src/Model.ts"
import { Repository } from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"

const id = Model.id(Schema.String)

class Note extends Model.Class<Note>("Note")({ id, text: Schema.String, stars: Schema.String }, { mode: "local" }) {}
class Draft extends Model.Class<Draft>("Draft")({ id, text: Schema.String }, { mode: "local" }) {}
class Product extends Model.Class<Product>("Product")({
  id,
  name: Model.replicate(Schema.String),
  seen: Model.local(Schema.Int)
}) {}

class NextNote extends Model.Class<NextNote>("Note")(
  { id, body: Schema.String, stars: Schema.Int },
  {
    mode: "local",
    version: 2,
    indexes: ["stars"],
    lift: Model.from(1, { id: Schema.String, text: Schema.String, stars: Schema.String })
      .rename("text", "body")
      .map(({ stars, ...rest }) => ({ ...rest, stars: Number(stars) }))
      .to(2)
  }
) {}
/** Without a new version: this release reads what the former wrote, with a default and without a field. */
class NextProduct extends Model.Class<NextProduct>("Product")({
  id,
  name: Model.replicate(Schema.String),
  shelf: Model.local(Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("none"))))
}) {}

const text = (path: string) => Effect.flatMap(HttpClient.get(path), ({ text }) => text)
const ownTables = Effect.map(LocalNode, ({ tables }) => tables)

it.effect("a new version of a local model is read at once, stored anew, and survives a crash", () =>
  Effect.gen(function* () {
    const { advance, crash, leader, nodes, on, restart, settle, upgrade } = yield* TestCluster
    const node = nodes.find((each) => each !== nodes[0])!
    yield* on(
      node,
      Effect.gen(function* () {
        const { records } = yield* Repository
        for (let at = 0; at < 200; at++) yield* records(Note).create({ id: `n${at}`, text: "t", stars: `${at % 5}` })
        yield* records(Draft).create({ id: "d", text: "t" })
        yield* records(Product).create({ id: "p", name: "anvil", seen: 3 })
      })
    )
    yield* leader
    yield* upgrade("next", node)
    yield* settle
    const shown = yield* on(node, text("/api/notes?stars=eq.4&limit=1"))
    assert.deepInclude(JSON.parse(shown).items[0], { id: "n104", body: "t", stars: 4 })
    const product = yield* on(
      node,
      Effect.flatMap(Repository, ({ records }) => records(NextProduct).get("p"))
    )
    assert.deepInclude(Option.getOrThrow(product).row, { name: "anvil", shelf: "none" })
    yield* advance("4 seconds")
    yield* crash(node)
    yield* restart(node)
    yield* settle
    const tables = yield* on(node, ownTables)
    assert.strictEqual(tables.format, Format.newest)
    assert.deepStrictEqual(Object.fromEntries(storedVersions(tables.byModel.get("Note"))), { 2: 200 })
    assert.deepInclude(tables.byModel.get("Draft"), { isEnded: true })
    assert.strictEqual(tables.byModel.get("Draft")!.rows.size, 0)
    assert.strictEqual(yield* on(node, text("/api/notes?stars=eq.4&limit=1")), shown)
  }).pipe(
    Effect.provide(
      TestCluster.layer({
        models: [Note, Draft, Product],
        releases: { next: { models: [NextNote, NextProduct, Model.dropped("Draft")] } }
      })
    )
  )
)

class Article extends Model.Class<Article>("Article")({
  id,
  name: Model.replicate(Schema.String),
  seen: Model.local(Schema.String)
}) {}
class NextArticle extends Model.Class<NextArticle>("Article")(
  { id, name: Model.replicate(Schema.String), views: Model.local(Schema.Int) },
  {
    version: 2,
    liftLocal: Model.from(1, { seen: Schema.optionalKey(Schema.String) })
      .rename("seen", "views")
      .map(({ views }) => (views === undefined ? {} : { views: Number(views) }))
      .to(2)
  }
) {}

it.effect("local parts roll with their model: a node may go back until it is active, and stores them anew after", () =>
  Effect.gen(function* () {
    const { advance, crash, nodes, on, restart, settle, upgrade } = yield* TestCluster
    const former = Effect.map(Repository, ({ records }) => records(Article))
    const next = Effect.map(Repository, ({ records }) => records(NextArticle))
    const [node = "", ...others] = nodes
    yield* on(
      node,
      Effect.gen(function* () {
        const { create } = yield* former
        for (let at = 0; at < 200; at++) yield* create({ id: `p${at}`, name: "anvil", seen: `${at}` })
      })
    )
    yield* on(
      others[0]!,
      HttpClientRequest.post("/api/articles").pipe(
        HttpClientRequest.setHeader("idempotency-key", "once"),
        HttpClientRequest.bodyJsonUnsafe({ id: "p200", name: "anvil", seen: "200" }),
        HttpClient.execute
      )
    )
    const shown = (at: number) => Effect.flatMap(HttpClient.get(`/api/articles/p${at}`), ({ json }) => json)
    const stored = Effect.map(ownTables, ({ byModel }) => Object.fromEntries(storedVersions(byModel.get("Article"))))
    const tag = Effect.map(HttpClient.get("/api/articles/p7"), ({ headers }) => headers.etag)

    yield* upgrade("next", node)
    yield* settle
    assert.deepStrictEqual(yield* on(node, shown(7)), { id: "p7", name: "anvil", views: 7 })
    // Nothing is written in a version that the other nodes do not have: this one could not go back.
    const early = yield* on(node, Effect.result(Effect.flatMap(next, ({ patch }) => patch("p7", { views: 8 }))))
    assert.deepInclude(Result.isFailure(early) ? early.failure : early, { kind: "upgrade-pending" })
    // A copy of a request that was done before is answered, and writes none either.
    const copy = yield* on(
      node,
      HttpClientRequest.post("/api/articles").pipe(
        HttpClientRequest.setHeader("idempotency-key", "once"),
        HttpClientRequest.bodyJsonUnsafe({ id: "p200", name: "anvil", seen: "200" }),
        HttpClient.execute
      )
    )
    assert.strictEqual(copy.status, 201)
    yield* advance("5 seconds")
    assert.deepStrictEqual(yield* on(node, stored), { 1: 200 })

    yield* upgrade("former", node)
    yield* settle
    yield* on(
      node,
      Effect.flatMap(former, ({ patch }) => patch("p7", { seen: "9" }))
    )
    assert.deepStrictEqual(yield* on(node, shown(7)), { id: "p7", name: "anvil", seen: "9" })

    yield* upgrade("next", node, ...others)
    yield* settle
    const before = yield* on(node, tag)
    yield* advance("8 seconds")
    assert.deepStrictEqual(yield* on(node, stored), { 2: 200 })
    assert.strictEqual(yield* on(node, tag), before, "storing a part anew changes nothing of it")
    yield* crash(node)
    yield* restart(node)
    yield* settle
    assert.deepStrictEqual(yield* on(node, stored), { 2: 200 })
    assert.deepStrictEqual(yield* on(node, shown(7)), { id: "p7", name: "anvil", views: 9 })
    yield* on(
      node,
      Effect.flatMap(next, ({ patch }) => patch("p7", { views: 10 }))
    )
    assert.deepStrictEqual(yield* on(node, shown(7)), { id: "p7", name: "anvil", views: 10 })
    // A node that has no part of the record shows none.
    assert.deepStrictEqual(yield* on(others[0]!, shown(7)), { id: "p7", name: "anvil" })

    // A node that went back too late would write over parts that its release cannot read whole.
    yield* upgrade("former", node)
    yield* settle
    const late = yield* on(node, Effect.result(Effect.flatMap(former, ({ patch }) => patch("p7", { seen: "11" }))))
    assert.deepInclude(Result.isFailure(late) ? late.failure : late, { kind: "upgrade-required" })
  }).pipe(
    Effect.provide(
      TestCluster.layer({
        models: [Article],
        releases: { former: { models: [Article] }, next: { models: [NextArticle] } }
      })
    )
  )
)

class Unfit extends Model.Class<Unfit>("Article")(
  { id, name: Model.replicate(Schema.String), views: Model.local(Schema.Int) },
  {
    version: 2,
    liftLocal: Model.from(1, { seen: Schema.optionalKey(Schema.String) })
      .rename("seen", "views")
      .map(({ views }) => ({ views: views as never as number }))
      .to(2)
  }
) {}

it.effect("a node whose local parts do not lift ends, and the others go on in the former version", () =>
  Effect.gen(function* () {
    const { advance, nodes, on, settle, upgrade } = yield* TestCluster
    const articles = Effect.map(Repository, ({ records }) => records(Article))
    const [node = "", other = ""] = nodes
    yield* on(
      node,
      Effect.flatMap(articles, ({ create }) => create({ id: "p", name: "anvil", seen: "3" }))
    )
    const started = yield* Effect.exit(upgrade("unfit", node))
    assert.include(Exit.isFailure(started) ? Cause.pretty(started.cause) : "it started", "Stored records do not fit")
    yield* advance("2 seconds")
    yield* settle
    yield* on(
      other,
      Effect.flatMap(articles, ({ patch }) => patch("p", { name: "nail" }))
    )
  }).pipe(Effect.provide(TestCluster.layer({ models: [Article], releases: { unfit: { models: [Unfit] } } })))
)
