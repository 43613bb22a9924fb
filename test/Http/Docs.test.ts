import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { takesGzip } from "../../src/Http/CachedPage.ts"
import { docsPolicy, docsRoutes } from "../../src/Http/Docs.ts"
import { makeApi } from "../../src/Http/Openapi.ts"

const api = makeApi(
  [{ name: "Product", path: "products", idField: "id", fields: { id: Schema.String, name: Schema.String } }],
  { title: "Shop & <Co>", version: "1.0.0" }
)

const get = Effect.fnUntraced(function* (
  app: Effect.Success<ReturnType<typeof start>>,
  path: string,
  headers: Record<string, string> = {}
) {
  const request = HttpServerRequest.fromWeb(new Request(`http://localhost${path}`, { headers }))
  const response = yield* Effect.provideService(app, HttpServerRequest.HttpServerRequest, request)
  return HttpServerResponse.toWeb(response)
})

const start = () => HttpRouter.toHttpEffect(HttpRouter.addAll(docsRoutes(api)))

const bytesOf = (response: Response) =>
  Effect.promise(() => response.arrayBuffer()).pipe(Effect.map((it) => new Uint8Array(it)))
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

describe("the pages about the API", () => {
  it.effect("serves the document as JSON", () =>
    Effect.gen(function* () {
      const app = yield* start()
      const response = yield* get(app, "/openapi.json")
      assert.strictEqual(response.headers.get("content-type"), "application/json")
      assert.isNull(response.headers.get("content-encoding"))
      const document = JSON.parse(textOf(yield* bytesOf(response)))
      assert.strictEqual(document.info.title, "Shop & <Co>")
      assert.isDefined(document.paths["/api/products/{id}"])
    })
  )

  it.effect(
    "serves /docs with everything inlined, compressed to a fraction, and lets the browser reach no other host",
    () =>
      Effect.gen(function* () {
        const app = yield* start()
        const plain = yield* get(app, "/docs")
        const body = yield* bytesOf(plain)
        const html = textOf(body)
        assert.strictEqual(plain.headers.get("content-type"), "text/html; charset=utf-8")
        assert.strictEqual(plain.headers.get("content-security-policy"), docsPolicy)
        assert.notMatch(docsPolicy, /https?:/)
        assert.include(html, "/api/products/{id}")
        assert.include(html, "<title>Shop &amp; &lt;Co&gt;</title>")
        assert.notMatch(html.slice(0, 2000), /<script src|<link /)

        const gzipped = yield* get(app, "/docs", { "accept-encoding": "gzip, br" })
        assert.strictEqual(gzipped.headers.get("content-encoding"), "gzip")
        assert.strictEqual(gzipped.headers.get("vary"), "accept-encoding")
        const compressed = yield* bytesOf(gzipped)
        assert.isBelow(compressed.byteLength, body.byteLength / 2)
        assert.strictEqual(textOf(gunzipSync(compressed)), html)
      })
  )

  it.effect("answers 304 to a browser that has the page (RFC 9110 §13.1.2)", () =>
    Effect.gen(function* () {
      const app = yield* start()
      const tag = (yield* get(app, "/openapi.json")).headers.get("etag")!
      assert.match(tag, /^W\/"[\w-]{22}"$/)
      const again = yield* get(app, "/openapi.json", { "if-none-match": tag })
      assert.strictEqual(again.status, 304)
      assert.strictEqual(again.headers.get("etag"), tag)
      assert.strictEqual((yield* get(app, "/openapi.json", { "if-none-match": `"other"` })).status, 200)
      assert.strictEqual((yield* get(app, "/openapi.json", { "if-none-match": "nonsense" })).status, 200)
    })
  )

  const encodings: ReadonlyArray<readonly [string | undefined, boolean]> = [
    [undefined, false],
    ["", false],
    ["gzip", true],
    ["br, GZIP;q=0.5", true],
    ["*", true],
    ["gzip;q=0", false],
    ["gzip;q=0, *", false],
    ["identity", false],
    ["*;q=0", false],
    ["gzip;q=x", false]
  ]
  for (const [header, expected] of encodings) {
    it(`Accept-Encoding ${header} ${expected ? "takes" : "does not take"} gzip (RFC 9110 §12.5.3)`, () =>
      assert.strictEqual(takesGzip(header), expected))
  }
})
