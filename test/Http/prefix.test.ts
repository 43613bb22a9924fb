/** The derived API under prefixes: each path is answered exactly as it is sent, and answers name paths that exist. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Client from "../../src/Client.ts"
import * as Http from "../../src/Http.ts"
import * as Model from "../../src/Model.ts"
import { TestCluster } from "../../src/Testing.ts"

class Note extends Model.Class<Note>("Note")({
  id: Model.id(Schema.NonEmptyString),
  text: Schema.String.pipe(Model.replicate)
}) {}

const routes = Layer.mergeAll(Http.layerApi({ prefix: "/v1" }), Http.layerApi({ prefix: "/v2/x" }), Http.layerApi())
const cluster = TestCluster.layer({ models: [Note], routes, size: 1 })

const post = (path: string, body: unknown) =>
  Effect.flatMap(HttpClient.HttpClient, (client) =>
    client.execute(HttpClientRequest.bodyJsonUnsafe(HttpClientRequest.post(path), body))
  )

describe("the derived API under a prefix", () => {
  it.live("answers a prefix exactly as it is sent", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const asked = (path: string) =>
        on(
          "n1",
          Effect.map(HttpClient.get(path), ({ status }) => status)
        )
      for (const path of ["/api/notes", "/v1/api/notes", "/v2/x/api/notes?limit=1"]) {
        assert.strictEqual(yield* asked(path), 200, path)
      }
      for (const path of [
        "/V1/api/notes",
        "/%761/api/notes",
        "/v2/X/api/notes",
        "/%762/x/api/notes",
        "/v1/API/notes"
      ]) {
        assert.strictEqual(yield* asked(path), 404, path)
      }
    }).pipe(Effect.provide(cluster))
  )

  it.live("names paths under the prefix of the request, and the verbs of a path", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      for (const [at, id] of [
        ["/v1", "a"],
        ["/v2/x", "b"],
        ["", "c"]
      ]) {
        const made = yield* on("n1", post(`${at}/api/notes`, { id, text: "" }))
        assert.deepStrictEqual([made.status, made.headers.location], [201, `${at}/api/notes/${id}`])
      }
      const page = yield* on("n1", HttpClient.get("/v2/x/api/notes?limit=1"))
      assert.match(page.headers.link ?? "", /^<\/v2\/x\/api\/notes\?limit=1&cursor=/)
      const refused = yield* on("n1", HttpClient.del("/v1/api/notes"))
      assert.deepStrictEqual([refused.status, refused.headers.allow], [405, "GET, HEAD, POST"])
    }).pipe(Effect.provide(cluster))
  )

  it.live("is what a client asks whose nodes are URLs with the prefix", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const listed = Effect.gen(function* () {
        const notes = (yield* Client.make({ nodes: ["/v1"] })).records(Note)
        const { row } = yield* notes.create({ id: "d", text: "by the client" })
        return [row.text, (yield* notes.list()).items.length]
      })
      assert.deepStrictEqual(yield* on("n1", listed), ["by the client", 1])
    }).pipe(Effect.provide(cluster))
  )

  for (const prefix of ["/", "/v1/", "//v1", "/:tenant", "/a b", "/é", "/v1?x", "/.."] as const) {
    it(`is not declared at ${prefix}, which no path could have as it is sent`, () => {
      assert.throws(() => Http.layerApi({ prefix }), `"${prefix}" cannot be a prefix`)
      assert.throws(() => Http.layerDocs({ prefix }), `"${prefix}" cannot be a prefix`)
    })
  }

  it.effect("is not mounted twice at one prefix", () =>
    Effect.gen(function* () {
      // Two layers that are made apart: Effect builds one and the same layer once.
      const twice = Layer.mergeAll(Http.layerApi({ prefix: "/v1" }), Http.layerApi({ prefix: "/v1" }))
      const exit = yield* Effect.exit(
        Effect.provide(Effect.void, TestCluster.layer({ models: [Note], routes: twice, size: 1 }))
      )
      assert.include(String(exit), "/v1/api/notes is mounted twice on this router")
    })
  )
})
