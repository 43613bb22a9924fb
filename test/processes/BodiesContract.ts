/** The bodies that a node takes. It refuses all others by type, changes nothing, and serves the next request. docs/http.md, "Problems". */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import type { Answer } from "./Processes.ts"
import { ask, askAsIs, assertProblem, makeProduct, type Served } from "./Served.ts"

const json = "application/json"
const product = { name: "Anvil", price: "19.90" }
const text = JSON.stringify(product)
const sizeMaxBytes = 1024 * 1024

const malformed = [
  "",
  " ",
  "{",
  "}",
  "{name:1}",
  "{'name':'a'}",
  `${text}x`,
  `${text}${text}`,
  "[1,]",
  "undefined",
  "NaN",
  `{"name":"a\nb","price":"1"}`,
  `{"name":"\\ud800","price":"1"}`,
  `{"name":"\\udc00\\ud800","price":"1"}`,
  `{"\\ud800":1}`,
  `{"name":"a","price":"1","price":"1"}`,
  `{"name":"a","price":"1","pric\\u0065":"1"}`,
  `{"name":"a","price":1e400}`,
  `{"name":"a","price":9007199254740993}`,
  `{"name":"a","price":"1","x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
  "[".repeat(1_000_000)
]

/** Well formed JSON that is no product; the path of the error, where there is one. */
const wrong: ReadonlyArray<readonly [unknown, string?]> = [
  [null],
  [true],
  [1],
  ["product"],
  [[]],
  [[product]],
  [{}, "name"],
  [{ name: "a" }, "price"],
  [{ ...product, name: "" }, "name"],
  [{ ...product, name: 1 }, "name"],
  [{ ...product, name: null }, "name"],
  [{ ...product, name: ["a"] }, "name"],
  [{ ...product, name: { toString: "a" } }, "name"],
  ...[1, 1.5, null, true, [], {}].map((price) => [{ ...product, price }, "price"] as const),
  ...["", " ", " 1", "1 ", "+1", "-1", "-0.01", "1.", ".5", "1.234", "1,5", "1e3", "0x1", "NaN", "Infinity", "١"].map(
    (price) => [{ ...product, price }, "price"] as const
  ),
  [{ ...product, price: "1234567890123456" }, "price"],
  [{ ...product, category: null }, "category"],
  [{ ...product, category: "" }, "category"],
  [{ ...product, color: "red" }, "color"],
  [{ ...product, constructor: 1 }, "constructor"],
  [{ ...product, toString: "x" }, "toString"],
  [{ ...product, "": 1 }],
  [{ ...product, version: 1 }, "version"],
  ...[null, 1, {}, "", "x", "00000000-0000-4000-8000-00000000000", "00000000000040008000000000000000"].map(
    (id) => [{ ...product, id }, "id"] as const
  )
]

/** `JSON.stringify` would leave it out, as an object literal does. */
const withProto = `{"name":"Anvil","price":"19.90","__proto__":{"admin":true}}`

const errorPaths = ({ body }: Answer) => (body.errors ?? []).map(({ path }: { path: string }) => path)

const count = Effect.map(ask("GET", "/api/products?limit=1&count=exact"), ({ body }): number => body.total)

export const bodiesContract = (it: Vitest.MethodsNonLive<Served>): void => {
  it.effect("malformed JSON is 400 for every verb that takes a body, and changes nothing", () =>
    Effect.gen(function* () {
      const { path } = yield* makeProduct()
      const before = yield* count
      for (const body of malformed) {
        for (const [method, target] of [
          ["POST", "/api/products"],
          ["PUT", path],
          ["PATCH", path]
        ] as const) {
          assertProblem(yield* ask(method, target, { body }), 400, "invalid-request", `${method} ${body.slice(0, 60)}`)
        }
      }
      assert.strictEqual(yield* count, before)
      assert.strictEqual((yield* ask("GET", path)).headers.get("etag"), `"1"`)
    })
  )

  it.effect("data that does not fit the model is 400, and the answer names the errors", () =>
    Effect.gen(function* () {
      const { path } = yield* makeProduct()
      const before = yield* count
      for (const [body, field] of wrong) {
        const isNewId = typeof body === "object" && body !== null && Object.hasOwn(body, "id")
        const what = JSON.stringify(body)
        const posted = yield* ask("POST", "/api/products", { body: what })
        assertProblem(posted, 400, "invalid-request", `POST ${what}`)
        if (field !== undefined) assert.include(errorPaths(posted), field, what)
        const put = yield* ask("PUT", path, { body: what })
        assertProblem(put, 400, "invalid-request", `PUT ${what}`)
        if (isNewId) assertProblem(yield* ask("PATCH", path, { body: what }), 400, "invalid-request", `PATCH ${what}`)
      }
      const patched = [null, 1, [], "x", { name: "" }, { name: null }, { price: -1 }, { price: null }, { color: "red" }]
      for (const body of patched) {
        assertProblem(yield* ask("PATCH", path, { body: JSON.stringify(body) }), 400, "invalid-request", String(body))
      }
      for (const [method, target] of [
        ["POST", "/api/products"],
        ["PUT", path],
        ["PATCH", path]
      ] as const) {
        const met = yield* ask(method, target, { body: withProto })
        assertProblem(met, 400, "invalid-request", `${method} __proto__`)
        assert.include(errorPaths(met), "__proto__")
      }
      assert.strictEqual(yield* count, before)
      assert.strictEqual((yield* ask("GET", path)).headers.get("etag"), `"1"`)
    })
  )

  it.effect("a value has one normal form, in which it is answered and read", () =>
    Effect.gen(function* () {
      const prices = { "5": "5.00", "5.1": "5.10", "007": "7.00", "-0": "0.00", "-0.00": "0.00", "0.0": "0.00" }
      for (const [price, normal] of Object.entries({ ...prices, "999999999999999.99": "999999999999999.99" })) {
        const { body, path } = yield* makeProduct({ price })
        assert.strictEqual(body.price, normal, price)
        assert.deepStrictEqual((yield* ask("GET", path)).body, body)
      }
      for (const name of ["\u0000", "😀", "é", "é", "‮", "'; DROP TABLE", " ", "null", "a".repeat(100_000)]) {
        const { body, path } = yield* makeProduct({ name })
        assert.strictEqual(body.name, name)
        assert.strictEqual((yield* ask("GET", path)).body.name, name)
      }
    })
  )

  it.effect("a missing or foreign content type or coding is 415, on a path that is one", () =>
    Effect.gen(function* () {
      const { path } = yield* makeProduct()
      const foreign = [
        undefined,
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json-patch+json",
        "application/jsonx",
        "application/json; charset=utf-16",
        "*/*",
        "json",
        ";"
      ]
      for (const [method, target] of [
        ["POST", "/api/products"],
        ["PUT", path],
        ["PATCH", path]
      ] as const) {
        for (const type of method === "PATCH" ? foreign : [...foreign, "application/merge-patch+json"]) {
          const headers: Record<string, string> = type === undefined ? {} : { "content-type": type }
          const met = yield* askAsIs({ method, path: target, headers, pieces: [text] })
          assertProblem(met, 415, "unsupported-media-type", `${method} ${type}`)
        }
        for (const coding of ["gzip", "br", "identity, gzip"]) {
          const headers = { "content-type": json, "content-encoding": coding }
          const met = yield* askAsIs({ method, path: target, headers, pieces: [text] })
          assertProblem(met, 415, "unsupported-media-type", `${method} ${coding}`)
        }
        const noBody = yield* askAsIs({ method, path: target })
        assertProblem(noBody, 415, "unsupported-media-type", `${method} without a body`)
        const nowhere = yield* askAsIs({ method, path: `${target}x`, pieces: [text] })
        assertProblem(nowhere, 404, "not-found", "an unknown path comes first")
      }
      for (const type of [json, "Application/JSON; charset=UTF-8", `${json};charset="utf-8"`]) {
        const headers = { "content-type": type }
        assert.strictEqual(
          (yield* askAsIs({ method: "POST", path: "/api/products", headers, pieces: [text] })).status,
          201
        )
      }
      const headers = { "content-type": "application/merge-patch+json" }
      assert.strictEqual((yield* askAsIs({ method: "PATCH", path, headers, pieces: ["{}"] })).status, 200)
    })
  )

  it.effect("a body above the limit is 413, declared or in chunks without an end, and the node goes on", () =>
    Effect.gen(function* () {
      const { path } = yield* makeProduct()
      const headers = { "content-type": json }
      const large = new Uint8Array(sizeMaxBytes + 1).fill(0x20)
      const targets = [
        ["POST", "/api/products"],
        ["PUT", path],
        ["PATCH", path]
      ] as const
      for (const [method, target] of targets) {
        const chunked = yield* askAsIs({ method, path: target, headers, pieces: [large] })
        assertProblem(chunked, 413, "too-large", `${method} in chunks`)
        const length = { ...headers, "content-length": String(large.length) }
        const declared = yield* askAsIs({ method, path: target, headers: length, pieces: [large] })
        assertProblem(declared, 413, "too-large", `${method} declared`)
      }
      const [head, tail] = [`{"name":"`, `","price":"1"}`]
      const filled = "x".repeat(sizeMaxBytes - head.length - tail.length)
      const largest = yield* askAsIs({
        method: "POST",
        path: "/api/products",
        headers,
        pieces: [head, filled, tail]
      })
      assert.strictEqual(largest.status, 201)
      assert.strictEqual((yield* ask("DELETE", `/api/products/${largest.body.id}`)).status, 204)
    })
  )

  it.effect("a body arrives in any pieces, also within a character; bytes that are not UTF-8 are 400", () =>
    Effect.gen(function* () {
      const headers = { "content-type": json }
      const bytes = new TextEncoder().encode(`{"name":"é😀","price":"1"}`)
      const pieces = Array.from(bytes, (byte) => Uint8Array.of(byte))
      const made = yield* askAsIs({ method: "POST", path: "/api/products", headers, pieces })
      assert.deepStrictEqual([made.status, made.body.name], [201, "é😀"])
      for (const bad of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf5, 0x80, 0x80, 0x80]]) {
        const broken = [`{"name":"`, Uint8Array.from(bad), `","price":"1"}`]
        const met = yield* askAsIs({ method: "POST", path: "/api/products", headers, pieces: broken })
        assertProblem(met, 400, "invalid-request", bad.join())
      }
    })
  )

  it.effect("a local field is checked against the model too, before anything is done", () =>
    Effect.gen(function* () {
      const email = `${crypto.randomUUID()}@example.org`
      for (const cacheData of [1, null, {}, []]) {
        const met = yield* ask("POST", "/api/users", { body: { email, cacheData } })
        assertProblem(met, 400, "invalid-request", JSON.stringify(cacheData))
        assert.deepStrictEqual(errorPaths(met), ["cacheData"])
      }
      assert.deepStrictEqual((yield* ask("GET", `/api/users?email=eq.${email}`)).body.items, [])
      const made = yield* ask("POST", "/api/users", { body: { email } })
      const path = `/api/users/${made.body.id}`
      for (const cacheData of [1, {}, []]) {
        assertProblem(yield* ask("PATCH", path, { body: { cacheData } }), 400, "invalid-request")
        assertProblem(yield* ask("PUT", path, { body: { email, cacheData } }), 400, "invalid-request")
      }
      assertProblem(yield* ask("PUT", path, { body: { email, cacheData: null } }), 400, "invalid-request")
      const shown = yield* ask("GET", path)
      assert.deepStrictEqual([shown.headers.get("etag"), shown.body], [`"1"`, made.body])
    })
  )
}
