/** How new a read is: linearizable on any node, or as the reader asks. docs/http.md, "Reads". */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { ask, assertProblem, makeProduct, Served } from "./Served.ts"

export const readsContract = (it: Vitest.MethodsNonLive<Served>): void => {
  it.effect("every node shows an acknowledged write at once: the record, the list, the deletion", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      for (let round = 0; round < 10; round++) {
        for (const writer of nodes) {
          const name = crypto.randomUUID()
          const made = yield* writer.request("POST", "/api/products", { body: { name, price: "1" } })
          assert.strictEqual(made.status, 201)
          const path = `/api/products/${made.body.id}`
          for (const reader of nodes) {
            assert.deepStrictEqual((yield* reader.request("GET", path)).body, made.body)
            assert.deepStrictEqual((yield* reader.request("GET", `/api/products?name=eq.${name}`)).body.items, [
              made.body
            ])
          }
          assert.strictEqual((yield* writer.request("DELETE", path)).status, 204)
          for (const reader of nodes) assertProblem(yield* reader.request("GET", path), 404, "not-found")
        }
      }
    })
  )

  it.effect("a session reads its own writes on any node by the index that it was told", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      for (let round = 0; round < 10; round++) {
        for (const writer of nodes) {
          const made = yield* writer.request("POST", "/api/products", { body: { name: "Own", price: "1" } })
          const headers = { "lithair-min-index": made.headers.get("lithair-index") ?? "" }
          for (const reader of nodes) {
            const path = `/api/products/${made.body.id}?consistency=session`
            const read = yield* reader.request("GET", path, { headers })
            assert.deepStrictEqual([read.status, read.body], [200, made.body])
            assert.isAtLeast(Number(read.headers.get("lithair-index")), Number(headers["lithair-min-index"]))
          }
        }
      }
    })
  )

  it.effect("a local read answers at once, and says how old it may be", () =>
    Effect.gen(function* () {
      const { body, path } = yield* makeProduct()
      const linearizable = yield* ask("GET", path, { headers: { "lithair-min-index": "999999999" } })
      assert.strictEqual(linearizable.status, 200, "only a session waits for an index")
      assert.isNull(linearizable.headers.get("lithair-stale-ms"))
      const local = yield* ask("GET", `${path}?consistency=local`)
      assert.deepStrictEqual([local.status, local.body], [200, body])
      assert.match(local.headers.get("lithair-stale-ms") ?? "", /^\d+$/)
      const fresh = yield* ask("GET", `/api/products?limit=1&consistency=local&max-stale=0`)
      assert.deepStrictEqual([fresh.status, fresh.headers.get("lithair-stale-ms")], [200, "0"])
      const recent = yield* ask("GET", `${path}?consistency=local&max-stale=60000`)
      assert.isAtMost(Number(recent.headers.get("lithair-stale-ms")), 60_000)
    })
  )

  it.effect("an unknown consistency is 400", () =>
    Effect.gen(function* () {
      const { path } = yield* makeProduct()
      for (const query of ["consistency=none", "consistency=", "max-stale=5", "consistency=local&max-stale=1.5"]) {
        assertProblem(yield* ask("GET", `${path}?${query}`), 400, "invalid-request", query)
      }
      for (const index of ["x", "-1", "1.5", "", "1, 2", "99999999999999999999"]) {
        const headers = { "lithair-min-index": index }
        assertProblem(yield* ask("GET", `${path}?consistency=session`, { headers }), 400, "invalid-request", index)
      }
    })
  )

  it.effect("a node's own data is shown by that node alone; a local field only beside its record", () =>
    Effect.gen(function* () {
      const { node, nodes } = yield* Served
      const others = nodes.filter((each) => each !== node)
      const view = yield* ask("POST", "/api/product-views", {
        body: { productId: crypto.randomUUID(), renderedHtml: "" }
      })
      const viewPath = `/api/product-views/${view.body.id}`
      assert.deepStrictEqual((yield* ask("GET", viewPath)).body, view.body)
      const email = `${crypto.randomUUID()}@example.org`
      const user = yield* ask("POST", "/api/users", { body: { email, cacheData: "mine" } })
      const userPath = `/api/users/${user.body.id}`
      assert.match(user.headers.get("etag") ?? "", /^"1\..+\.1"$/)
      for (const other of others) {
        assertProblem(yield* other.request("GET", viewPath), 404, "not-found")
        const seen = yield* other.request("GET", userPath)
        assert.deepStrictEqual([seen.body, seen.headers.get("etag")], [{ id: user.body.id, email }, `"1"`])
        // A change of local fields on a node that may not have applied the record yet.
        const own = yield* other.request("PATCH", userPath, {
          body: { cacheData: other.id },
          headers: { "if-match": `"1"` }
        })
        assert.deepStrictEqual([own.status, own.body.cacheData], [200, other.id])
      }
      const mine = yield* ask("GET", userPath)
      assert.strictEqual(mine.body.cacheData, "mine")
      const stale = { "if-match": mine.headers.get("etag") ?? "" }
      assert.strictEqual((yield* ask("PATCH", userPath, { body: { cacheData: "new" }, headers: stale })).status, 200)
      assertProblem(
        yield* ask("PATCH", userPath, { body: { cacheData: "lost" }, headers: stale }),
        412,
        "version-conflict"
      )
      assert.strictEqual((yield* ask("PUT", userPath, { body: { email } })).body.cacheData, undefined)
      for (const other of others) {
        assert.strictEqual((yield* other.request("GET", userPath)).body.cacheData, other.id)
      }
    })
  )
}
