/** A node's own log: local models in a new version, the end of one, and local fields of mixed records. */
import { assert, it } from "@effect/vitest"
import { Effect, Option, Schema } from "effect"
import { HttpClient } from "effect/http"
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
/** Local fields have no version: this release reads what the former wrote, with a default and without a field. */
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
