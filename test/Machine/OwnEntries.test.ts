/** A leader applies what it encoded without decoding it. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { Circumstances } from "../../src/Machine/Circumstances.ts"
import type { Command } from "../../src/Machine/Command.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as OwnEntries from "../../src/Machine/OwnEntries.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { decode, type Entry, encode } from "../../src/Machine/Transaction.ts"
import { descriptors } from "./Store.ts"

const create = (id: string, price: number, key?: string): Command => ({
  _tag: "Create",
  model: "Product",
  id,
  data: { price, category: "\u2028 \u0001 ü" },
  ...(key === undefined ? {} : { key })
})

const decideOn = (
  machine: Machine.Machine,
  command: Command,
  at: Partial<Circumstances> & { readonly index: number }
) => {
  const entry = Machine.decideNext(machine, command, { nowMs: 1, newId: () => "new", ...at }).entry
  assert.isDefined(entry)
  return entry!
}

const leading = () => {
  const machine = Machine.make(descriptors)
  Machine.beginSpeculation(machine)
  return machine
}

describe("a leader's own entries (D2)", () => {
  it("decode to what was decided, of whatever kind they are", () => {
    const row = { model: "Product", id: "a", version: 1, index: 1, createdIndex: 1, record: { id: "a", price: -1e-7 } }
    const event = {
      model: "Product",
      modelVersion: 1,
      id: "a",
      version: 1,
      previousIndex: 0,
      data: row.record
    } as const
    const decided = { timeMs: 5, logAgeMs: 3, command: "Put", outcome: { _tag: "Accepted" } } as const
    const transactions = [
      { ...decided, events: (["created", "updated", "deleted"] as const).map((type) => ({ ...event, type })) },
      {
        ...decided,
        events: [{ ...event, type: "deleted", cascaded: true }],
        principal: "p",
        key: "k",
        fingerprint: "f"
      },
      { ...decided, events: [], assignedKey: "~0.1.f" },
      {
        ...decided,
        events: [],
        outcome: { _tag: "Accepted", unchanged: [{ position: 0, answer: { ...row, change: "unchanged" } }] }
      },
      { ...decided, events: [], outcome: { _tag: "Accepted", value: { deep: [[null, true, { x: "\ud83d" }]] } } },
      { ...decided, events: [], outcome: { _tag: "Rejected", rejection: { _tag: "KeyClosed" } } },
      { ...decided, events: [], localParts: [{ ...event, createdIndex: 1, data: { id: "a" } }] },
      { ...decided, events: [], limits: { ...Machine.make([]).limits, revision: 1 } }
    ].map((transaction) => transaction as Entry["transaction"])
    for (const transaction of transactions) {
      const { previousIndex: _, ...decodes } = { previousIndex: 0, ...transaction }
      assert.deepStrictEqual(Result.getOrThrow(decode(encode(transaction))), decodes as Entry["transaction"])
    }
  })

  it("leave the same state as their bytes do", () => {
    const leader = leading()
    const follower = Machine.make(descriptors)
    for (let index = 1; index < 50; index++) {
      const entry = decideOn(leader, create(`${index}`, index, index % 3 === 0 ? `k${index}` : undefined), { index })
      Machine.apply(leader, { index, payload: entry.payload })
      Machine.apply(follower, { index, payload: entry.payload.slice() })
      assert.strictEqual(Tables.stateHash(leader.applied), Tables.stateHash(follower.applied))
      assert.strictEqual(leader.ownEntries.size, 0)
    }
    assert.deepStrictEqual(
      [...leader.applied.byModel.get("Product")!.rows.entries()],
      [...follower.applied.byModel.get("Product")!.rows.entries()]
    )
  })

  it("applies what the log holds, if another leader's entry took the index", () => {
    const deposed = leading()
    const elected = leading()
    decideOn(deposed, create("mine", 1), { index: 1 })
    const { payload } = decideOn(elected, create("theirs", 2), { index: 1 })
    Machine.apply(deposed, { index: 1, payload })
    assert.deepStrictEqual([...deposed.applied.byModel.get("Product")!.rows.keys()], ["theirs"])
  })

  it("are forgotten with the speculation that decided them, and held up to a bound", () => {
    const machine = leading()
    const entry = decideOn(machine, create("a", 1), { index: 1 })
    assert.strictEqual(machine.ownEntries.size, 1)
    Machine.dropSpeculation(machine)
    assert.strictEqual(machine.ownEntries.size, 0)
    const own = OwnEntries.make()
    for (let index = 1; index <= OwnEntries.ownEntriesMax + 5; index++) OwnEntries.hold(own, index, entry)
    assert.strictEqual(own.size, OwnEntries.ownEntriesMax)
    assert.isUndefined(OwnEntries.take(own, { index: OwnEntries.ownEntriesMax + 1, payload: entry.payload }))
    assert.strictEqual(OwnEntries.take(own, { index: 1, payload: entry.payload }), entry.transaction)
  })
})
