import { assert, describe, it } from "@effect/vitest"
import { exactly, knownPaths, splitTarget, unanswered } from "../../src/Http/Routing.ts"

const id = "01a20742-9647-77d8-8cad-2d2a5a71edc9"

describe("a route", () => {
  const paths: ReadonlyArray<readonly [string, boolean]> = [
    [`/api/products/${id}`, true],
    [`/api/products/${id.toUpperCase()}`, true],
    [`/API/products/${id}`, false],
    [`/api/products/${id}/`, false],
    [`/api/products//${id}`, false],
    [`/api/products/${id}x`, false],
    [`/api/products/x${id}`, false],
    [`/api/products/${id};x`, false],
    [`/api/products/${id.replaceAll("-", "%2d")}`, false],
    ["/api/products/", false],
    ["/api/products/:id", false]
  ]
  for (const [path, isIt] of paths) {
    it(`${isIt ? "answers" : "does not answer"} ${path}`, () =>
      assert.strictEqual(exactly("/api/products/:id").test(path), isIt))
  }

  it("takes no character of its own for a pattern", () =>
    assert.isFalse(exactly("/openapi.json").test("/openapi-json")))
})

describe("a request without a route", () => {
  const paths = knownPaths([
    { method: "POST", path: "/api/products" },
    { method: "GET", path: "/api/products" }
  ])

  it("is 405 with the verbs of its path, HEAD among them (RFC 9110 §15.5.6)", () => {
    const met = unanswered(paths, { method: "PUT", url: "/api/products?x=/nothing" })
    assert.deepStrictEqual([met.kind, met.headers.allow], ["method-not-allowed", "GET, HEAD, POST"])
  })

  it("is 400 where a path names what the router cannot read: its path and its verb are known", () => {
    const operations = knownPaths([{ method: "GET", path: "/api/_operations/:key" }])
    for (const url of ["/api/_operations/%zz", `/api/_operations/${"k".repeat(256)}`]) {
      assert.strictEqual(unanswered(operations, { method: "HEAD", url }).kind, "invalid-request")
      assert.strictEqual(unanswered(operations, { method: "PUT", url }).kind, "method-not-allowed")
    }
  })

  for (const url of ["/api/products/", "/", "", "*", "?", `/${"x".repeat(10_000)}`]) {
    it(`is 404 for ${url.slice(0, 20)}, of which no more is said than helps`, () => {
      const met = unanswered(paths, { method: "GET", url })
      assert.strictEqual(met.kind, "not-found")
      assert.isBelow(met.detail.length, 300)
    })
  }
})

describe("a request's target", () => {
  const targets: ReadonlyArray<readonly [string, string, string]> = [
    ["/a", "/a", ""],
    ["/a?", "/a", ""],
    ["/a?b=c?d", "/a", "b=c?d"],
    ["?b", "", "b"]
  ]
  for (const [url, path, query] of targets) {
    it(`${url} is split`, () => assert.deepStrictEqual(splitTarget(url), { path, query }))
  }
})
