/** What a model says of its records is kept by every write, and by nothing but `decide`. D2. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { Author } from "../../src/Machine/Author.ts"
import type { Command, Operation } from "../../src/Machine/Command.ts"
import { decideOperation } from "../../src/Machine/decideOperation.ts"
import { evolve } from "../../src/Machine/evolve.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Procedure from "../../src/Machine/Procedure.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Transaction from "../../src/Machine/Transaction.ts"
import * as Model from "../../src/Model.ts"
import { shop } from "./Shop.ts"
import { leader, type Played } from "./Store.ts"

const rejectionOf = (decision: Played) => (decision._tag === "Rejected" ? decision.rejection : undefined)
const put = (model: string, id: string, data: unknown): Operation => ({ _tag: "Put", model, id, data })
const remove = (model: string, id: string): Operation => ({ _tag: "Delete", model, id })

/** A leader that holds these records. */
const shopWith = (...records: ReadonlyArray<Operation>) => {
  const leads = leader(Procedure.none, shop)
  for (const record of records) assert.strictEqual(rejectionOf(leads.submit(record)), undefined)
  const idsOf = (model: string) => [...leads.machine.applied.byModel.get(model)!.rows.keys()]
  return { ...leads, idsOf }
}
const order = (id: string, data: object = {}) =>
  put("Order", id, { customerId: "ada", amount: "1", status: "pending", ...data })
const ada = put("Customer", "ada", { name: "Ada" })
const bob = put("Customer", "bob", { name: "Bob" })

const at = { index: 9, nowMs: 1, newId: () => "new" }

describe("check", () => {
  it("refuses a record that does not keep a rule, by the rule's name, whatever the write", () => {
    const { submit } = shopWith(ada, order("o"))
    const broken = (rule: string, message: string) => ({ _tag: "RuleBroken", model: "Order", rule, message }) as const
    const negative = broken("amount-negative", "An order of -1")
    const { _tag: _, ...record } = order("p", { amount: "-1" }) as Extract<Operation, { readonly _tag: "Put" }>
    assert.deepStrictEqual(rejectionOf(submit({ _tag: "Create", ...record })), negative)
    assert.deepStrictEqual(rejectionOf(submit(order("o", { amount: "-1" }))), negative)
    const patch = { _tag: "Patch", model: "Order", id: "o", data: { amount: "0", status: "paid" } } as const
    const unpaid = broken("nothing-paid", "Order does not keep this rule")
    assert.deepStrictEqual(rejectionOf(submit(patch)), unpaid)
    const operations = [order("p"), patch]
    assert.deepStrictEqual(rejectionOf(submit({ _tag: "Transact", operations })), { operation: 1, ...unpaid })
    assert.strictEqual(rejectionOf(submit(order("o", { amount: "2", status: "paid" }))), undefined)
  })

  it("a rule without a name is the problem rule-broken", () => {
    const { submit } = shopWith()
    assert.deepInclude(rejectionOf(submit(put("Account", "a", { balance: -1 }))), { _tag: "CommandOnly" })
    const create: Command = { _tag: "Create", model: "Account", id: "a", data: { balance: -1 } }
    assert.deepInclude(rejectionOf(submit(create)), { _tag: "RuleBroken", rule: "rule-broken" })
  })

  it("one that throws, or gives anything but true, refuses the record, and no node stops for it (D2)", () => {
    const wild = (check: () => unknown) =>
      Model.describe(
        Model.Class<object>("Wild")(
          { id: Model.id(Schema.String), name: Model.replicate(Schema.String) },
          { check: check as () => boolean }
        )
      )
    const thrown = () => {
      throw new Error("secret")
    }
    const waiting = [() => Promise.resolve(true), () => Promise.reject(new Error("secret"))]
    for (const check of [thrown, () => undefined, () => 1, ...waiting, () => "x".repeat(1_000_000)]) {
      const { machine, submit } = leader(Procedure.none, [wild(check)])
      const rejection = rejectionOf(submit({ ...put("Wild", "a", { name: "n" }), key: "k" }))
      assert.strictEqual(rejection?._tag, "RuleBroken")
      assert.isBelow(JSON.stringify(rejection).length, 1000)
      assert.notInclude(JSON.stringify(rejection), "secret")
      assert.strictEqual(machine.applied.byModel.get("Wild")?.rows.size, 0)
    }
  })

  it("is not checked when events are applied: a node evolves even a record that it would refuse", () => {
    const { machine, submit } = shopWith(ada, order("o"))
    const event = { type: "updated", model: "Order", modelVersion: 1, id: "o", version: 2, previousIndex: 2 } as const
    const data = { id: "o", customerId: "nobody", amount: "-1", status: "paid" }
    const events = [{ ...event, data }]
    const { lastTimeMs: timeMs, logAgeMs } = machine.applied
    const payload = Transaction.encode({ timeMs, logAgeMs, command: "Put", events, outcome: { _tag: "Accepted" } })
    Machine.apply(machine, { index: 3, payload })
    assert.deepStrictEqual(Tables.get(machine.applied, "Order", "o")?.data, data)
    assert.strictEqual(rejectionOf(submit(remove("Customer", "ada"))), undefined)
  })
})

describe("writes", () => {
  it("change by commands alone: a request creates, and does nothing else", () => {
    const { submit } = shopWith({ _tag: "Create", model: "Account", id: "a", data: { balance: 1 } })
    const refused = { _tag: "CommandOnly", model: "Account" } as const
    for (const id of ["a", "b"]) {
      const patch = { _tag: "Patch", model: "Account", id, data: { balance: 2 } } as const
      for (const operation of [put("Account", id, { balance: 2 }), patch, remove("Account", id)]) {
        assert.deepStrictEqual(rejectionOf(submit(operation)), refused)
        const operations = [operation]
        assert.deepStrictEqual(rejectionOf(submit({ _tag: "Transact", operations })), { operation: 0, ...refused })
      }
    }
  })

  it("created by commands alone: a request changes what is there, and a PUT makes nothing", () => {
    const fields = { id: Model.id(Schema.String), a: Model.replicate(Schema.Finite) }
    const described = Model.describe(Model.Class<object>("Made")(fields, { writes: { create: "commands" } }))
    const { machine, submit } = leader(Procedure.none, [described])
    const refused = { _tag: "CommandOnly", model: "Made" } as const
    assert.deepStrictEqual(rejectionOf(submit(put("Made", "m", { a: 1 }))), refused)
    assert.deepStrictEqual(rejectionOf(submit({ _tag: "Create", model: "Made", data: { a: 1 } })), refused)
    const made = decideOperation(machine.applied, put("Made", "m", { a: 1 }), { ...at, index: 1 }, "command")
    const events = made._tag === "Success" ? made.success.events : []
    const transaction = { timeMs: 1, logAgeMs: 1, command: "make", events, outcome: { _tag: "Accepted" } } as const
    for (const tables of [machine.applied, machine.speculative!]) evolve(tables, { index: 1, transaction })
    assert.strictEqual(rejectionOf(submit(put("Made", "m", { a: 2 }))), undefined)
    assert.strictEqual(rejectionOf(submit(remove("Made", "m"))), undefined)
    assert.deepStrictEqual(rejectionOf(submit(put("Made", "m", { a: 2 }))), refused)
  })

  it("a command may do what requests may not; an append-only record never changes", () => {
    const { machine } = shopWith({ _tag: "Create", model: "Account", id: "a", data: { balance: 1 } })
    const decided = (operation: Operation, author: Author) => {
      const result = decideOperation(machine.applied, operation, at, author)
      return result._tag === "Success" ? "done" : result.failure._tag
    }
    const create: Operation = { _tag: "Create", model: "Transfer", data: { amount: 1 } }
    const answers = [create, put("Transfer", "t", { amount: 1 }), remove("Transfer", "t")].map((operation) => [
      decided(operation, "request"),
      decided(operation, "command")
    ])
    assert.deepStrictEqual(answers, [
      ["CommandOnly", "done"],
      ["AppendOnly", "AppendOnly"],
      ["AppendOnly", "AppendOnly"]
    ])
    assert.strictEqual(decided(put("Account", "a", { balance: 2 }), "command"), "done")
    assert.strictEqual(decided(remove("Account", "a"), "command"), "done")
  })
})

describe("references", () => {
  it("name a record that is there when it is written, one of the same transaction or itself included", () => {
    const { submit } = shopWith(ada)
    const missing = {
      _tag: "ReferenceMissing",
      model: "Order",
      field: "customerId",
      target: "Customer",
      id: "bob"
    } as const
    const orders = order("o", { customerId: "bob" })
    assert.deepStrictEqual(rejectionOf(submit(orders)), missing)
    const backwards = rejectionOf(submit({ _tag: "Transact", operations: [orders, bob] }))
    assert.deepStrictEqual(backwards, { operation: 0, ...missing })
    assert.strictEqual(rejectionOf(submit({ _tag: "Transact", operations: [bob, orders] })), undefined)
    const lost = { _tag: "Patch", model: "Order", id: "o", data: { giftFor: "eve" } } as const
    assert.deepInclude(rejectionOf(submit(lost)), { _tag: "ReferenceMissing", field: "giftFor", id: "eve" })
    assert.strictEqual(rejectionOf(submit({ ...lost, data: { giftFor: null } })), undefined)
    assert.strictEqual(rejectionOf(submit(put("Customer", "eve", { name: "Eve", invitedBy: "eve" }))), undefined)
  })

  it("restrict: a record with references to it is not deleted, and the refusal names the first of them", () => {
    const { submit } = shopWith(ada, bob, order("p", { giftFor: "bob" }), order("o", { giftFor: "bob" }))
    const by = { model: "Order", field: "giftFor", id: "o" }
    const referenced = { _tag: "Referenced", model: "Customer", id: "bob", by } as const
    assert.deepStrictEqual(rejectionOf(submit(remove("Customer", "bob"))), referenced)
    const operations = [remove("Order", "o"), remove("Order", "p"), remove("Customer", "bob")]
    assert.strictEqual(rejectionOf(submit({ _tag: "Transact", operations })), undefined)
  })

  it("cascade: records that refer to a deleted one end with it, in one entry, each with its own version", () => {
    const { entries, idsOf, machine, submit } = shopWith(
      ada,
      bob,
      put("Customer", "eve", { name: "Eve", invitedBy: "ada" }),
      order("o"),
      order("p", { customerId: "eve" }),
      order("q", { customerId: "bob" }),
      put("Note", "n", { orderId: "p" }),
      put("Note", "m", { orderId: null })
    )
    const count = entries.length
    const decision = submit({ ...remove("Customer", "ada"), key: "k" })
    assert.strictEqual(entries.length, count + 1)
    assert.deepStrictEqual([idsOf("Customer"), idsOf("Order"), idsOf("Note")], [["bob"], ["q"], ["m"]])
    assert.strictEqual(machine.applied.byModel.get("Note")!.tombstones.get("n")?.version, 2)
    const events = decision.entry?.transaction.events ?? []
    assert.deepStrictEqual(
      events.map(({ cascaded, id }) => [id, cascaded === true]),
      [...["n", "p", "o", "eve"].map((id) => [id, true]), ["ada", false]]
    )
    // The client asked for one deletion, and is told of one, the second time as the first.
    const answer = decision._tag === "Accepted" ? decision.answer : undefined
    assert.strictEqual(answer?.operations.length, 1)
    const again = submit({ ...remove("Customer", "ada"), key: "k" })
    assert.deepStrictEqual(again._tag === "Accepted" && again.answer, answer)
  })

  it("a cascade stops at a record that must stay, unless that one ends too; then nothing is done", () => {
    const { idsOf, submit } = shopWith(
      ada,
      order("o", { giftFor: "ada" }),
      put("Note", "n", { orderId: "o" }),
      put("Seal", "s", { noteId: "n" })
    )
    const by = { model: "Seal", field: "noteId", id: "s" }
    const refused = { _tag: "Referenced", model: "Note", id: "n", by } as const
    assert.deepStrictEqual(rejectionOf(submit(remove("Customer", "ada"))), refused)
    assert.deepStrictEqual(idsOf("Customer"), ["ada"])
    submit(remove("Seal", "s"))
    // The order restricts the deletion of the customer with whom it ends: it does not stay, and so does not restrict.
    assert.strictEqual(rejectionOf(submit(remove("Customer", "ada"))), undefined)
    assert.deepStrictEqual([idsOf("Customer"), idsOf("Order"), idsOf("Note")], [[], [], []])
  })

  it("a circle of references ends as a whole", () => {
    const invite = (id: string, by: string) =>
      ({ _tag: "Patch", model: "Customer", id, data: { invitedBy: by } }) as const
    const { idsOf, submit } = shopWith(ada, bob, invite("ada", "bob"), invite("bob", "ada"))
    assert.strictEqual(rejectionOf(submit(remove("Customer", "bob"))), undefined)
    assert.deepStrictEqual(idsOf("Customer"), [])
  })

  it("a cascade of more than 10,000 events is refused, also as a part of a transaction", () => {
    const people = Array.from({ length: 10_000 }, (_, n) =>
      put("Customer", `p${n}`, { name: `${n}`, invitedBy: n < 5_000 ? "ada" : "bob" })
    )
    const { idsOf, submit } = shopWith(ada, bob, { _tag: "Patch", model: "Customer", id: "bob", data: {} })
    assert.strictEqual(rejectionOf(submit({ _tag: "Transact", operations: people })), undefined)
    const both = [remove("Customer", "ada"), remove("Customer", "bob")]
    const tooLarge = { _tag: "TooLarge", limit: "events", max: 10_000 } as const
    assert.deepStrictEqual(rejectionOf(submit({ _tag: "Transact", operations: both })), { operation: 1, ...tooLarge })
    submit({ _tag: "Patch", model: "Customer", id: "bob", data: { invitedBy: "ada" } })
    assert.deepStrictEqual(rejectionOf(submit(remove("Customer", "ada"))), tooLarge)
    assert.strictEqual(idsOf("Customer").length, 10_002)
    assert.strictEqual(rejectionOf(submit(remove("Customer", "bob"))), undefined)
    assert.strictEqual(idsOf("Customer").length, 5_001)
  })

  it("a cascade of more than 8 MiB is refused before it is written, however few its events", () => {
    const { idsOf, submit } = shopWith(ada)
    const name = "x".repeat(1024 * 1024)
    for (let n = 0; n < 9; n++) submit(put("Customer", `p${n}`, { name: `${name}${n}`, invitedBy: "ada" }))
    const tooLarge = { _tag: "TooLarge", limit: "bytes", max: 8 * 1024 * 1024 } as const
    assert.deepStrictEqual(rejectionOf(submit(remove("Customer", "ada"))), tooLarge)
    assert.lengthOf(idsOf("Customer"), 10)
    submit(remove("Customer", "p0"))
    submit(remove("Customer", "p1"))
    assert.strictEqual(rejectionOf(submit(remove("Customer", "ada"))), undefined)
  })

  it("a reference to no replicated model, and a cascade to what is append-only, are mistakes in the code", () => {
    const fields = { id: Model.id(Schema.String), a: Model.replicate(Schema.String) }
    const references = { a: { model: "Nobody", onDelete: "cascade" } } as const
    const lost = Model.describe(Model.Class<object>("Lost")(fields, { references }))
    assert.throws(() => Machine.make([lost]), /"Lost" refers to "Nobody" by "a"/)
    assert.throws(() => Model.Class<object>("Lost")(fields, { references, writes: { change: "never" } }), /append-only/)
    assert.throws(() => Model.Class<object>("Lost")(fields, { check: { "Not Kebab": () => true } }), /kebab case/)
  })
})
