/** Several changes as one: `POST /api/_tx` and `POST /api/{m}/_bulk`. docs/http.md, "Endpoints". */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import type { Answer } from "./Processes.ts"
import { ask, assertPosition, assertProblem, makeProduct, Served } from "./Served.ts"

const uuid = () => crypto.randomUUID()
const keyed = (key: string) => ({ "idempotency-key": key })
const isReplay = ({ headers }: Answer) => headers.get("idempotent-replayed") === "true"
const product = (data: object = {}) => ({ name: "Anvil", price: "19.90", ...data })
const transact = (ops: unknown, headers: Record<string, string> = {}) =>
  ask("POST", "/api/_tx", { body: { ops }, headers })
const bulk = (records: unknown, headers: Record<string, string> = {}) =>
  ask("POST", "/api/products/_bulk", { body: records, headers })
const countNamed = (name: string) =>
  Effect.map(ask("GET", `/api/products?name=eq.${name}&count=exact`), ({ body }) => body.total)

export const transactionsContract = (it: Vitest.MethodsNonLive<Served>): void => {
  it.effect("_tx: operations of several models happen as one entry, each seeing those before it", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const old = yield* makeProduct()
      const gone = yield* makeProduct()
      const [userId, productId] = [uuid(), uuid()]
      const email = `${uuid()}@example.org`
      const done = yield* transact([
        { op: "create", model: "User", id: userId, data: { email } },
        { op: "put", model: "Product", id: productId, data: product({ price: "1" }) },
        { op: "patch", model: "Product", id: productId, ifVersion: 1, data: { price: "2" } },
        { op: "patch", model: "Product", id: old.id, ifVersion: 1, data: { category: "old" } },
        { op: "patch", model: "Product", id: old.id, data: {} },
        { op: "delete", model: "Product", id: gone.id, ifVersion: 1 },
        { op: "create", model: "Product", data: product() }
      ])
      assert.strictEqual(done.status, 200, JSON.stringify(done.body))
      assertPosition(done)
      const { index, results } = done.body
      assert.deepStrictEqual(Object.keys(done.body), ["index", "results"])
      assert.strictEqual(index, Number(done.headers.get("lithair-index")))
      const made = results[6].id
      assert.match(made, /^[0-9a-f]{8}-[0-9a-f]{4}-7/)
      const changed = { id: old.id, ...product({ category: "old" }) }
      assert.deepStrictEqual(results, [
        { model: "User", id: userId, version: 1, record: { id: userId, email } },
        { model: "Product", id: productId, version: 1, record: { id: productId, ...product({ price: "1.00" }) } },
        { model: "Product", id: productId, version: 2, record: { id: productId, ...product({ price: "2.00" }) } },
        { model: "Product", id: old.id, version: 2, record: changed },
        { model: "Product", id: old.id, version: 2, record: changed },
        { model: "Product", id: gone.id, version: 2 },
        { model: "Product", id: made, version: 1, record: { id: made, ...product() } }
      ])
      for (const node of nodes) {
        const path = `/api/products/${productId}`
        assert.deepStrictEqual((yield* node.request("GET", path)).body, results[2].record)
        assert.strictEqual((yield* node.request("GET", gone.path)).status, 404)
        assert.deepStrictEqual((yield* node.request("GET", `/api/users/${userId}`)).body, { id: userId, email })
      }
    })
  )

  it.effect("_tx: one refused operation undoes all, and the problem names it", () =>
    Effect.gen(function* () {
      const { id, path } = yield* makeProduct()
      const email = `${uuid()}@example.org`
      yield* ask("POST", "/api/users", { body: { email } })
      const name = uuid()
      const create = { op: "create", model: "Product", data: product({ name }) }
      const refusals = [
        [{ op: "delete", model: "Product", id: uuid() }, 404, "not-found"],
        [{ op: "patch", model: "Product", id, ifVersion: 7, data: {} }, 412, "version-conflict"],
        [{ op: "put", model: "Product", id: uuid(), ifVersion: 1, data: product() }, 412, "version-conflict"],
        [{ op: "create", model: "Product", id, data: product() }, 409, "already-exists"],
        [{ op: "create", model: "User", data: { email } }, 409, "unique-violation"],
        [{ op: "patch", model: "Product", id, data: { price: "-1" } }, 400, "invalid-request"],
        [{ op: "create", model: "User", data: { email: `${uuid()}@x.org`, cacheData: 7 } }, 400, "invalid-request"]
      ] as const
      for (const [operation, status, name] of refusals) {
        const met = yield* transact([create, operation])
        assertProblem(met, status, name, JSON.stringify(operation))
        assert.strictEqual(met.body.opIndex, 1)
      }
      const conflict = yield* transact([{ op: "delete", model: "Product", id, ifVersion: 3 }])
      assert.deepStrictEqual([conflict.body.currentVersion, conflict.body.opIndex], [1, 0])
      const wrong = yield* transact([create, { op: "patch", model: "Product", id, data: { price: "x" } }])
      // Two checks of an amount refuse this text, at one place.
      const places = new Set(wrong.body.errors.map((error: { path: string }) => error.path))
      assert.deepStrictEqual([...places], ["price"])
      assert.strictEqual(yield* countNamed(name), 0)
      assert.strictEqual((yield* ask("GET", path)).headers.get("etag"), `"1"`)
    })
  )

  it.effect("_tx: a malformed transaction is 400, 404 or 413, names the operation, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const id = uuid()
      const name = uuid()
      const create = { op: "create", model: "Product", data: product({ name }) }
      const bodies: ReadonlyArray<readonly [unknown, number | undefined]> = [
        [[], undefined],
        [{}, undefined],
        [{ ops: [] }, undefined],
        [{ ops: {} }, undefined],
        [{ ops: [create], more: 1 }, undefined],
        ["ops", undefined],
        [{ ops: [create, null] }, 1],
        [{ ops: [create, { ...create, op: "upsert" }] }, 1],
        [{ ops: [create, { ...create, extra: 1 }] }, 1],
        [{ ops: [create, { ...create, ifVersion: 1 }] }, 1],
        [{ ops: [create, { ...create, id: "no-uuid" }] }, 1],
        [{ ops: [create, { ...create, data: { ...product(), id: "no-uuid" } }] }, 1],
        [{ ops: [create, { ...create, id, data: { ...product(), id: uuid() } }] }, 1],
        [{ ops: [create, { ...create, data: [] }] }, 1],
        [{ ops: [create, { op: "create", model: "Product" }] }, 1],
        [{ ops: [create, { op: "put", model: "Product", data: product() }] }, 1],
        [{ ops: [create, { op: "delete", model: "Product", id, data: {} }] }, 1],
        [{ ops: [create, { op: "delete", model: "Product", id, ifVersion: 0 }] }, 1],
        [{ ops: [create, { op: "delete", model: "Product", id, ifVersion: "1" }] }, 1],
        [{ ops: [create, { ...create, data: JSON.parse('{"__proto__":{"name":"x"}}') }] }, 1],
        // A node-local model is of another log.
        [{ ops: [create, { op: "create", model: "ProductView", data: { productId: id, renderedHtml: "" } }] }, 1]
      ]
      for (const [body, opIndex] of bodies) {
        const met = yield* ask("POST", "/api/_tx", { body: JSON.stringify(body) })
        assertProblem(met, 400, "invalid-request", JSON.stringify(body))
        assert.strictEqual(met.body.opIndex, opIndex, JSON.stringify(met.body))
      }
      for (const model of ["Nothing", "products", "__proto__", ""]) {
        const met = yield* transact([create, { op: "delete", model, id }])
        assertProblem(met, 404, "not-found", model)
        assert.strictEqual(met.body.opIndex, 1)
      }
      const ops = Array.from({ length: 1001 }, () => create)
      assertProblem(yield* transact(ops), 413, "too-large")
      assertProblem(yield* transact([create], { "if-match": "*" }), 400, "invalid-request")
      assertProblem(yield* transact([create], { "content-type": "text/plain" }), 415, "unsupported-media-type")
      assertProblem(yield* ask("POST", "/api/_tx?x=1", { body: { ops: [create] } }), 400, "invalid-request")
      assert.strictEqual(yield* countNamed(name), 0)
    })
  )

  it.effect(
    "_tx: a thousand operations are one entry; a copy with the same key is answered as the first, by any node",
    () =>
      Effect.gen(function* () {
        const { nodes } = yield* Served
        const name = uuid()
        const ops = Array.from({ length: 1000 }, () => ({ op: "create", model: "Product", data: product({ name }) }))
        const options = { body: { ops }, headers: keyed(uuid()) }
        const first = yield* ask("POST", "/api/_tx", options)
        assert.deepStrictEqual([first.status, isReplay(first)], [200, false])
        for (const node of nodes) {
          const copy = yield* node.request("POST", "/api/_tx", options)
          assert.deepStrictEqual([copy.status, isReplay(copy), copy.body], [200, true, first.body])
        }
        assert.strictEqual(yield* countNamed(name), 1000)
        const ids = new Set(first.body.results.map(({ id }: { id: string }) => id))
        assert.strictEqual(ids.size, 1000)
        const other = { ...options, body: { ops: ops.slice(1) } }
        assertProblem(yield* ask("POST", "/api/_tx", other), 422, "key-reused")
        const refused = [{ op: "delete", model: "Product", id: uuid() }]
        const key = keyed(uuid())
        const told = yield* transact(refused, key)
        const again = yield* transact(refused, key)
        assert.deepStrictEqual([again.status, again.body, isReplay(again)], [404, told.body, true])
      })
  )

  it.effect("_tx: the local fields of a mixed record stay on the node that was asked (D4)", () =>
    Effect.gen(function* () {
      const { node, nodes } = yield* Served
      const [one, two] = [uuid(), uuid()]
      const [emailOne, emailTwo] = [`${one}@example.org`, `${two}@example.org`]
      const users = { one: { id: one, email: emailOne }, two: { id: two, email: emailTwo } }
      const done = yield* transact([
        { op: "create", model: "User", id: one, data: { email: emailOne, cacheData: "a" } },
        { op: "create", model: "User", id: two, data: { email: emailTwo, cacheData: "b" } },
        { op: "patch", model: "User", id: two, data: { cacheData: "c" } }
      ])
      const shown = done.body.results.map(({ record }: { record: unknown }) => record)
      assert.deepStrictEqual(shown[0], { ...users.one, cacheData: "a" })
      assert.deepStrictEqual(shown[2], { ...users.two, cacheData: "c" })
      for (const each of nodes) {
        const held = each === node ? { cacheData: "c" } : {}
        assert.deepStrictEqual((yield* each.request("GET", `/api/users/${two}`)).body, { ...users.two, ...held })
      }
      // Deleted and created again in one entry, it is another record, which shows nothing of the first.
      yield* transact([
        { op: "patch", model: "User", id: two, data: { cacheData: "d" } },
        { op: "delete", model: "User", id: two },
        { op: "create", model: "User", id: two, data: { email: emailTwo } }
      ])
      assert.deepStrictEqual((yield* ask("GET", `/api/users/${two}`)).body, users.two)
    })
  )

  it.effect("_tx: node-local models have transactions of their own", () =>
    Effect.gen(function* () {
      const view = { productId: uuid(), renderedHtml: "<p>" }
      const id = uuid()
      const create = { op: "create", model: "ProductView", id, data: view }
      const done = yield* transact([create, { op: "patch", model: "ProductView", id, data: { renderedHtml: "" } }])
      assert.strictEqual(done.status, 200, JSON.stringify(done.body))
      assert.deepStrictEqual(done.body.results[1].record, { id, productId: view.productId, renderedHtml: "" })
      const met = yield* transact([{ op: "delete", model: "ProductView", id }, create, create])
      assertProblem(met, 409, "already-exists")
      assert.strictEqual((yield* ask("GET", `/api/product-views/${id}`)).headers.get("etag"), `"2"`)
    })
  )

  it.effect("_bulk: new records of one model, all or none, in order", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const name = uuid()
      const id = uuid()
      const made = yield* bulk([product({ name, price: "1" }), product({ name, id }), product({ name })])
      assert.strictEqual(made.status, 201, JSON.stringify(made.body))
      assertPosition(made)
      assert.deepStrictEqual(
        made.body.map(({ id: _, ...record }: { id: string }) => record),
        [product({ name, price: "1.00" }), product({ name }), product({ name })]
      )
      assert.strictEqual(made.body[1].id, id)
      for (const node of nodes) {
        const path = `/api/products/${made.body[2].id}`
        assert.deepStrictEqual((yield* node.request("GET", path)).body, made.body[2])
      }
      const key = keyed(uuid())
      const first = yield* bulk([product({ name })], key)
      const copy = yield* bulk([product({ name })], key)
      assert.deepStrictEqual([copy.status, copy.body, isReplay(copy)], [201, first.body, true])
      assert.strictEqual(yield* countNamed(name), 4)
    })
  )

  it.effect("_bulk: an error names the position of its record, and no record is made", () =>
    Effect.gen(function* () {
      const name = uuid()
      const one = product({ name })
      const { id } = yield* makeProduct()
      const email = `${uuid()}@example.org`
      const cases: ReadonlyArray<readonly [unknown, number, string, string | undefined]> = [
        [[one, one, product({ price: "x" })], 400, "invalid-request", "2.price"],
        [[one, { ...one, extra: 1 }], 400, "invalid-request", "1.extra"],
        [[one, { ...one, id: "no-uuid" }], 400, "invalid-request", "1.id"],
        [[one, null], 400, "invalid-request", "1"],
        [[one, { ...one, id }], 409, "already-exists", "1"],
        [{ name }, 400, "invalid-request", undefined],
        [[], 400, "invalid-request", undefined],
        [Array.from({ length: 1001 }, () => one), 413, "too-large", undefined]
      ]
      for (const [records, status, problem, path] of cases) {
        const met = yield* bulk(records)
        assertProblem(met, status, problem, JSON.stringify(records).slice(0, 200))
        assert.strictEqual(met.body.errors?.[0].path, path)
      }
      const users = yield* ask("POST", "/api/users/_bulk", { body: [{ email }, { email }] })
      assertProblem(users, 409, "unique-violation")
      assert.deepStrictEqual(users.body.errors, [{ path: "1.email", message: "is taken" }])
      assert.strictEqual(yield* countNamed(name), 0)
    })
  )
}
