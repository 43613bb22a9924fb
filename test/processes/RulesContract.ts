/** The rules of a model and its writers, as a client meets them. docs/http.md, "Problems". */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { ask, assertProblem, Served } from "./Served.ts"

const uuid = () => crypto.randomUUID()
const order = (data: object = {}) => ({ customerId: uuid(), amount: "5", status: "pending", ...data })
const free = order({ amount: "0", status: "paid" })

export const rulesContract = (it: Vitest.MethodsNonLive<Served>): void => {
  it.effect("a record that breaks a rule is 409 with the rule's own name, for every kind of write, on every node", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const { body } = yield* ask("POST", "/api/orders", { body: order() })
      const path = `/api/orders/${body.id}`
      const patch = { amount: "0", status: "shipped" }
      const { customerId, ...rest } = free
      const writes = [
        ["POST", "/api/orders", free],
        ["PUT", path, free],
        ["PUT", `/api/orders/${uuid()}`, free],
        ["PATCH", path, patch]
      ] as const
      for (const [method, path, body] of writes) {
        for (const node of nodes) {
          assertProblem(yield* node.request(method, path, { body }), 409, "nothing-to-pay", `${method} ${path}`)
        }
      }
      const told = yield* ask("PATCH", path, { body: patch })
      assert.strictEqual(told.body.detail, "An order of 0.00 cannot be shipped")
      const ops = [
        { op: "create", model: "Order", data: order({ customerId }) },
        { op: "patch", model: "Order", id: body.id, data: patch }
      ]
      const transaction = yield* ask("POST", "/api/_tx", { body: { ops } })
      assertProblem(transaction, 409, "nothing-to-pay")
      assert.strictEqual(transaction.body.opIndex, 1)
      const bulk = yield* ask("POST", "/api/orders/_bulk", { body: [order({ customerId }), { customerId, ...rest }] })
      assertProblem(bulk, 409, "nothing-to-pay")
      assert.deepStrictEqual(bulk.body.errors, [{ path: "1", message: "An order of 0.00 cannot be paid" }])
      const held = yield* ask("GET", `/api/orders?customerId=eq.${customerId}&count=exact`)
      assert.strictEqual(held.body.total, 0)
      assert.strictEqual((yield* ask("GET", path)).headers.get("etag"), `"1"`)
      assert.strictEqual((yield* ask("PATCH", path, { body: { status: "paid" } })).status, 200)
    })
  )

  it.effect("orders are found by customer and status, in order of the amount", () =>
    Effect.gen(function* () {
      const customerId = uuid()
      const amounts = ["10", "9", "1.50", "200"]
      const orders = amounts.map((amount, at) => order({ customerId, amount, status: at === 1 ? "paid" : "pending" }))
      assert.strictEqual((yield* ask("POST", "/api/orders/_bulk", { body: orders })).status, 201)
      const found = (query: string) =>
        Effect.map(ask("GET", `/api/orders?customerId=eq.${customerId}&${query}`), ({ body }) =>
          body.items.map(({ amount }: { amount: string }) => amount)
        )
      assert.deepStrictEqual(yield* found("status=eq.pending&order=amount"), ["1.50", "10.00", "200.00"])
      assert.deepStrictEqual(yield* found("status=in.pending,paid&amount=gte.9&order=amount.desc&limit=2"), [
        "200.00",
        "10.00"
      ])
      assert.deepStrictEqual(yield* found("status=gt.pending"), [])
    })
  )

  it.effect("any request may open an account and none may change it; no request may do either to a transaction", () =>
    Effect.gen(function* () {
      const account = { owner: "Ada", balance: "5" }
      const opened = yield* ask("POST", "/api/accounts", { body: account })
      assert.strictEqual(opened.status, 201)
      const [{ id }] = (yield* ask("POST", "/api/accounts/_bulk", { body: [account] })).body
      const path = `/api/accounts/${id}`
      for (const each of [path, `/api/accounts/${uuid()}`]) {
        assertProblem(yield* ask("PUT", each, { body: account }), 409, "command-only")
        assertProblem(yield* ask("PATCH", each, { body: { balance: "500" } }), 409, "command-only")
        assertProblem(yield* ask("DELETE", each), 409, "command-only")
      }
      const patch = { op: "patch", model: "Account", id, data: { balance: "500" } }
      const ops = [{ op: "create", model: "Account", data: account }, patch]
      const refused = yield* ask("POST", "/api/_tx", { body: { ops } })
      assertProblem(refused, 409, "command-only")
      assert.strictEqual(refused.body.opIndex, 1)
      assert.deepStrictEqual((yield* ask("GET", path)).body, { id, owner: "Ada", balance: "5.00" })

      const transaction = { from: id, to: opened.body.id, amount: "1" }
      assertProblem(yield* ask("POST", "/api/transactions", { body: transaction }), 409, "command-only")
      assertProblem(yield* ask("POST", "/api/transactions/_bulk", { body: [transaction] }), 409, "command-only")
      const made = `/api/transactions/${uuid()}`
      assertProblem(yield* ask("PUT", made, { body: transaction }), 409, "append-only")
      assertProblem(yield* ask("PATCH", made, { body: { amount: "2" } }), 409, "append-only")
      assertProblem(yield* ask("DELETE", made), 409, "append-only")
      assert.strictEqual((yield* ask("GET", made)).status, 404)
    })
  )
}
