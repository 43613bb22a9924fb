/** The history of a record and its past states, over HTTP. docs/http.md, "History". */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { ask, assertProblem, makeProduct, Served } from "./Served.ts"

export const historyContract = (it: Vitest.MethodsNonLive<Served>): void => {
  it.effect("every node tells the versions of a record, oldest first, also after its deletion", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const { body, id, path } = yield* makeProduct()
      const patched = (yield* ask("PATCH", path, { body: { price: "5" } })).body
      yield* ask("DELETE", path)
      const again = (yield* ask("PUT", path, { body: { name: "Hammer", price: "1" } })).body
      for (const node of nodes) {
        const told = yield* node.request("GET", `${path}/history`)
        assert.strictEqual(told.status, 200)
        assert.deepStrictEqual([told.body.next, told.body.complete], [null, true])
        assert.deepStrictEqual(
          told.body.items.map((item: Record<string, unknown>) => [item.version, item.event, item.data]),
          [
            [1, "created", body],
            [2, "updated", patched],
            [3, "deleted", patched],
            [4, "created", again]
          ]
        )
        for (const { at, index } of told.body.items) {
          assert.strictEqual(new Date(at).toISOString(), at)
          assert.isAbove(index, 0)
        }
        let next = `${path}/history?limit=1`
        for (const item of told.body.items) {
          const page = yield* node.request("GET", next)
          assert.deepStrictEqual(page.body.items, [item])
          next = `${path}/history?limit=1&cursor=${page.body.next}`
          const link = page.body.next === null ? null : `<${next.replace("?limit=1&", "?limit=1&")}>; rel="next"`
          assert.strictEqual(page.headers.get("link"), link)
        }
        for (const item of told.body.items) {
          for (const at of [item.version, encodeURIComponent(item.at)]) {
            const then = yield* node.request("GET", `${path}?at=${at}`)
            if (item.event === "deleted" && at === item.version) assertProblem(then, 404, "not-found")
            // Several changes of one millisecond: the last of them is the state at that time.
            else if (at === item.version) {
              assert.deepStrictEqual([then.status, then.body], [200, item.data])
              assert.strictEqual(then.headers.get("etag"), `"${item.version}"`)
            } else assert.include([200, 404], then.status)
          }
        }
        const later = yield* node.request("GET", `${path}?at=2999-01-01T00:00:00%2B02:00`)
        assert.deepStrictEqual([later.status, later.body], [200, again])
        assertProblem(yield* node.request("GET", `${path}?at=1999-01-01T00:00:00Z`), 404, "not-found")
        assertProblem(yield* node.request("GET", `${path}?at=5`), 404, "not-found")
        const known = yield* node.request("GET", `${path}?at=2`, { headers: { "if-none-match": `"2"` } })
        assert.strictEqual(known.status, 304)
      }
      assert.strictEqual(again.id, id)
    })
  )

  it.effect("an id that never was is 404, and what makes no sense is 400", () =>
    Effect.gen(function* () {
      const { path } = yield* makeProduct()
      const never = `/api/products/${crypto.randomUUID()}`
      assertProblem(yield* ask("GET", `${never}/history`), 404, "not-found")
      assertProblem(yield* ask("GET", `${never}?at=1`), 404, "not-found")
      assertProblem(yield* ask("GET", "/api/products/nonsense/history"), 404, "not-found")
      assertProblem(yield* ask("POST", `${path}/history`, { body: {} }), 405, "method-not-allowed")
      for (const at of [
        "",
        "0",
        "-1",
        "1.5",
        "x",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-02-30T00:00:00Z",
        "1&at=1"
      ]) {
        assertProblem(yield* ask("GET", `${path}?at=${at}`), 400, "invalid-request", at)
      }
      const other = yield* makeProduct()
      yield* ask("PATCH", other.path, { body: { price: "5" } })
      const { next } = (yield* ask("GET", `${other.path}/history?limit=1`)).body
      for (const query of [
        "limit=0",
        "limit=1001",
        "cursor=x",
        `cursor=${next}`,
        "at=1",
        "order=id",
        "limit=1&limit=1"
      ]) {
        assertProblem(yield* ask("GET", `${path}/history?${query}`), 400, "invalid-request", query)
      }
      const local = yield* ask("GET", `${path}/history?consistency=local`)
      assert.strictEqual(local.status, 200)
      assert.match(local.headers.get("lithair-stale-ms") ?? "", /^\d+$/)
    })
  )
}
