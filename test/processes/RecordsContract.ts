/** The life of one record: created, read, replaced, patched, deleted, and on which conditions. docs/http.md, "Endpoints". */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { ask, askAsIs, assertProblem, makeProduct, Served } from "./Served.ts"

const product = { name: "Anvil", price: "19.90" }
const newPath = () => `/api/products/${crypto.randomUUID()}`

export const recordsContract = (it: Vitest.MethodsNonLive<Served>): void => {
  it.effect("a record lives from POST to DELETE, its version growing by one with every change", () =>
    Effect.gen(function* () {
      const made = yield* ask("POST", "/api/products", { body: product })
      const { id } = made.body
      const path = `/api/products/${id}`
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
      assert.deepStrictEqual(
        [made.status, made.headers.get("location"), made.headers.get("etag"), made.body],
        [201, path, `"1"`, { id, ...product }]
      )
      const read = yield* ask("GET", path)
      assert.deepStrictEqual([read.status, read.headers.get("etag"), read.body], [200, `"1"`, made.body])
      const put = yield* ask("PUT", path, { body: { ...product, price: "5", category: "tools" } })
      const whole = { id, name: "Anvil", price: "5.00", category: "tools" }
      assert.deepStrictEqual([put.status, put.headers.get("etag"), put.body], [200, `"2"`, whole])
      assert.isNull(put.headers.get("location"))
      const patched = yield* ask("PATCH", path, { body: { category: null, price: "6" } })
      const after = { id, name: "Anvil", price: "6.00" }
      assert.deepStrictEqual([patched.status, patched.headers.get("etag"), patched.body], [200, `"3"`, after])
      for (const same of [{}, { price: "6.0" }, { id }, after]) {
        const unchanged = yield* ask("PATCH", path, { body: same })
        assert.deepStrictEqual([unchanged.status, unchanged.headers.get("etag"), unchanged.body], [200, `"3"`, after])
      }
      const gone = yield* ask("DELETE", path)
      assert.deepStrictEqual([gone.status, gone.body, gone.headers.get("content-type")], [204, undefined, null])
      assertProblem(yield* ask("DELETE", path), 404, "not-found")
      assertProblem(yield* ask("GET", path), 404, "not-found")
      assertProblem(yield* ask("PATCH", path, { body: {} }), 404, "not-found")
      const again = yield* ask("PUT", path, { body: product })
      assert.deepStrictEqual([again.status, again.headers.get("etag")], [201, `"5"`])
    })
  )

  it.effect("PUT creates a missing record, and takes only the id of the path", () =>
    Effect.gen(function* () {
      const path = newPath()
      const id = path.split("/").at(-1)!
      const other = { ...product, id: crypto.randomUUID() }
      assertProblem(yield* ask("PUT", path, { body: other }), 400, "invalid-request")
      const made = yield* ask("PUT", path, { body: { ...product, id } })
      assert.deepStrictEqual([made.status, made.headers.get("location")], [201, path])
      assertProblem(yield* ask("PUT", path, { body: other }), 400, "invalid-request")
      assertProblem(yield* ask("PATCH", path, { body: { id: other.id } }), 400, "invalid-request")
      assertProblem(yield* ask("GET", `/api/products/${other.id}`), 404, "not-found")
    })
  )

  it.effect("an id is taken as it is given, exactly, and once", () =>
    Effect.gen(function* () {
      const id = crypto.randomUUID()
      assert.strictEqual((yield* ask("POST", "/api/products", { body: { ...product, id } })).body.id, id)
      assertProblem(yield* ask("POST", "/api/products", { body: { ...product, id } }), 409, "already-exists")
      const upper = crypto.randomUUID().toUpperCase()
      const made = yield* ask("POST", "/api/products", { body: { ...product, id: upper } })
      assert.deepStrictEqual([made.status, made.headers.get("location")], [201, `/api/products/${upper}`])
      assert.strictEqual((yield* ask("GET", `/api/products/${upper}`)).body.id, upper)
      assertProblem(yield* ask("GET", `/api/products/${upper.toLowerCase()}`), 404, "not-found")
    })
  )

  it.effect("If-Match lets a change through only at a version that it names (RFC 9110 §13.1.1)", () =>
    Effect.gen(function* () {
      const refused = [`"2"`, `W/"1"`, `"0"`, `"1x"`, `"-1"`, `"01"`, `"1.0"`, `"", "2"`, `W/"1", "3"`]
      for (const tag of refused) {
        const { path } = yield* makeProduct()
        const headers = { "if-match": tag }
        for (const [method, body] of [
          ["PUT", product],
          ["PATCH", {}],
          ["DELETE", undefined]
        ] as const) {
          const met = yield* ask(method, path, { headers, body })
          assertProblem(met, 412, "version-conflict", `${method} ${tag}`)
          assert.strictEqual(met.body.currentVersion, 1)
        }
        assert.strictEqual((yield* ask("GET", path)).headers.get("etag"), `"1"`)
      }
      for (const tag of [`"1"`, "*", `"7", "1"`, `,, "1" ,`, `W/"1","1"`, `"1.some-node.4"`]) {
        const { path } = yield* makeProduct()
        assert.strictEqual(
          (yield* ask("PATCH", path, { headers: { "if-match": tag }, body: { price: "2" } })).status,
          200
        )
        assertProblem(yield* ask("DELETE", path, { headers: { "if-match": `"1"` } }), 412, "version-conflict")
        assert.strictEqual((yield* ask("DELETE", path, { headers: { "if-match": `"2"` } })).status, 204)
      }
    })
  )

  it.effect("a condition on a missing record is 412, and so is creating an existing one", () =>
    Effect.gen(function* () {
      const path = newPath()
      for (const tag of ["*", `"1"`]) {
        const headers = { "if-match": tag }
        for (const [method, body] of [
          ["PUT", product],
          ["PATCH", {}],
          ["DELETE", undefined],
          ["GET", undefined]
        ] as const) {
          const met = yield* ask(method, path, { headers, body })
          assertProblem(met, 412, "version-conflict", `${method} ${tag}`)
          assert.isNull(met.body.currentVersion)
        }
      }
      const create = { headers: { "if-none-match": "*" }, body: product }
      assert.strictEqual((yield* ask("PUT", path, create)).status, 201)
      const met = yield* ask("PUT", path, create)
      assertProblem(met, 412, "version-conflict")
      assert.strictEqual(met.body.currentVersion, 1)
    })
  )

  it.effect("a condition that is malformed, or that the method does not take, is 400 and never ignored", () =>
    Effect.gen(function* () {
      const { path } = yield* makeProduct()
      for (const value of ["1", `"1`, `1"`, `"1" "2"`, "**", ",", `w/"1"`, `"1";`]) {
        for (const name of ["if-match", "if-none-match"]) {
          for (const [method, body] of [
            ["PUT", product],
            ["PATCH", {}],
            ["DELETE", undefined],
            ["GET", undefined]
          ] as const) {
            const met = yield* ask(method, path, { headers: { [name]: value }, body })
            assertProblem(met, 400, "invalid-request", `${method} ${name}: ${value}`)
          }
        }
      }
      const notTaken = [
        { method: "POST", path: "/api/products", body: product, headers: { "if-match": "*" } },
        { method: "POST", path: "/api/products", body: product, headers: { "if-none-match": "*" } },
        { method: "PUT", path, body: product, headers: { "if-none-match": `"1"` } },
        { method: "PATCH", path, body: {}, headers: { "if-none-match": "*" } },
        { method: "DELETE", path, body: undefined, headers: { "if-none-match": "*" } }
      ]
      for (const { body, headers, method, path } of notTaken) {
        assertProblem(yield* ask(method, path, { headers, body }), 400, "invalid-request", method)
      }
      assert.strictEqual((yield* ask("GET", path)).headers.get("etag"), `"1"`)
    })
  )

  it.effect("a read that names the version it has is 304, and one that names another as its own is 412", () =>
    Effect.gen(function* () {
      const { path } = yield* makeProduct()
      for (const tag of [`"1"`, `W/"1"`, "*", `"7", "1"`]) {
        const met = yield* ask("GET", path, { headers: { "if-none-match": tag } })
        assert.deepStrictEqual([met.status, met.body, met.headers.get("etag")], [304, undefined, `"1"`], tag)
        assert.match(met.headers.get("lithair-index") ?? "", /^\d+$/)
      }
      for (const headers of [{ "if-none-match": `"2"` }, { "if-match": `"1"` }, { "if-match": "*" }]) {
        assert.strictEqual((yield* ask("GET", path, { headers })).status, 200)
      }
      assertProblem(yield* ask("GET", path, { headers: { "if-match": `"2"` } }), 412, "version-conflict")
      assertProblem(yield* ask("GET", newPath(), { headers: { "if-none-match": "*" } }), 404, "not-found")
    })
  )

  it.effect("a write and the read of a record take no parameter that they do not know", () =>
    Effect.gen(function* () {
      const { path } = yield* makeProduct()
      for (const query of ["?x=1", "?at=1", "?limit=1", "?x", "?__proto__=1"]) {
        // A read takes `at`: HistoryContract.ts.
        if (query !== "?at=1") assertProblem(yield* ask("GET", path + query), 400, "invalid-request", query)
        assertProblem(yield* ask("PATCH", path + query, { body: {} }), 400, "invalid-request", query)
        assertProblem(yield* ask("DELETE", path + query), 400, "invalid-request", query)
        assertProblem(yield* ask("POST", `/api/products${query}`, { body: product }), 400, "invalid-request", query)
      }
      for (const query of ["?%ff", "?a=%zz", "?a=%", "?a=%ed%a0%80"]) {
        assertProblem(yield* askAsIs({ path: path + query }), 400, "invalid-request", query)
        assertProblem(yield* askAsIs({ path: `/api/products${query}` }), 400, "invalid-request", query)
      }
      for (const query of ["?", "?&", "?&&"]) assert.strictEqual((yield* ask("GET", path + query)).status, 200, query)
    })
  )

  it.effect("a unique value belongs to one record, and is free again when that is gone", () =>
    Effect.gen(function* () {
      const email = `${crypto.randomUUID()}@example.org`
      const made = yield* ask("POST", "/api/users", { body: { email } })
      const path = `/api/users/${made.body.id}`
      for (const met of [
        yield* ask("POST", "/api/users", { body: { email } }),
        yield* ask("PUT", `/api/users/${crypto.randomUUID()}`, { body: { email } })
      ]) {
        assertProblem(met, 409, "unique-violation")
        assert.deepStrictEqual(met.body.errors, [{ path: "email", message: "is taken" }])
      }
      assert.strictEqual((yield* ask("PUT", path, { body: { email } })).status, 200)
      assert.strictEqual((yield* ask("DELETE", path)).status, 204)
      assert.strictEqual((yield* ask("POST", "/api/users", { body: { email } })).status, 201)
    })
  )

  it.effect("exactly one of several creates of one unique value, on all nodes at once, is done", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      for (let round = 0; round < 5; round++) {
        const email = `${crypto.randomUUID()}@example.org`
        const askers = Array.from({ length: 12 }, (_, at) => nodes[at % nodes.length]!)
        const answers = yield* Effect.forEach(
          askers,
          (node) => node.request("POST", "/api/users", { body: { email } }),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(answers.filter(({ status }) => status === 201).length, 1)
        for (const each of answers.filter(({ status }) => status !== 201)) assertProblem(each, 409, "unique-violation")
        const listed = yield* ask("GET", `/api/users?email=eq.${encodeURIComponent(email)}`)
        assert.strictEqual(listed.body.items.length, 1)
      }
    })
  )

  it.effect("exactly one of several changes of one version, on all nodes at once, is done", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const { path } = yield* makeProduct()
      for (let version = 1; version <= 5; version++) {
        const headers = { "if-match": `"${version}"` }
        const answers = yield* Effect.forEach(
          Array.from({ length: 12 }, (_, at) => ({ node: nodes[at % nodes.length]!, at })),
          ({ at, node }) => node.request("PATCH", path, { headers, body: { name: `v${version}-${at}` } }),
          { concurrency: "unbounded" }
        )
        const done = answers.filter(({ status }) => status === 200)
        assert.strictEqual(done.length, 1)
        for (const each of answers.filter(({ status }) => status !== 200)) assertProblem(each, 412, "version-conflict")
        assert.deepStrictEqual((yield* ask("GET", path)).body, done[0]!.body)
      }
    })
  )
}
