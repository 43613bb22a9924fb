import { assert, describe, it } from "@effect/vitest"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { descriptors, isUnchanged, leader } from "./Store.ts"

const rejectionOf = (decision: ReturnType<ReturnType<typeof leader>["submit"]>) =>
  decision._tag === "Rejected" ? decision.rejection : undefined
const answerOf = (decision: ReturnType<ReturnType<typeof leader>["submit"]>) =>
  "answer" in decision ? decision.answer.operations[0] : undefined

const ada = { _tag: "Create", model: "User", id: "a", data: { email: "ada@x" } } as const

describe("Create", () => {
  it("makes a record of version 1, with an id of its own where none is given", () => {
    const { machine, submit } = leader()
    const answer = answerOf(submit({ _tag: "Create", model: "Product", data: { price: 2 } }))
    assert.deepStrictEqual(answer, {
      change: "created",
      model: "Product",
      id: "id1",
      version: 1,
      index: 1,
      createdIndex: 1,
      modelVersion: 1,
      record: { id: "id1", price: 2 }
    })
    assert.deepStrictEqual(Tables.get(machine.applied, "Product", "id1")?.data, { id: "id1", price: 2 })
  })

  it("is refused where the id is in use, even with the same data", () => {
    const { submit } = leader()
    submit(ada)
    assert.deepStrictEqual(rejectionOf(submit(ada)), { _tag: "AlreadyExists", model: "User", id: "a" })
  })

  it("refuses data that the model does not hold: unknown, local and dangerous fields, contradictory ids, depth", () => {
    const { machine, submit } = leader()
    const paths = (data: unknown) => {
      const rejection = rejectionOf(submit({ _tag: "Create", model: "User", id: "a", data }))
      return rejection?._tag === "InvalidRequest" ? rejection.errors.map((error) => error.path) : undefined
    }
    assert.deepStrictEqual(paths({ email: "e", extra: 1 }), ["extra"])
    assert.deepStrictEqual(paths({ email: "e", note: "only the node's own log may hold it" }), ["note"])
    assert.deepStrictEqual(paths(JSON.parse('{"email":"e","__proto__":{"x":1}}')), ["__proto__"])
    assert.deepStrictEqual(paths({ email: "e", id: "b" }), ["id"])
    assert.deepStrictEqual(paths([]), [""])
    assert.deepStrictEqual(paths(JSON.parse(`{"email":${"[".repeat(100_000)}${"]".repeat(100_000)}}`)), [""])
    assert.strictEqual(machine.applied.index, 0)
  })

  it("keeps __proto__ and constructor as data where the model allows any key", () => {
    const { machine, submit } = leader()
    const data = JSON.parse('{"email":"e","tags":{"__proto__":"p","constructor":"c"}}')
    assert.strictEqual(answerOf(submit({ _tag: "Create", model: "User", id: "a", data }))?.change, "created")
    submit({ _tag: "Patch", model: "User", id: "a", data: JSON.parse('{"tags":{"__proto__":"q"}}') })
    const held = JSON.stringify(Tables.get(machine.applied, "User", "a")?.data)
    assert.strictEqual(held, '{"id":"a","email":"e","tags":{"__proto__":"q","constructor":"c"}}')
  })

  it("is refused for a model that is newer in the log than in this code, or unknown to it, and not remembered: newer code may do it", () => {
    const { entries, machine, submit } = leader()
    const nowhere = { _tag: "Create", model: "toString", data: {}, key: "k" } as const
    const unknown = { _tag: "UpgradeRequired", model: "toString" } as const
    assert.deepStrictEqual(rejectionOf(submit(nowhere)), unknown)
    const { key, ...operation } = nowhere
    const together = { _tag: "Transact", operations: [ada, operation], key } as const
    assert.deepStrictEqual(rejectionOf(submit(together)), { ...unknown, operation: 1 })
    machine.speculative!.byModel.get("User")!.modelVersion = 2
    assert.deepStrictEqual(rejectionOf(submit({ ...ada, key })), { _tag: "UpgradeRequired", model: "User" })
    assert.strictEqual(entries.length, 0)
  })
})

describe("unique fields", () => {
  it("a value is held by one record until that record gives it up", () => {
    const { submit } = leader()
    submit(ada)
    const other = { ...ada, id: "b" }
    assert.deepStrictEqual(rejectionOf(submit(other)), { _tag: "UniqueViolation", model: "User", field: "email" })
    submit({ _tag: "Patch", model: "User", id: "a", data: { email: "new@x" } })
    assert.strictEqual(answerOf(submit(other))?.version, 1)
    submit({ _tag: "Delete", model: "User", id: "a" })
    assert.strictEqual(answerOf(submit({ ...ada, id: "c", data: { email: "new@x" } }))?.version, 1)
  })
})

describe("Put and Patch", () => {
  it("Put creates, then replaces; the same record again appends nothing", () => {
    const { entries, submit } = leader()
    const put = { _tag: "Put", model: "Product", id: "p", data: { price: 1, category: "c" } } as const
    assert.strictEqual(answerOf(submit(put))?.change, "created")
    assert.deepStrictEqual(answerOf(submit({ ...put, data: { price: 1 } }))?.record, { id: "p", price: 1 })
    assert.isTrue(isUnchanged(submit({ ...put, data: { id: "p", price: 1 } })))
    assert.strictEqual(entries.length, 2)
  })

  it("Patch merges, and null removes a field that may be absent (RFC 7396)", () => {
    const { submit } = leader()
    submit({ _tag: "Put", model: "Product", id: "p", data: { price: 1, category: "c" } })
    const patch = (data: unknown) => submit({ _tag: "Patch", model: "Product", id: "p", data })
    assert.deepStrictEqual(answerOf(patch({ price: 2 }))?.record, { id: "p", price: 2, category: "c" })
    assert.deepStrictEqual(answerOf(patch({ category: null }))?.record, { id: "p", price: 2 })
    assert.strictEqual(rejectionOf(patch({ price: null }))?._tag, "InvalidRequest")
    assert.strictEqual(rejectionOf(patch({ id: null }))?._tag, "InvalidRequest")
    assert.isTrue(isUnchanged(patch({ price: 2 })))
  })

  it("an absent record is not patched or deleted", () => {
    const { submit } = leader()
    const missing = { _tag: "NotFound", model: "Product", id: "p" } as const
    assert.deepStrictEqual(rejectionOf(submit({ _tag: "Patch", model: "Product", id: "p", data: {} })), missing)
    assert.deepStrictEqual(rejectionOf(submit({ _tag: "Delete", model: "Product", id: "p" })), missing)
  })
})

describe("conditions", () => {
  it("another version, an absent record, or one that must be absent, is a conflict", () => {
    const { submit } = leader()
    const put = { _tag: "Put", model: "Product", id: "p", data: { price: 1 } } as const
    const conflict = (currentVersion: number | null) => ({ _tag: "VersionConflict", currentVersion }) as const
    assert.deepStrictEqual(rejectionOf(submit({ ...put, ifMatch: [1] })), conflict(null))
    submit({ ...put, ifNoneMatch: true })
    assert.deepStrictEqual(rejectionOf(submit({ ...put, ifNoneMatch: true })), conflict(1))
    assert.deepStrictEqual(rejectionOf(submit({ ...put, ifMatch: [2] })), conflict(1))
    assert.deepStrictEqual(
      rejectionOf(submit({ _tag: "Delete", model: "Product", id: "p", ifMatch: [7] })),
      conflict(1)
    )
    assert.strictEqual(answerOf(submit({ ...put, data: { price: 2 }, ifMatch: [1] }))?.version, 2)
  })
})

describe("versions, time and bounds", () => {
  it("versions go on through deletion and re-creation", () => {
    const { submit } = leader()
    submit(ada)
    assert.strictEqual(answerOf(submit({ _tag: "Delete", model: "User", id: "a" }))?.version, 2)
    assert.strictEqual(answerOf(submit(ada))?.version, 3)
  })

  it("time never goes back when the clock does (D6)", () => {
    const { machine, submit } = leader()
    submit(ada, { nowMs: 1000 })
    submit({ ...ada, id: "b", data: { email: "b@x" } }, { nowMs: 10 })
    assert.strictEqual(machine.applied.lastTimeMs, 1000)
  })

  it("an entry of more than 8 MiB is refused before it is appended", () => {
    const { entries, submit } = leader()
    const rejection = rejectionOf(submit({ ...ada, data: { email: "x".repeat(8 * 1024 * 1024) } }))
    assert.deepStrictEqual(rejection, { _tag: "TooLarge", limit: "bytes", max: 8 * 1024 * 1024 })
    assert.strictEqual(entries.length, 0)
  })

  it("operations that change nothing count as well: they are answered whole, and remembered with a key", () => {
    const { entries, submit } = leader()
    submit({ ...ada, data: { email: "x".repeat(1024 * 1024) } })
    const operations = Array.from(
      { length: 1000 },
      () => ({ _tag: "Patch", model: "User", id: "a", data: {} }) as const
    )
    const tooLarge = { operation: 7, _tag: "TooLarge", limit: "bytes", max: 8 * 1024 * 1024 } as const
    assert.deepStrictEqual(rejectionOf(submit({ _tag: "Transact", operations })), tooLarge)
    assert.deepStrictEqual(rejectionOf(submit({ _tag: "Transact", operations, key: "k" })), tooLarge)
    assert.deepStrictEqual(entries.length, 2)
  })

  it("with a key a rejection is an entry without events, and so is a change that changes nothing (D2)", () => {
    const { entries, machine, submit } = leader()
    submit({ _tag: "Delete", model: "User", id: "a", key: "k1", principal: "p" })
    submit(ada)
    submit({ _tag: "Patch", model: "User", id: "a", data: {}, key: "k2" })
    assert.strictEqual(entries.length, 3)
    assert.strictEqual(machine.applied.byModel.get("User")?.rows.size, 1)
  })
})

describe("Transact", () => {
  it("each operation sees those before it, and all share one entry", () => {
    const { entries, machine, submit } = leader()
    const operations = [ada, { _tag: "Patch", model: "User", id: "a", ifMatch: [1], data: { email: "b" } }] as const
    assert.strictEqual(submit({ _tag: "Transact", operations })._tag, "Accepted")
    assert.strictEqual(entries.length, 1)
    assert.strictEqual(Tables.get(machine.applied, "User", "a")?.version, 2)
  })

  it("one refused operation undoes all, and is named", () => {
    const { machine, submit } = leader()
    const operations = [ada, { ...ada, id: "b" }]
    assert.strictEqual(rejectionOf(submit({ _tag: "Transact", operations }))?.operation, 1)
    assert.strictEqual(Tables.get(machine.applied, "User", "a"), undefined)
    assert.strictEqual(Tables.get(machine.speculative!, "User", "a"), undefined)
  })
})

describe("speculation", () => {
  it("decides ahead of what is applied, and forgets it when dropped", () => {
    const machine = Machine.make(descriptors)
    Machine.beginSpeculation(machine)
    const at = (index: number) => ({ index, nowMs: 1, newId: () => "n" })
    assert.strictEqual(Machine.decideNext(machine, ada, at(1)).result._tag, "Accepted")
    assert.strictEqual(Machine.decideNext(machine, ada, at(2)).result._tag, "Rejected")
    Machine.dropSpeculation(machine)
    assert.throws(() => Machine.decideNext(machine, ada, at(2)))
    Machine.beginSpeculation(machine)
    assert.strictEqual(Machine.decideNext(machine, ada, at(1)).result._tag, "Accepted")
    assert.strictEqual(Tables.get(machine.applied, "User", "a"), undefined)
  })
})
