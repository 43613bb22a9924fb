/** The paths and verbs of a node, and its answers about itself. docs/http.md, "Endpoints". */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { ask, askAsIs, assertPosition, assertProblem, makeProduct, Served } from "./Served.ts"

const absent = "00000000-0000-4000-8000-000000000000"

/** Beside a path that is one, each of these names nothing. */
const noPaths = [
  "/",
  "/api",
  "/api/",
  "/api/nothing",
  "/api/__proto__",
  "/api/constructor",
  "/api/products/",
  "/api/products/_bulk/",
  "/api/products/_bulkx",
  "/api/_tx/",
  "/api/_bulk",
  "/api/products/x/y",
  "/api//products",
  "//api/products",
  "/API/products",
  "/api/Products",
  "/api/product",
  "/api/productss",
  "/api/products;x=1",
  "/api/products%2F",
  "/api/%70roducts",
  "/api/products%",
  "/api/products/%zz",
  "/api/products/%ff",
  "/api/products/%00",
  "/api/products/..",
  "/api/products/%2e%2e",
  "/api/products/../products",
  "/api/products/not-a-uuid",
  `/api/products/${absent}/`,
  `/api/products/${absent}x`,
  `/api/products/{${absent}}`,
  `/api/products/urn:uuid:${absent}`,
  `/api/products/${absent.replaceAll("-", "")}`,
  `/api/products/${"a".repeat(5000)}`,
  "/livez/",
  "/docs/",
  "/docs/index.html",
  "/openapi",
  "/_admin",
  "/_admin/api/cluster/",
  "/.env",
  "/..%2f..%2fetc%2fpasswd"
]

const verbs = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
const allowed: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  ["/api/products", ["GET", "HEAD", "POST"]],
  ["/api/product-views", ["GET", "HEAD", "POST"]],
  ["/api/products/_bulk", ["POST"]],
  ["/api/_tx", ["POST"]],
  [`/api/products/${absent}`, ["DELETE", "GET", "HEAD", "PATCH", "PUT"]],
  ["/livez", ["GET", "HEAD"]],
  ["/readyz", ["GET", "HEAD"]],
  ["/metrics", ["GET", "HEAD"]],
  ["/openapi.json", ["GET", "HEAD"]],
  ["/docs", ["GET", "HEAD"]],
  ["/_admin/api/cluster", ["GET", "HEAD"]]
]

export const pathsContract = (it: Vitest.MethodsNonLive<Served>): void => {
  it.effect("a path that is none, or nearly one, is 404 with every verb", () =>
    Effect.gen(function* () {
      for (const path of noPaths) {
        assertProblem(yield* askAsIs({ path }), 404, "not-found", path)
        for (const method of ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
          assertProblem(yield* askAsIs({ method, path }), 404, "not-found", `${method} ${path}`)
        }
      }
    })
  )

  it.effect("a verb that a path does not know is 405 with Allow (RFC 9110 §15.5.6)", () =>
    Effect.gen(function* () {
      for (const [path, known] of allowed) {
        for (const method of verbs.filter((each) => !known.includes(each))) {
          const met = yield* askAsIs({ method, path })
          // The answer to a HEAD has no body (RFC 9110 §9.3.2).
          if (method === "HEAD") assert.strictEqual(met.status, 405, path)
          else assertProblem(met, 405, "method-not-allowed", `${method} ${path}`)
          assert.strictEqual(met.headers.get("allow"), known.join(", "))
        }
      }
    })
  )

  it.effect("HEAD answers like GET, without the body (RFC 9110 §9.3.2)", () =>
    Effect.gen(function* () {
      const { path } = yield* makeProduct()
      for (const each of [path, "/api/products?limit=1", "/livez", "/openapi.json", "/_admin/api/cluster"]) {
        const got = yield* askAsIs({ path: each })
        const head = yield* askAsIs({ method: "HEAD", path: each })
        assert.deepStrictEqual([head.status, head.body], [got.status, undefined], each)
        // How long ago a peer was heard of differs between two answers, and so may its digits.
        const isSteady = !each.startsWith("/_admin")
        for (const name of ["content-type", ...(isSteady ? ["content-length"] : []), "etag", "lithair-node"]) {
          assert.strictEqual(head.headers.get(name), got.headers.get(name), `${name} of ${each}`)
        }
      }
      const missing = yield* askAsIs({ method: "HEAD", path: `/api/products/${absent}` })
      assert.deepStrictEqual([missing.status, missing.body], [404, undefined])
    })
  )

  it.effect("an absolute target stands for its path, and a node ignores an upgrade that it does not offer", () =>
    Effect.gen(function* () {
      const { path } = yield* makeProduct()
      assert.strictEqual((yield* askAsIs({ path: `http://localhost${path}` })).status, 200)
      const upgrade = { connection: "upgrade", upgrade: "h2c" }
      assert.strictEqual((yield* askAsIs({ path, headers: upgrade })).status, 200)
    })
  )

  it.effect("every answer says who gave it, at which term and index, and who leads", () =>
    Effect.gen(function* () {
      const { node, nodes } = yield* Served
      const { headers, path } = yield* makeProduct()
      for (const each of [
        path,
        "/api/products",
        "/livez",
        "/readyz",
        "/docs",
        "/openapi.json",
        "/_admin/api/cluster"
      ]) {
        const answer = yield* askAsIs({ path: each })
        assertPosition(answer, each)
        assert.strictEqual(answer.headers.get("lithair-node"), node.id)
        assert.include(
          nodes.map(({ id }) => id),
          answer.headers.get("lithair-leader")
        )
      }
      const read = yield* ask("GET", path)
      assert.isAtLeast(Number(read.headers.get("lithair-index")), Number(headers.get("lithair-index")))
    })
  )

  it.effect("says that it lives and is ready, and verbosely why", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* ask("GET", "/livez")).body, { status: "ok" })
      assert.deepStrictEqual((yield* ask("GET", "/readyz")).body, { status: "ok" })
      const { body, status } = yield* ask("GET", "/readyz?verbose")
      assert.strictEqual(status, 200)
      assert.strictEqual(body.status, "ok")
      assert.deepStrictEqual(
        body.checks.map(({ name, ok }: { name: string; ok: boolean }) => [name, ok]),
        [
          ["formed", true],
          ["member", true],
          ["log", true],
          ["started", true],
          ["serving", true],
          ["leader", true],
          ["caught-up", true],
          ["state", true]
        ]
      )
    })
  )

  it.effect("tells the state of the cluster as this node sees it", () =>
    Effect.gen(function* () {
      const { node, nodes } = yield* Served
      const { headers } = yield* makeProduct()
      yield* ask("GET", "/api/products?limit=1")
      const { body, status } = yield* ask("GET", "/_admin/api/cluster")
      assert.strictEqual(status, 200)
      assert.strictEqual(body.nodeId, node.id)
      assert.match(body.clusterId, /^[0-9a-f-]{36}$/)
      assert.match(body.stateHash, /^[0-9a-f]{32}$/)
      assert.isAtLeast(body.appliedIndex, Number(headers.get("lithair-index")))
      assert.isAtLeast(body.commitIndex, body.appliedIndex)
      assert.sameMembers(
        body.nodes.map(({ id }: { id: string }) => id),
        nodes.map(({ id }) => id)
      )
      const leading = body.nodes.filter(({ role }: { role: string }) => role === "leader")
      assert.deepStrictEqual(
        leading.map(({ id }: { id: string }) => id),
        [body.leader]
      )
      assert.strictEqual(body.role, body.leader === node.id ? "leader" : "follower")
    })
  )

  it.effect("the document names exactly the paths and verbs that are served", () =>
    Effect.gen(function* () {
      const { body } = yield* ask("GET", "/openapi.json")
      assert.match(body.openapi, /^3\.1\./)
      for (const [path, operations] of Object.entries<object>(body.paths)) {
        const known = Object.keys(operations).map((each) => each.toUpperCase())
        const served = [...known, ...(known.includes("GET") ? ["HEAD"] : [])].toSorted()
        const met = yield* askAsIs({ method: "TRACE", path: path.replace("{id}", absent) })
        assert.strictEqual(met.headers.get("allow"), served.join(", "), path)
      }
      for (const [path] of allowed) {
        const named = path.replace(absent, "{id}")
        if (!["/docs", "/openapi.json"].includes(path)) assert.isDefined(body.paths[named], named)
      }
    })
  )
}
