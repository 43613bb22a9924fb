/** Idempotency keys, as a client meets them on any node. docs/http.md, "Problems"; C17. */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import type { Answer } from "./Processes.ts"
import { ask, askAsIs, assertPosition, assertProblem, makeProduct, Served } from "./Served.ts"

const newKey = () => crypto.randomUUID()
const keyed = (key: string) => ({ "idempotency-key": key })
const operationOf = (key: string) => `/api/_operations/${encodeURIComponent(key)}`
const isReplay = ({ headers }: Answer) => headers.get("idempotent-replayed") === "true"

/** The parts of an answer that a copy must repeat. */
const outcome = ({ body, headers, status }: Answer) => ({
  status,
  body,
  etag: headers.get("etag"),
  location: headers.get("location"),
  type: headers.get("content-type")
})

/** The answer to a keyed request for a user with local fields. */
const outcomeOf = (answer: Answer) => [
  answer.status,
  isReplay(answer),
  answer.headers.get("lithair-local"),
  answer.body.cacheData
]

export const keysContract = (it: Vitest.MethodsNonLive<Served>): void => {
  it.effect("a copy of a keyed write is answered as the first was, by every node, and nothing happens twice", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const { id, path } = yield* makeProduct()
      const product = { name: "Bell", price: "2.50" }
      const absent = `/api/products/${crypto.randomUUID()}`
      const writes = [
        { method: "POST", path: "/api/products", body: product, status: 201 },
        { method: "PUT", path: absent, body: product, status: 201 },
        { method: "PUT", path, body: product, status: 200 },
        { method: "PUT", path, body: product, status: 200 },
        { method: "PATCH", path, body: { price: "3" }, status: 200 },
        { method: "PATCH", path, body: {}, status: 200 },
        { method: "DELETE", path, body: undefined, status: 204 },
        // Refusals are outcomes too.
        { method: "DELETE", path, body: undefined, status: 404 },
        { method: "POST", path: "/api/products", body: { ...product, price: "-1" }, status: 400 },
        { method: "PATCH", path: absent, body: { id }, status: 400 },
        { method: "PATCH", path: absent, body: {}, headers: { "if-match": `"9"` }, status: 412 }
      ]
      for (const { method, path, body, headers, status } of writes) {
        const options = { body, headers: { ...headers, ...keyed(newKey()) } }
        const first = yield* ask(method, path, options)
        const what = `${method} ${path} ${JSON.stringify(body)} → ${JSON.stringify(first.body)}`
        assert.strictEqual(first.status, status, what)
        assert.isFalse(isReplay(first), what)
        for (const node of nodes) {
          const copy = yield* node.request(method, path, options)
          assert.deepStrictEqual(outcome(copy), outcome(first), what)
          assert.isTrue(isReplay(copy), what)
          assert.isAtLeast(Number(copy.headers.get("lithair-index")), Number(first.headers.get("lithair-index")))
        }
      }
    })
  )

  it.effect("a refusal is remembered: a late copy is not done once it would be possible (D2)", () =>
    Effect.gen(function* () {
      const path = `/api/products/${crypto.randomUUID()}`
      const late = { body: { price: "7" }, headers: keyed(newKey()) }
      assertProblem(yield* ask("PATCH", path, late), 404, "not-found")
      assert.strictEqual((yield* ask("PUT", path, { body: { name: "Cog", price: "1" } })).status, 201)
      const copy = yield* ask("PATCH", path, late)
      assertProblem(copy, 404, "not-found")
      assert.isTrue(isReplay(copy))
      assert.strictEqual((yield* ask("GET", path)).body.price, "1.00")
    })
  )

  it.effect("the key with another method, target, condition or body is 422 and changes nothing", () =>
    Effect.gen(function* () {
      const { path } = yield* makeProduct()
      const other = yield* makeProduct()
      const headers = keyed(newKey())
      const body = { price: "5" }
      assert.strictEqual((yield* ask("PATCH", path, { body, headers })).status, 200)
      const others = [
        { method: "PUT", path, body, headers },
        { method: "PATCH", path: other.path, body, headers },
        { method: "PATCH", path, body: { price: "6" }, headers },
        { method: "PATCH", path, body, headers: { ...headers, "if-match": `"2"` } },
        { method: "POST", path: "/api/products", body: { name: "x", price: "1" }, headers },
        { method: "DELETE", path, body: undefined, headers }
      ]
      for (const { body, headers, method, path } of others) {
        const met = yield* ask(method, path, { body, headers })
        assertProblem(met, 422, "key-reused", `${method} ${path}`)
        assert.strictEqual(met.body.key, headers["idempotency-key"])
        assert.isFalse(isReplay(met))
      }
      assert.strictEqual((yield* ask("GET", path)).body.price, "5.00")
      assert.strictEqual((yield* ask("GET", other.path)).status, 200)
    })
  )

  it.effect("of many copies at once on all nodes one is done, and all are answered alike", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const name = `once-${newKey()}`
      const options = { body: { name, price: "1" }, headers: keyed(newKey()) }
      const copies = Array.from({ length: 24 }, (_, at) => nodes[at % nodes.length]!)
      const answers = yield* Effect.forEach(copies, (node) => node.request("POST", "/api/products", options), {
        concurrency: "unbounded"
      })
      assert.strictEqual(new Set(answers.map((each) => JSON.stringify(outcome(each)))).size, 1)
      assert.strictEqual(answers[0]!.status, 201)
      assert.strictEqual(answers.filter((each) => !isReplay(each)).length, 1)
      const { body } = yield* ask("GET", `/api/products?name=eq.${name}&count=exact`)
      assert.strictEqual(body.total, 1)
    })
  )

  it.effect("a node-local write takes a key too, which its own node remembers", () =>
    Effect.gen(function* () {
      const view = { productId: crypto.randomUUID(), renderedHtml: "<p>" }
      const options = { body: view, headers: keyed(newKey()) }
      const first = yield* ask("POST", "/api/product-views", options)
      const copy = yield* ask("POST", "/api/product-views", options)
      assert.strictEqual(first.status, 201)
      assert.deepStrictEqual(outcome(copy), outcome(first))
      assert.isTrue(isReplay(copy))
      const other = yield* ask("POST", "/api/product-views", { ...options, body: { ...view, renderedHtml: "" } })
      assertProblem(other, 422, "key-reused")
    })
  )

  it.effect("a copy keeps local fields on a node that did not keep them yet, and changes none that it did (D4)", () =>
    Effect.gen(function* () {
      const { node, nodes } = yield* Served
      const email = `${newKey()}@example.org`
      const options = { body: { email, cacheData: "first" }, headers: keyed(newKey()) }
      const made = yield* ask("POST", "/api/users", options)
      const path = `/api/users/${made.body.id}`
      for (const each of nodes) {
        if (each !== node) {
          assert.deepStrictEqual((yield* each.request("GET", path)).body, { id: made.body.id, email })
          assert.deepStrictEqual(outcomeOf(yield* each.request("POST", "/api/users", options)), [
            201,
            true,
            null,
            "first"
          ])
        }
        assert.strictEqual((yield* each.request("PATCH", path, { body: { cacheData: "newer" } })).status, 200)
        assert.deepStrictEqual(outcomeOf(yield* each.request("POST", "/api/users", options)), [
          201,
          true,
          null,
          "newer"
        ])
        assert.strictEqual((yield* each.request("GET", path)).body.cacheData, "newer")
      }
    })
  )

  it.effect("a copy whose local fields cannot be kept says so: its record, or this node's part of it, is newer", () =>
    Effect.gen(function* () {
      const { node, nodes } = yield* Served
      const users = [newKey(), newKey()].map((id) => ({ id, email: `${id}@example.org`, cacheData: "first" }))
      const options = { body: users, headers: keyed(newKey()) }
      assert.strictEqual((yield* ask("POST", "/api/users/_bulk", options)).status, 201)
      const path = `/api/users/${users[1]!.id}`
      assert.strictEqual((yield* ask("PATCH", path, { body: { email: `${newKey()}@example.org` } })).status, 200)
      for (const each of nodes) {
        const isOwn = each === node
        const copy = yield* each.request("POST", "/api/users/_bulk", options)
        const shown = copy.body.map(({ cacheData = null }) => cacheData)
        assert.deepStrictEqual([copy.status, isReplay(copy)], [201, true])
        assert.deepStrictEqual(
          [copy.headers.get("lithair-local"), shown],
          isOwn ? [null, ["first", "first"]] : ["lost", [null, null]]
        )
      }
    })
  )

  it.effect("a change of local fields alone takes a key, which its own node remembers", () =>
    Effect.gen(function* () {
      const made = yield* ask("POST", "/api/users", { body: { email: `${newKey()}@example.org` } })
      const path = `/api/users/${made.body.id}`
      const options = { body: { cacheData: "one" }, headers: keyed(newKey()) }
      const answers = yield* Effect.forEach([1, 2, 3], () => ask("PATCH", path, options), { concurrency: "unbounded" })
      assert.strictEqual(new Set(answers.map((each) => JSON.stringify(outcome(each)))).size, 1)
      assert.deepStrictEqual([answers[0]!.status, answers.filter(isReplay).length], [200, 2])
      assert.strictEqual((yield* ask("PATCH", path, { body: { cacheData: "two" } })).status, 200)
      assert.isTrue(isReplay(yield* ask("PATCH", path, options)))
      assert.strictEqual((yield* ask("GET", path)).body.cacheData, "two")
      assertProblem(yield* ask("PATCH", path, { ...options, body: { cacheData: "three" } }), 422, "key-reused")
      const known = yield* ask("GET", operationOf(options.headers["idempotency-key"]))
      assert.deepStrictEqual(known.body, { state: "committed", status: 200 })
      const late = { body: { cacheData: "late" }, headers: keyed(newKey()) }
      const closed = yield* ask("DELETE", operationOf(late.headers["idempotency-key"]))
      assert.deepStrictEqual(closed.body, { state: "absent" })
      assertProblem(yield* ask("PATCH", path, late), 409, "operation-closed")
      assert.strictEqual((yield* ask("GET", path)).body.cacheData, "two")
    })
  )

  it.effect("every node answers a copy from the log if the outcome is too large to be remembered", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const category = `${newKey()} ${"x".repeat(6_000)}`
      const options = { body: { name: "Large", price: "1", category }, headers: keyed(newKey()) }
      const first = yield* ask("POST", "/api/products", options)
      assert.strictEqual(first.status, 201)
      const path = `/api/products/${first.body.id}`
      assert.strictEqual((yield* ask("PATCH", path, { body: { category: "small" } })).status, 200)
      for (const node of nodes) {
        const copy = yield* node.request("POST", "/api/products", options)
        assert.deepStrictEqual(outcome(copy), outcome(first))
        assert.isTrue(isReplay(copy))
        const known = yield* node.request("GET", operationOf(options.headers["idempotency-key"]))
        assert.deepStrictEqual(known.body, { state: "committed", status: 201, body: first.body })
      }
      assertProblem(
        yield* ask("POST", "/api/products", { ...options, body: { name: "x", price: "1" } }),
        422,
        "key-reused"
      )
    })
  )

  it.effect("every node tells the outcome of a request by its key, as the request was answered", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const { path } = yield* makeProduct()
      const product = { name: "Bell", price: "2.50" }
      const others = [product, { ...product, price: "4" }]
      const writes = [
        { method: "POST", path: "/api/products", body: product },
        { method: "POST", path: "/api/products/_bulk", body: others },
        { method: "POST", path: "/api/products/_bulk", body: [product, { ...product, price: "-1" }] },
        {
          method: "POST",
          path: "/api/_tx",
          body: { ops: others.map((data) => ({ op: "create", model: "Product", data })) }
        },
        { method: "PUT", path: `/api/products/${crypto.randomUUID()}`, body: product },
        { method: "PUT", path, body: product },
        { method: "PATCH", path, body: { price: "3" } },
        { method: "PATCH", path, body: {} },
        { method: "DELETE", path, body: undefined },
        { method: "DELETE", path, body: undefined },
        { method: "POST", path: "/api/products", body: { ...product, price: "-1" } }
      ]
      for (const { body, method, path } of writes) {
        // A key of any characters is one segment of the path.
        const key = `a/b?c=%41&"${newKey()}"`.padEnd(255, "%/")
        assert.deepStrictEqual((yield* ask("GET", operationOf(key))).body, { state: "absent" })
        const first = yield* ask(method, path, { body, headers: keyed(key) })
        const told = { status: first.status, ...(first.status === 204 ? {} : { body: first.body }) }
        for (const node of nodes) {
          for (const verb of ["GET", "DELETE"]) {
            const known = yield* node.request(verb, operationOf(key))
            assert.strictEqual(known.status, 200)
            assert.deepStrictEqual(known.body, { state: "committed", ...told }, `${verb} ${method} ${first.status}`)
            assertPosition(known)
          }
        }
      }
    })
  )

  it.effect("a key that is closed before its request is done is done by no later copy, on any node", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const name = `closed-${newKey()}`
      const options = { body: { name, price: "1" }, headers: keyed(newKey()) }
      const operation = operationOf(options.headers["idempotency-key"])
      for (const verb of ["DELETE", "DELETE", "GET"]) {
        assert.deepStrictEqual((yield* ask(verb, operation)).body, { state: "absent" })
      }
      for (const node of nodes) {
        const copy = yield* node.request("POST", "/api/products", options)
        assertProblem(copy, 409, "operation-closed")
        assert.strictEqual(copy.body.key, options.headers["idempotency-key"])
        assert.isFalse(isReplay(copy))
      }
      const { body } = yield* ask("GET", `/api/products?name=eq.${name}&count=exact`)
      assert.strictEqual(body.total, 0)
    })
  )

  it.effect("closing a key and sending its request at once, on all nodes, comes to one or the other for all", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      for (let round = 0; round < 5; round++) {
        const name = `either-${newKey()}`
        const options = { body: { name, price: "1" }, headers: keyed(newKey()) }
        const operation = operationOf(options.headers["idempotency-key"])
        const asks = Array.from({ length: 12 }, (_, at) => {
          const node = nodes[at % nodes.length]!
          return at % 4 === round % 4
            ? node.request("DELETE", operation)
            : node.request("POST", "/api/products", options)
        })
        const answers = yield* Effect.all(asks, { concurrency: "unbounded" })
        const { body } = yield* ask("GET", `/api/products?name=eq.${name}&count=exact`)
        const isDone = body.total === 1
        for (const { body, status } of answers) {
          const expected = isDone ? [201, 200] : [409, 200]
          assert.include(expected, status, JSON.stringify(body))
          if (status === 200) assert.strictEqual(body.state, isDone ? "committed" : "absent")
        }
        assert.strictEqual((yield* ask("GET", operation)).body.state, isDone ? "committed" : "absent")
      }
    })
  )

  it.effect("a key of node-local data is known to its own node, and closed on the node that is asked", () =>
    Effect.gen(function* () {
      const view = { productId: crypto.randomUUID(), renderedHtml: "<p>" }
      const options = { body: view, headers: keyed(newKey()) }
      const first = yield* ask("POST", "/api/product-views", options)
      const known = yield* ask("GET", operationOf(options.headers["idempotency-key"]))
      assert.deepStrictEqual(known.body, { state: "committed", status: 201, body: first.body })
      const other = { body: view, headers: keyed(newKey()) }
      const closed = yield* ask("DELETE", operationOf(other.headers["idempotency-key"]))
      assert.deepStrictEqual(closed.body, { state: "absent" })
      assertProblem(yield* ask("POST", "/api/product-views", other), 409, "operation-closed")
    })
  )

  it.effect("a key is of one request, whether the cluster did it or this node alone", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const made = yield* ask("POST", "/api/users", { body: { email: `${newKey()}@example.org` } })
      const user = `/api/users/${made.body.id}`
      const view = { productId: crypto.randomUUID(), renderedHtml: "<p>" }
      const product = { name: "Bell", price: "1" }
      const here = [
        { method: "POST", path: "/api/product-views", body: view },
        { method: "POST", path: "/api/product-views/_bulk", body: [view] },
        { method: "PATCH", path: user, body: { cacheData: "x" } }
      ]
      const everywhere = [
        { method: "POST", path: "/api/products", body: product },
        { method: "POST", path: "/api/_tx", body: { ops: [{ op: "create", model: "Product", data: product }] } },
        { method: "PATCH", path: user, body: { email: `${newKey()}@example.org`, cacheData: "x" } },
        { method: "POST", path: "/api/_commands/transfer", body: { from: newKey(), to: newKey(), amount: "1" } }
      ]
      for (const { body, method, path } of everywhere) {
        const headers = keyed(newKey())
        const done = yield* ask(method, path, { body, headers })
        const seen = { "lithair-min-index": done.headers.get("lithair-index") ?? "" }
        for (const node of nodes) {
          // A node knows only the entries that it has applied.
          yield* node.request("GET", `${user}?consistency=session`, { headers: seen })
          for (const { body, method, path } of here) {
            assertProblem(yield* node.request(method, path, { body, headers }), 422, "key-reused", `${method} ${path}`)
          }
        }
        assert.isTrue(isReplay(yield* ask(method, path, { body, headers })))
      }
      for (const { body, method, path } of here) {
        const headers = keyed(newKey())
        assert.include([200, 201], (yield* ask(method, path, { body, headers })).status)
        for (const { body, method, path } of everywhere) {
          assertProblem(yield* ask(method, path, { body, headers }), 422, "key-reused", `${method} ${path}`)
        }
        assert.isTrue(isReplay(yield* ask(method, path, { body, headers })))
      }
    })
  )

  it.effect("a key that was closed on one node is closed on every node, for the data of that node alone as well", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const made = yield* ask("POST", "/api/users", { body: { email: `${newKey()}@example.org` } })
      const user = `/api/users/${made.body.id}`
      const headers = keyed(newKey())
      const closed = yield* ask("DELETE", operationOf(headers["idempotency-key"]))
      assert.deepStrictEqual(closed.body, { state: "absent" })
      const seen = { "lithair-min-index": closed.headers.get("lithair-index") ?? "" }
      for (const node of nodes) {
        yield* node.request("GET", `${user}?consistency=session`, { headers: seen })
        const view = { productId: crypto.randomUUID(), renderedHtml: "<p>" }
        for (const late of [
          yield* node.request("PATCH", user, { body: { cacheData: "late" }, headers }),
          yield* node.request("POST", "/api/product-views", { body: view, headers })
        ]) {
          assertProblem(late, 409, "operation-closed")
        }
        assert.deepStrictEqual((yield* node.request("GET", user)).body, made.body)
      }
    })
  )

  it.effect("a path of an operation names one key, and nothing else", () =>
    Effect.gen(function* () {
      for (const key of ["%20", "%0a", "%C3%A9", "a%20b", "%ff", "%zz", "k".repeat(256)]) {
        assertProblem(yield* askAsIs({ path: `/api/_operations/${key}` }), 400, "invalid-request", key)
      }
      assertProblem(yield* askAsIs({ path: "/api/_operations/k?x=1" }), 400, "invalid-request")
      for (const path of ["/api/_operations", "/api/_operations/", "/api/_operations/a/b", "/api/_Operations/a"]) {
        assertProblem(yield* askAsIs({ path }), 404, "not-found", path)
      }
      assertProblem(yield* ask("POST", "/api/_operations/k", { body: {} }), 405, "method-not-allowed")
    })
  )

  it.effect("a key that nodes might assign is of the request that it says, and no client makes another of it", () =>
    Effect.gen(function* () {
      const { node } = yield* Served
      const { path } = yield* makeProduct()
      const headers = keyed("~zz.0-0.AAAAAAAAAAA")
      const met = yield* node.request("PATCH", path, { body: { price: "9" }, headers })
      assertProblem(met, 422, "key-reused")
      assert.strictEqual((yield* ask("GET", path)).body.price, "19.90")
    })
  )

  it.effect("every write takes a key, and none a malformed one", () =>
    Effect.gen(function* () {
      const { path } = yield* makeProduct()
      const body = { name: "x", price: "1" }
      const writes = [
        { method: "POST", path: "/api/products", body },
        { method: "PUT", path, body },
        { method: "PATCH", path, body: { price: "8" } },
        { method: "DELETE", path, body: undefined }
      ]
      for (const key of ["a b", "", "k".repeat(256)]) {
        for (const { body, method, path } of writes) {
          const met = yield* ask(method, path, { body, headers: keyed(key) })
          assertProblem(met, 400, "invalid-request", `${method} ${key}`)
          assert.strictEqual(met.body.errors[0].path, "Idempotency-Key")
        }
      }
      assert.strictEqual((yield* ask("GET", path)).body.price, "19.90")
    })
  )
}
