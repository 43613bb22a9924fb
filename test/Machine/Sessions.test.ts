import { assert, describe, it } from "@effect/vitest"
import type { Command } from "../../src/Machine/Command.ts"
import * as Limits from "../../src/Machine/Limits.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Sessions from "../../src/Machine/Sessions.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { descriptors, isUnchanged, leader } from "./Store.ts"

const keyed: Command = {
  _tag: "Create",
  model: "Product",
  data: { price: 1 },
  principal: "p",
  key: "k",
  fingerprint: "f"
}

describe("an idempotency key (C17)", () => {
  it("makes a copy answer what the first was told, and nothing happens twice", () => {
    const { entries, machine, submit } = leader()
    const first = submit(keyed)
    const copy = submit(keyed)
    assert.strictEqual(first._tag, "Accepted")
    if (first._tag !== "Accepted") return
    assert.deepStrictEqual(copy, { _tag: "Accepted", answer: first.answer, replayedIndex: 1 })
    assert.strictEqual(entries.length, 1)
    assert.strictEqual(machine.applied.byModel.get("Product")?.rows.size, 1)
  })

  it("remembers a rejection: a delayed copy is not done when it has become possible (D2)", () => {
    const { submit } = leader()
    const patch: Command = { _tag: "Patch", model: "Product", id: "x", data: { price: 2 }, key: "k" }
    const first = submit(patch)
    const rejection = { _tag: "NotFound", model: "Product", id: "x" } as const
    assert.deepInclude(first, { _tag: "Rejected", rejection })
    submit({ _tag: "Create", model: "Product", id: "x", data: { price: 1 } })
    assert.deepStrictEqual(submit(patch), { _tag: "Rejected", rejection, replayedIndex: 1 })
  })

  it("with another request is refused, and the first outcome stays", () => {
    const { submit } = leader()
    submit(keyed)
    const reused = submit({ ...keyed, fingerprint: "g" })
    assert.deepStrictEqual(reused, { _tag: "Rejected", rejection: { _tag: "KeyReused" } })
    assert.deepInclude(submit(keyed), { _tag: "Accepted", replayedIndex: 1 })
  })

  it("is its principal's own, and no two pairs run together", () => {
    const { submit } = leader()
    submit(keyed)
    assert.strictEqual(submit({ ...keyed, principal: "q" })._tag, "Accepted")
    assert.strictEqual(submit({ ...keyed, principal: "p,k", key: "" })._tag, "Accepted")
  })

  it("survives replay, with the same answer, also of what changed nothing", () => {
    const { entries, machine, submit } = leader()
    const create: Command = { _tag: "Put", model: "Product", id: "a", data: { price: 1 } }
    submit(create)
    const operations = [create, { ...create, id: "b" }, { _tag: "Delete", model: "Product", id: "a" } as const]
    const told = submit({ _tag: "Transact", operations, key: "k" })
    const replayed = Machine.make(descriptors)
    for (const entry of entries) Machine.apply(replayed, entry)
    const session = Sessions.find(replayed.applied, { key: "k" }, 2)
    assert.deepStrictEqual(
      session?._tag === "Kept" ? session.outcome : undefined,
      told._tag === "Accepted" ? { _tag: "Accepted", answer: told.answer } : undefined
    )
    assert.strictEqual(Tables.stateHash(replayed.applied), Tables.stateHash(machine.applied))
  })

  it("expires when the log is 24 hours older, and is dropped then", () => {
    const { machine, submit } = leader()
    submit(keyed, { monotonicMs: 5 })
    assert.isTrue(isUnchanged(submit(keyed, { monotonicMs: 5 + Limits.initial.keyLifetimeMs })))
    assert.strictEqual(submit(keyed, { monotonicMs: 6 + Limits.initial.keyLifetimeMs })._tag, "Accepted")
    assert.strictEqual(machine.applied.sessions.size, 1)
    assert.strictEqual(machine.applied.sessionOrder.size, 1)
  })

  it("does not expire by a wall clock that jumps, however far (C19)", () => {
    const { machine, submit } = leader()
    submit(keyed, { nowMs: 0 })
    const yearMs = 365 * 24 * 60 * 60 * 1000
    submit({ ...keyed, key: "other" }, { nowMs: yearMs })
    assert.strictEqual(machine.applied.lastTimeMs, yearMs)
    assert.isTrue(isUnchanged(submit(keyed, { nowMs: 0 })))
    assert.isTrue(isUnchanged(submit(keyed, { nowMs: 2 * yearMs })))
  })
})
