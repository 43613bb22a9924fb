/** Natural keys: a model with a text id is served alike by code, client, HTTP and commands, on any node. docs/http.md. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Client from "../../src/Client.ts"
import * as Command from "../../src/Command.ts"
import { makeApi, openApiDocument } from "../../src/Http/Openapi.ts"
import * as Model from "../../src/Model.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"

class Country extends Model.Class<Country>("Country")({
  code: Model.id(Schema.String),
  name: Schema.String.pipe(Model.replicate),
  seen: Model.local(Schema.Int)
}) {}
/** Its own schema takes no id that is made. */
class City extends Model.Class<City>("City")(
  {
    id: Model.id(Schema.String.check(Schema.isPattern(/^[a-z]{2}\.[a-z]+$/u))),
    country: Schema.String
  },
  { mode: "replicate", references: { country: { model: Country, onDelete: "cascade" } } }
) {}
class Visit extends Model.Class<Visit>("Visit")(
  { id: Model.id(Schema.String), note: Schema.String },
  { mode: "local" }
) {}
class Plain extends Model.Class<Plain>("Plain")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  name: Schema.String.pipe(Model.replicate)
}) {}

const rename = Command.make("rename", {
  payload: Schema.Struct({ code: Schema.String, name: Schema.String }),
  success: Country
})
const renameLayer = Command.layer(
  rename,
  Effect.fnUntraced(function* ({ code, name }) {
    const transaction = yield* Command.Transaction
    const known = yield* transaction.find(Country, code)
    return yield* Option.isSome(known)
      ? transaction.patch(Country, code, { name })
      : transaction.create(Country, { code, name })
  })
)

const cluster = TestCluster.layer({ models: [Country, City, Visit, Plain], commands: [rename], size: 2 }).pipe(
  Layer.provide(renameLayer)
)

const ids = [
  "a",
  "0",
  "CH",
  "ch",
  "A.b_c~d-e",
  "9.9",
  "live2",
  "Live",
  "Changes",
  "changes.",
  "x".repeat(128),
  crypto.randomUUID()
]
const malformed = [
  "",
  ".",
  "..",
  "_a",
  "-a",
  "~a",
  "a b",
  "a/b",
  "a%20b",
  "ä",
  "a?b",
  "a#b",
  "a\n",
  "changes",
  "live",
  "x".repeat(129)
]

const request = (method: "POST" | "PUT" | "PATCH" | "DELETE" | "GET", path: string, body?: unknown) =>
  Effect.gen(function* () {
    const http = yield* HttpClient.HttpClient
    const made = HttpClientRequest.make(method)(path)
    const answer = yield* http.execute(body === undefined ? made : HttpClientRequest.bodyJsonUnsafe(made, body))
    const text = yield* answer.text
    return { status: answer.status, headers: answer.headers, body: text === "" ? undefined : JSON.parse(text) }
  })

const onBoth = <A, E, R>(program: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { nodes, on } = yield* TestCluster
    for (const node of nodes) yield* on(node, program)
  }).pipe(Effect.provide(cluster))

describe("a text id", () => {
  it.effect("is served in paths, bodies, transactions, references, local parts and local models", () =>
    Effect.gen(function* () {
      const client = yield* Client.make({ nodes: [""] })
      const countries = yield* Repository.make(Country)
      for (const id of ids) {
        const path = `/api/countries/${id}`
        const made = yield* request("POST", "/api/countries", { code: id, name: "A", seen: 1 })
        assert.deepStrictEqual(
          [made.status, made.headers.location, made.body],
          [201, path, { code: id, name: "A", seen: 1 }]
        )
        assert.strictEqual((yield* request("POST", "/api/countries", { code: id, name: "A" })).status, 409)
        assert.deepStrictEqual((yield* request("PATCH", path, { seen: 2 })).body, { code: id, name: "A", seen: 2 })
        assert.deepStrictEqual((yield* request("PUT", path, { name: "B" })).body, { code: id, name: "B" })
        assert.strictEqual((yield* request("PATCH", path, { code: `${id}x` })).status, 400)
        assert.deepStrictEqual((yield* request("GET", `/api/countries?code=eq.${id}`)).body.items, [
          { code: id, name: "B" }
        ])
        const city = { id: "aa.b", country: id }
        const ops = [
          { op: "patch", model: "Country", id, data: { name: "C" } },
          { op: "create", model: "City", data: city }
        ]
        assert.strictEqual((yield* request("POST", "/api/_tx", { ops })).status, 200)
        assert.strictEqual((yield* client.run(rename, { code: id, name: "D" })).code, id)
        const { row, version } = Option.getOrThrow(yield* countries.get(id))
        assert.strictEqual(row.name, "D")
        const records = client.records(Country)
        assert.strictEqual(Option.getOrThrow(yield* records.get(id)).row.name, "D")
        assert.strictEqual((yield* records.patch(id, { name: "E" }, { ifVersion: version })).version, version + 1)
        yield* records.delete(id)
        assert.strictEqual((yield* request("GET", "/api/cities/aa.b")).status, 404, "it ends with its country")
        const visit = yield* request("PUT", `/api/visits/${id}`, { note: "n" })
        assert.deepStrictEqual([visit.status, visit.body], [201, { id, note: "n" }])
        assert.strictEqual((yield* request("DELETE", `/api/visits/${id}`)).status, 204)
        assert.strictEqual((yield* request("POST", "/api/_operations/x", {})).status, 405)
      }
    }).pipe(onBoth)
  )

  it.effect("that is malformed is 404 in a path and 400 in a body, and names nothing in code", () =>
    Effect.gen(function* () {
      const client = yield* Client.make({ nodes: [""] })
      const countries = yield* Repository.make(Country)
      const records = client.records(Country)
      for (const id of malformed) {
        const path = `/api/countries/${encodeURIComponent(id)}`
        // These paths are of streams, which take no other verb.
        const isStream = id === "changes" || id === "live"
        const refusal = isStream ? 405 : 404
        for (const method of ["GET", "DELETE", "PUT", "PATCH"] as const) {
          if (isStream && method === "GET") continue
          const met = yield* request(method, path, method === "PUT" || method === "PATCH" ? { name: "A" } : undefined)
          // Without an id it is the path of all of them, with a slash more.
          assert.strictEqual(met.status, refusal, `${method} ${path}`)
        }
        const posted = yield* request("POST", "/api/countries", { code: id, name: "A" })
        assert.deepStrictEqual([posted.status, posted.body.errors[0].path], [400, "code"], id)
        for (const op of [
          { op: "create", model: "Country", id, data: { name: "A" } },
          { op: "create", model: "Country", data: { code: id, name: "A" } },
          { op: "put", model: "Country", id, data: { name: "A" } },
          { op: "patch", model: "Country", id, data: { name: "A" } },
          { op: "delete", model: "Country", id }
        ]) {
          const met = yield* request("POST", "/api/_tx", { ops: [op] })
          assert.deepStrictEqual([met.status, met.body.opIndex], [400, 0], JSON.stringify(op))
        }
        assert.strictEqual((yield* request("POST", "/api/_commands/rename", { code: id, name: "A" })).status, 400, id)
        assert.deepStrictEqual(yield* countries.get(id), Option.none())
        assert.deepStrictEqual(yield* records.get(id), Option.none())
        for (const change of [countries, records].flatMap(({ create, put }) => [
          put(id, { name: "A" }),
          create({ code: id, name: "A" })
        ])) {
          const met = yield* Effect.flip(change)
          assert.strictEqual(met._tag === "Problem" ? met.kind : met._tag, "invalid-request", id)
        }
        for (const change of [records.patch(id, { name: "A" }), records.delete(id), countries.delete(id)]) {
          const met = yield* Effect.flip(change as Effect.Effect<unknown, Repository.WriteFailure>)
          assert.strictEqual(met._tag === "Problem" ? met.kind : met._tag, "not-found", id)
        }
      }
    }).pipe(onBoth)
  )

  it.effect("is made (UUIDv7) where none is given, unless the model's own schema takes none such", () =>
    Effect.gen(function* () {
      const made = yield* request("POST", "/api/countries", { name: "A" })
      assert.match(made.body.code, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
      yield* request("PUT", "/api/countries/ch", { name: "A" })
      const refused = yield* request("POST", "/api/cities", { country: "ch" })
      assert.deepStrictEqual(
        [refused.status, refused.body.errors],
        [400, [{ path: "id", message: "Expected an id: none can be made for this model" }]]
      )
      const cities = yield* Repository.make(City)
      assert.strictEqual((yield* Effect.flip(cities.create({ country: "ch" })))._tag, "Problem")
      assert.strictEqual((yield* request("PUT", "/api/cities/ch.bern", { country: "ch" })).status, 201)
      assert.strictEqual((yield* request("PUT", "/api/cities/bern", { country: "ch" })).status, 404)
      yield* request("DELETE", "/api/cities/ch.bern")
    }).pipe(onBoth)
  )

  it.effect("leaves UUIDs what they were: another text is 404 in a path and 400 in a body", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* request("PUT", "/api/plains/ch", { name: "A" })).status, 404)
      assert.strictEqual((yield* request("POST", "/api/plains", { id: "ch", name: "A" })).status, 400)
      const ops = [{ op: "delete", model: "Plain", id: "ch" }]
      const met = yield* request("POST", "/api/_tx", { ops })
      assert.deepStrictEqual([met.status, met.body.errors[0].path], [400, "ops.0.id"])
    }).pipe(onBoth)
  )

  it("is in the OpenAPI document with its pattern, and needed where none can be made", () => {
    const document = openApiDocument(makeApi([Country, City].map(Model.describe), { title: "t", version: "1" }))
    const shown = JSON.stringify(document)
    assert.include(JSON.stringify(document.paths["/api/countries/{id}"]), "{0,127}")
    const create = document.components.schemas?.["City.create"] as { readonly required?: ReadonlyArray<string> }
    assert.deepStrictEqual(create.required?.toSorted(), ["country", "id"])
    assert.notInclude(shown, "isUUID")
  })
})
