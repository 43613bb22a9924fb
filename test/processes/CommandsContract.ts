/** Declared commands, as a client meets them on any node: the example's `transfer`. docs/http.md, "Endpoints". */
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { listAll } from "./Processes.ts"
import { ask, assertPosition, assertProblem, Served } from "./Served.ts"

const path = "/api/_commands/transfer"

/** A new account, and its balance according to the node that is asked. */
const openAccount = (balance: string) =>
  Effect.gen(function* () {
    const made = yield* ask("POST", "/api/accounts", { body: { owner: "Ada", balance } })
    assert.strictEqual(made.status, 201, JSON.stringify(made.body))
    const id: string = made.body.id
    return id
  })

const balanceOf = (id: string) => Effect.map(ask("GET", `/api/accounts/${id}`), ({ body }): string => body.balance)

const transfer = (body: unknown, headers: Record<string, string> = {}) => ask("POST", path, { body, headers })

export const commandsContract = (it: Vitest.MethodsNonLive<Served>): void => {
  it.effect("a command changes records of several models at once, answers its success, and every node shows it", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const [from, to] = [yield* openAccount("10"), yield* openAccount("0.05")]
      const done = yield* transfer({ from, to, amount: "2.5" })
      assert.strictEqual(done.status, 200, JSON.stringify(done.body))
      assertPosition(done)
      const { id, ...moved } = done.body
      assert.deepStrictEqual(moved, { from, to, amount: "2.50" })
      assert.deepStrictEqual((yield* ask("GET", `/api/transactions/${id}`)).body, done.body)
      for (const node of nodes) {
        const shown = yield* Effect.forEach([from, to], (each) => node.request("GET", `/api/accounts/${each}`))
        assert.deepStrictEqual(
          shown.map(({ body, headers }) => [body.balance, headers.get("etag")]),
          [
            ["7.50", `"2"`],
            ["2.55", `"2"`]
          ]
        )
      }
    })
  )

  it.effect("a typed error is the command's own problem, with its fields, and leaves nothing", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* openAccount("10"), yield* openAccount("0")]
      const refused = yield* transfer({ from, to, amount: "10.01" })
      assertProblem(refused, 409, "insufficient-funds")
      assert.deepInclude(refused.body, {
        balance: "10.00",
        title: "Insufficient funds",
        detail: "The account holds 10.00"
      })
      assert.notProperty(refused.body, "_tag")
      assert.deepStrictEqual([yield* balanceOf(from), yield* balanceOf(to)], ["10.00", "0.00"])
      assert.strictEqual((yield* transfer({ from, to, amount: "10" })).status, 200)
      assert.strictEqual(yield* balanceOf(from), "0.00")
    })
  )

  it.effect("a missing account is 404; a payload that does not fit is 400 and names the field", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* openAccount("10"), yield* openAccount("10")]
      const nobody = crypto.randomUUID()
      assertProblem(yield* transfer({ from, to: nobody, amount: "1" }), 404, "not-found")
      assertProblem(yield* transfer({ from: nobody, to, amount: "1" }), 404, "not-found")
      const wrong: ReadonlyArray<readonly [unknown, string]> = [
        [{ from, to, amount: "0" }, "amount"],
        [{ from, to, amount: "-1" }, "amount"],
        [{ from, to, amount: "0.001" }, "amount"],
        [{ from, to, amount: 1 }, "amount"],
        [{ from, to }, "amount"],
        [{ from, to: from, amount: "1" }, "to"],
        [{ from, to: "nobody", amount: "1" }, "to"],
        [{ from, to, amount: "1", more: true }, "more"],
        [JSON.parse(`{"from":"${from}","to":"${to}","amount":"1","__proto__":{"a":1}}`), "__proto__"],
        [null, ""],
        ["transfer", ""],
        [[], ""]
      ]
      for (const [body, field] of wrong) {
        // As text: an own `__proto__` is not what JSON.stringify makes of every object.
        const met = yield* ask("POST", path, { body: JSON.stringify(body) })
        assertProblem(met, 400, "invalid-request", JSON.stringify(body))
        const paths: ReadonlyArray<string> = met.body.errors.map((each: { readonly path: string }) => each.path)
        assert.include(paths, field, JSON.stringify(met.body))
      }
      assertProblem(yield* ask("POST", path, { body: "{" }), 400, "invalid-request")
      assert.deepStrictEqual([yield* balanceOf(from), yield* balanceOf(to)], ["10.00", "10.00"])
    })
  )

  it.effect("a command that would break a rule of a model is refused whole: a balance has at most 15 digits", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* openAccount("10"), yield* openAccount("999999999999999.99")]
      const met = yield* transfer({ from, to, amount: "1" })
      assertProblem(met, 400, "invalid-request")
      assert.strictEqual(met.body.errors[0].path, "Account.balance")
      assert.strictEqual(yield* balanceOf(from), "10.00")
    })
  )

  it.effect("with a key it is done once, on any node where its copies arrive, and a refusal stays a refusal (D2)", () =>
    Effect.gen(function* () {
      const { nodes } = yield* Served
      const [from, to] = [yield* openAccount("10"), yield* openAccount("0")]
      const headers = { "idempotency-key": crypto.randomUUID() }
      const body = { from, to, amount: "4" }
      const copies = yield* Effect.forEach(
        [...nodes, ...nodes, ...nodes],
        (node) => node.request("POST", path, { body, headers }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(new Set(copies.map(({ status }) => status)), new Set([200]))
      assert.strictEqual(new Set(copies.map((each) => JSON.stringify(each.body))).size, 1)
      const firsts = copies.filter((each) => each.headers.get("idempotent-replayed") === null)
      assert.strictEqual(firsts.length, 1)
      assert.strictEqual(yield* balanceOf(from), "6.00")
      assertProblem(yield* transfer({ ...body, amount: "5" }, headers), 422, "key-reused")

      const refusal = { "idempotency-key": crypto.randomUUID() }
      const large = { from, to, amount: "7" }
      const refused = yield* transfer(large, refusal)
      assertProblem(refused, 409, "insufficient-funds")
      assert.strictEqual((yield* transfer({ from: to, to: from, amount: "4" })).status, 200)
      for (const node of nodes) {
        const copy = yield* node.request("POST", path, { body: large, headers: refusal })
        assert.deepStrictEqual([copy.status, copy.body], [409, refused.body])
        assert.strictEqual(copy.headers.get("idempotent-replayed"), "true")
      }
      for (const [keyed, told] of [
        [headers, { state: "committed", status: 200, body: copies[0]!.body }],
        [refusal, { state: "committed", status: 409, body: refused.body }]
      ] as const) {
        const known = yield* ask("GET", `/api/_operations/${keyed["idempotency-key"]}`)
        assert.deepStrictEqual([known.status, known.body], [200, told])
      }
    })
  )

  it.effect("its path, verb, media type and parameters are exact", () =>
    Effect.gen(function* () {
      const body = { from: crypto.randomUUID(), to: crypto.randomUUID(), amount: "1" }
      for (const other of [
        "/api/_commands/Transfer",
        "/api/_commands/transfer/",
        "/api/_commands/none",
        "/api/_commands"
      ]) {
        assertProblem(yield* ask("POST", other, { body }), 404, "not-found", other)
      }
      const read = yield* ask("GET", path)
      assertProblem(read, 405, "method-not-allowed")
      assert.strictEqual(read.headers.get("allow"), "POST")
      assertProblem(yield* ask("POST", `${path}?now=1`, { body }), 400, "invalid-request")
      const plain = { "content-type": "text/plain" }
      assertProblem(yield* ask("POST", path, { body, headers: plain }), 415, "unsupported-media-type")
      assertProblem(yield* ask("POST", path, { body, headers: { "if-match": `"1"` } }), 400, "invalid-request")
    })
  )

  it.effect("accounts and transactions are not changed around it: 409 by every other way", () =>
    Effect.gen(function* () {
      const [from, to] = [yield* openAccount("10"), yield* openAccount("0")]
      const done = yield* transfer({ from, to, amount: "1" })
      const account = `/api/accounts/${from}`
      const own = { owner: "Ada", balance: "1000" }
      assertProblem(yield* ask("PUT", account, { body: own }), 409, "command-only")
      assertProblem(yield* ask("PATCH", account, { body: { balance: "1000" } }), 409, "command-only")
      assertProblem(yield* ask("DELETE", account), 409, "command-only")
      const forged = { from, to, amount: "1" }
      assertProblem(yield* ask("POST", "/api/transactions", { body: forged }), 409, "command-only")
      assertProblem(yield* ask("DELETE", `/api/transactions/${done.body.id}`), 409, "append-only")
      const ops = [{ op: "patch", model: "Account", id: from, data: { balance: "1000" } }]
      assertProblem(yield* ask("POST", "/api/_tx", { body: { ops } }), 409, "command-only")
      assert.strictEqual(yield* balanceOf(from), "9.00")
    })
  )

  it.effect("many at once through all nodes make and lose no money, and overdraw no account", () =>
    Effect.gen(function* () {
      const { node, nodes } = yield* Served
      const accounts = yield* Effect.forEach([1, 2, 3, 4], () => openAccount("5"))
      const answers = yield* Effect.forEach(
        Array.from({ length: 60 }, (_, at) => at),
        (at) => {
          const [from, to] = [accounts[at % 4], accounts[(at * 7 + 1 + (at % 3)) % 4]]
          const body = { from, to, amount: `${1 + (at % 3)}.50` }
          return nodes[at % nodes.length]!.request("POST", path, { body })
        },
        { concurrency: "unbounded" }
      )
      for (const { body, status } of answers) {
        assert.include([200, 400, 409], status, JSON.stringify(body))
        if (status === 409) assert.strictEqual(body.type, "urn:lithair:problem:insufficient-funds")
      }
      const done = answers.filter(({ status }) => status === 200)
      assert.isAbove(done.length, 3)
      const cents = (money: unknown) => Number(String(money).replace(".", ""))
      const held = (yield* listAll(node, "accounts")).filter(({ id }) => accounts.includes(String(id)))
      assert.strictEqual(
        held.reduce((sum, { balance }) => sum + cents(balance), 0),
        2000
      )
      const moved = (yield* listAll(node, "transactions")).filter(({ from }) => accounts.includes(String(from)))
      assert.strictEqual(moved.length, done.length)
      for (const { balance, id } of held) {
        const into = moved.filter(({ to }) => to === id).reduce((sum, { amount }) => sum + cents(amount), 0)
        const out = moved.filter(({ from }) => from === id).reduce((sum, { amount }) => sum + cents(amount), 0)
        assert.strictEqual(cents(balance), 500 + into - out)
        assert.isAtLeast(cents(balance), 0)
      }
    })
  )
}
