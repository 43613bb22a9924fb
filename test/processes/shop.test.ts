/** The shop on three real processes: it never sells more than the stock, even if all nodes are asked at once. */
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schedule } from "effect"
import {
  type Answer,
  allReady,
  equalHash,
  eventually,
  expectThat,
  leaderOf,
  listAll,
  type RequestOptions,
  startCluster,
  type TestNode
} from "./Processes.ts"
import { assertProblem } from "./Served.ts"

const script = fileURLToPath(new URL("../../examples/shop.ts", import.meta.url))
const startShop = startCluster(["node", "node", "node"], undefined, script)

/** The nodes that are asked: one, or several in turn. */
type Asked = Pick<TestNode, "request">

/** Each request is to the next of these nodes, so that none waits for one that is dead. */
const inTurn = (nodes: ReadonlyArray<TestNode>, first: number): Asked => {
  let at = first
  return { request: (...asked) => Effect.suspend(() => nodes[at++ % nodes.length]!.request(...asked)) }
}

/** Sent until its answer is final: while the leader changes there is none, or one of 503 or 504. */
const ask = (node: Asked, method: string, path: string, options: RequestOptions = {}) =>
  node.request(method, path, { timeoutMs: 10_000, ...options }).pipe(
    Effect.filterOrFail(({ status }) => status !== 503 && status !== 504),
    Effect.retry({ schedule: Schedule.spaced(50), times: 600 })
  )

/** A change that is done once, however often it is sent: with a key of its own. */
const change = (node: Asked, method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
  Effect.suspend(() =>
    ask(node, method, path, { body, headers: { "idempotency-key": crypto.randomUUID(), ...headers } })
  )

const addProduct = Effect.fnUntraced(function* (node: TestNode, stock: number) {
  const added = yield* change(node, "POST", "/api/products", { name: "Anvil", price: "19.90", stock })
  assert.strictEqual(added.status, 201, JSON.stringify(added.body))
  const id: string = added.body.id
  return id
})

const command = (node: Asked, name: string, body: unknown, headers?: Record<string, string>) =>
  change(node, "POST", `/api/_commands/${name}`, body, headers)

/** As many orders as there are counts, all at once, through the nodes in turn. */
const orderAtOnce = (nodes: ReadonlyArray<TestNode>, productId: string, counts: ReadonlyArray<number>) =>
  Effect.forEach(counts, (count, at) => command(nodes[at % nodes.length]!, "placeOrder", { productId, count }), {
    concurrency: "unbounded"
  })

/** An order of one by each of these keys, all at once, each sent to one node after another until its answer is final. */
const orderByKeys = (
  nodes: ReadonlyArray<TestNode>,
  productId: string,
  keys: ReadonlyArray<string>,
  isFirstAnswered: Deferred.Deferred<void>
) =>
  Effect.forEach(
    keys,
    (key, at) =>
      command(inTurn(nodes, at), "placeOrder", { productId, count: 1 }, { "idempotency-key": key }).pipe(
        Effect.tap(() => Deferred.succeed(isFirstAnswered, undefined))
      ),
    { concurrency: "unbounded" }
  )

const stockOf = (nodes: ReadonlyArray<TestNode>, productId: string) =>
  Effect.forEach(nodes, (node) =>
    Effect.map(ask(node, "GET", `/api/products/${productId}`), ({ body }): number => body.stock)
  )

/** An order of one, brought this far. */
const orderThatIs = Effect.fnUntraced(function* (node: TestNode, productId: string, steps: ReadonlyArray<string>) {
  const placed = yield* command(node, "placeOrder", { productId, count: 1 })
  assert.strictEqual(placed.status, 200, JSON.stringify(placed.body))
  const orderId: string = placed.body.id
  for (const to of steps) {
    const advanced = yield* command(node, "advanceOrder", { orderId, to })
    assert.deepStrictEqual([advanced.status, advanced.body.status], [200, to])
  }
  return orderId
})

/** The harm that a leader suffers, and recovers from. */
const harms = {
  "is paused": {
    begin: (leader: TestNode) => leader.signal("SIGSTOP"),
    end: (leader: TestNode) => leader.signal("SIGCONT")
  },
  "dies by kill -9": {
    begin: (leader: TestNode) => Effect.asVoid(leader.stop("SIGKILL")),
    end: (leader: TestNode) => leader.start
  }
}

const problems = (answers: ReadonlyArray<Answer>) => answers.filter(({ status }) => status !== 200)

describe("the shop of three processes", () => {
  it.live(
    "sells the last item once to 100 who order it at once, and never more than there is (issue 4)",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startShop
        const last = yield* addProduct(nodes[0]!, 1)
        const answers = yield* orderAtOnce(nodes, last, Array<number>(100).fill(1))
        assert.strictEqual(answers.filter(({ status }) => status === 200).length, 1)
        assert.lengthOf(problems(answers), 99)
        for (const refused of problems(answers)) {
          assertProblem(refused, 409, "sold-out")
          assert.deepInclude(refused.body, { left: 0, title: "Sold out", detail: "None is left" })
        }
        assert.deepStrictEqual(yield* stockOf(nodes, last), [0, 0, 0])

        const scarce = yield* addProduct(nodes[1]!, 50)
        const counts = Array.from({ length: 60 }, (_, at) => (at % 3) + 1)
        const mixed = yield* orderAtOnce(nodes, scarce, counts)
        for (const [at, { body, status }] of mixed.entries()) {
          if (status === 200) continue
          assertProblem(mixed[at]!, 409, "sold-out")
          assert.isBelow(body.left, counts[at]!, "who is refused asked for more than is left")
          assert.isAtLeast(body.left, 0)
        }
        const sold = counts.filter((_, at) => mixed[at]!.status === 200).reduce((sum, count) => sum + count, 0)
        const left = 50 - sold
        assert.isAtLeast(left, 0)
        assert.deepStrictEqual(yield* stockOf(nodes, scarce), [left, left, left])
        yield* equalHash(nodes)
        for (const node of nodes) {
          const orders = yield* listAll(node, "orders")
          const held = orders.filter(({ productId }) => productId === scarce)
          assert.strictEqual(
            held.reduce((sum, { count }) => sum + Number(count), 0),
            sold
          )
        }
        const headers = { "content-type": "application/merge-patch+json" }
        const written = yield* change(nodes[0]!, "PATCH", `/api/products/${last}`, { stock: -1 }, headers)
        assertProblem(written, 409, "oversold")
      }).pipe(Effect.scoped),
    90_000
  )

  for (const [what, { begin, end }] of Object.entries(harms)) {
    it.live(
      `sells each of the last 20 items once to 100 who order them while the leader ${what}, and tells each key the same ever after`,
      () =>
        Effect.gen(function* () {
          const nodes = yield* startShop
          const product = yield* addProduct(nodes[0]!, 20)
          const leader = yield* leaderOf(nodes)
          const keys = Array.from({ length: 100 }, () => crypto.randomUUID())
          const isFirstAnswered = yield* Deferred.make<void>()
          const ordering = yield* Effect.forkChild(orderByKeys(nodes, product, keys, isFirstAnswered), {
            startImmediately: true
          })
          // Then the others are on their way to it, decided by it, or on their way back.
          yield* Deferred.await(isFirstAnswered)
          yield* begin(leader)
          yield* leaderOf(nodes.filter((node) => node !== leader))
          yield* end(leader)
          const answers = yield* Fiber.join(ordering)
          yield* allReady(nodes)

          const sold = answers.filter(({ status }) => status === 200).map(({ body }) => body)
          for (const refused of problems(answers)) assertProblem(refused, 409, "sold-out")
          assert.lengthOf(sold, 20)
          assert.deepStrictEqual(yield* stockOf(nodes, product), [0, 0, 0])
          yield* equalHash(nodes)
          // Each order is that of one key: none was placed without an answer, and none was answered twice.
          const byId = (left: { readonly id?: unknown }, right: { readonly id?: unknown }) =>
            String(left.id) < String(right.id) ? -1 : 1
          for (const node of nodes) {
            assert.deepStrictEqual((yield* listAll(node, "orders")).toSorted(byId), sold.toSorted(byId))
          }
          // The node that had led until then says the same as was said.
          const copies = yield* orderByKeys([leader], product, keys, isFirstAnswered)
          for (const [at, { body, headers, status }] of copies.entries()) {
            assert.strictEqual(headers.get("idempotent-replayed"), "true")
            assert.deepStrictEqual({ status, body }, { status: answers[at]!.status, body: answers[at]!.body })
          }
          assert.deepStrictEqual(yield* stockOf(nodes, product), [0, 0, 0])
        }).pipe(Effect.scoped),
      90_000
    )
  }

  it.live(
    "keeps orders within their state machine, returns what is cancelled, and counts the same sales on every node",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startShop
        const [first, second, third] = [nodes[0]!, nodes[1]!, nodes[2]!]
        const product = yield* addProduct(first, 10)
        const delivered = yield* orderThatIs(first, product, ["paid", "shipped", "delivered"])
        const paid = yield* orderThatIs(second, product, ["paid"])
        const pending = yield* orderThatIs(third, product, [])
        assert.deepStrictEqual(yield* stockOf(nodes, product), [7, 7, 7])

        const early = yield* command(second, "advanceOrder", { orderId: pending, to: "shipped" })
        assertProblem(early, 409, "wrong-status")
        assert.deepInclude(early.body, {
          from: "pending",
          to: "shipped",
          detail: "An order that is pending cannot become shipped"
        })
        assertProblem(yield* command(first, "cancelOrder", { orderId: delivered }), 409, "wrong-status")
        assertProblem(yield* command(first, "cancelOrder", { orderId: crypto.randomUUID() }), 404, "not-found")
        const body = { status: "delivered" }
        assertProblem(yield* change(first, "PATCH", `/api/orders/${pending}`, body), 409, "command-only")
        assertProblem(yield* change(third, "DELETE", `/api/products/${product}`), 409, "referenced")

        // Of ten who cancel at once, one does: its item comes back once.
        const cancels = yield* Effect.forEach(
          Array.from({ length: 10 }, (_, at) => nodes[at % 3]!),
          (node) => command(node, "cancelOrder", { orderId: pending }),
          { concurrency: "unbounded" }
        )
        assert.lengthOf(problems(cancels), 9)
        for (const refused of problems(cancels)) assertProblem(refused, 409, "wrong-status")
        assert.deepStrictEqual(yield* stockOf(nodes, product), [8, 8, 8])

        const readSales = Effect.forEach(nodes, (node) => ask(node, "GET", "/api/_projections/sales"))
        const paidOn = (order: string) =>
          Effect.map(ask(first, "GET", `/api/orders/${order}`), (read): string => read.body.paidOn)
        const days = new Map<string, number>()
        // Midnight may fall between two payments.
        for (const order of [delivered, paid]) {
          const day = yield* paidOn(order)
          days.set(day, (days.get(day) ?? 0) + 1)
        }
        const salesAreRight = Effect.gen(function* () {
          yield* equalHash(nodes)
          const revenues = ["0.00", "19.90", "39.80"]
          const items = [...days].map(([key, orders]) => ({ key, value: { orders, revenue: revenues[orders] } }))
          for (const { body } of yield* readSales) assert.deepStrictEqual(body.items, items)
        })
        yield* salesAreRight
        assert.strictEqual((yield* command(third, "cancelOrder", { orderId: paid })).status, 200)
        assert.deepStrictEqual(yield* stockOf(nodes, product), [9, 9, 9])
        const dayOfCancelled = yield* paidOn(paid)
        days.set(dayOfCancelled, days.get(dayOfCancelled)! - 1)
        yield* salesAreRight

        const history = yield* ask(second, "GET", `/api/_projections/order-history?key=${delivered}`)
        const steps = history.body.map(({ status }: { readonly status: string }) => status)
        assert.deepStrictEqual(steps, ["pending", "paid", "shipped", "delivered"])
        const cancelled = yield* ask(first, "GET", "/api/orders?status=eq.cancelled")
        assert.sameMembers(
          cancelled.body.items.map(({ id }: { readonly id: string }) => id),
          [pending, paid]
        )
        yield* eventually(
          "both payments are confirmed",
          Effect.suspend(() => {
            const said = nodes.map((node) => node.output()).join("")
            return expectThat(
              [delivered, paid].every((id) => said.includes(`order ${id} is paid, 19.90`)),
              "they are"
            )
          })
        )
      }).pipe(Effect.scoped),
    90_000
  )

  it.live(
    "lets each node keep its own rendering of a product",
    () =>
      Effect.gen(function* () {
        const nodes = yield* startShop
        const productId = yield* addProduct(nodes[0]!, 1)
        const id = crypto.randomUUID()
        for (const node of nodes) {
          const body = { id, productId, renderedHtml: `<p>${node.port}</p>` }
          const kept = yield* change(node, "PUT", `/api/product-views/${id}`, body)
          assert.strictEqual(kept.status, 201, JSON.stringify(kept.body))
        }
        for (const node of nodes) {
          const { body } = yield* ask(node, "GET", `/api/product-views/${id}`)
          assert.deepStrictEqual(body, { id, productId, renderedHtml: `<p>${node.port}</p>` })
        }
      }).pipe(Effect.scoped),
    60_000
  )
})
