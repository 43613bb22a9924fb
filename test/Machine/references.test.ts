/** The laws of rules and references: they hold after any sequence of writes, on every node, in whatever way it got there. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { Command, Operation } from "../../src/Machine/Command.ts"
import * as FieldIndex from "../../src/Machine/FieldIndex.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Procedure from "../../src/Machine/Procedure.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { decode } from "../../src/Machine/Transaction.ts"
import { seeded } from "./Seeded.ts"
import { shop } from "./Shop.ts"
import { contentHash, contentOfIndex, leader } from "./Store.ts"

const seeds = Array.from({ length: 40 }, (_, seed) => seed)
type Random = ReturnType<typeof seeded>

const dataOf = (model: string, { below, pick }: Random): object => {
  const customer = () => `c${below(5)}`
  switch (model) {
    case "Customer":
      return { name: `n${below(9)}`, ...(below(2) === 0 ? {} : { invitedBy: customer() }) }
    case "Order": {
      const giftFor = below(8) === 0 ? { giftFor: below(3) === 0 ? null : customer() } : {}
      return {
        customerId: customer(),
        amount: pick(["-1", "0", "1", "2.50"]),
        status: pick(["pending", "paid"]),
        ...giftFor
      }
    }
    case "Note":
      return { orderId: below(4) === 0 ? null : `o${below(6)}` }
    default:
      return { noteId: `t${below(2)}` }
  }
}

const operationOf = (random: Random): Operation => {
  const { below, pick } = random
  const [model, prefix, count] = pick<readonly [string, string, number]>([
    ["Customer", "c", 5],
    ["Order", "o", 6],
    ["Note", "t", 4],
    ["Seal", "s", 3]
  ])
  const id = `${prefix}${below(count)}`
  const data = dataOf(model, random)
  return pick<Operation>([
    { _tag: "Put", model, id, data },
    { _tag: "Create", model, id, data },
    { _tag: "Patch", model, id, data },
    { _tag: "Delete", model, id }
  ])
}

const commandOf = (random: Random): Command => {
  const operations = Array.from({ length: 1 + random.below(4) }, () => operationOf(random))
  const command = random.below(3) === 0 ? ({ _tag: "Transact", operations } as const) : operations[0]!
  return random.below(3) === 0 ? { ...command, key: `k${random.below(200)}` } : command
}

/** Everything that the models say, looked up in no index. */
const assertRules = (tables: Tables.Tables, what: string): void => {
  for (const { brokenRule, name, references, uniqueFields } of shop) {
    const rows = [...tables.byModel.get(name)!.rows.entries()]
    for (const [id, { data }] of rows) {
      assert.strictEqual(brokenRule(data), undefined, `${what}: ${name} ${id}`)
      for (const { field, model } of references) {
        const target = data[field] ?? null
        if (target === null) continue
        assert.isDefined(Tables.get(tables, model, String(target)), `${what}: ${name} ${id} ${field} ${target}`)
      }
    }
    for (const field of uniqueFields) {
      const values = rows.flatMap(([, { data }]) => (data[field] === undefined ? [] : [data[field]]))
      assert.strictEqual(new Set(values).size, values.length, `${what}: ${name} ${field}`)
    }
  }
}

const contentOf = (tables: Tables.Tables) =>
  Array.from(tables.byModel, ([model, table]) => [
    model,
    [...table.rows.entries()],
    table.tombstones.toArray(),
    Array.from(table.indexes, ([field, index]) => [field, contentOfIndex(index)])
  ])

const rebuilt = (tables: Tables.Tables) =>
  Array.from(tables.byModel, ([model, table]) => {
    const fresh = Tables.makeTable(tables.descriptors.get(model))
    for (const [id, row] of table.rows.entries()) FieldIndex.move(fresh, id, { to: row })
    return [model, Array.from(fresh.indexes, ([field, index]) => [field, contentOfIndex(index)])]
  })

const run = (seed: number, check: (leads: ReturnType<typeof leader>, step: string) => void = () => {}) => {
  const random = seeded(seed)
  const leads = leader(Procedure.none, shop)
  for (let step = 0; step < 150; step++) {
    leads.submit(commandOf(random))
    check(leads, `seed ${seed} step ${step}`)
  }
  return leads
}

describe("rules and references", () => {
  it("hold after every write: no record breaks a rule, shares what is unique, or names a record that is not there", () => {
    let deletedCount = 0
    for (const seed of seeds) {
      const { entries } = run(seed, ({ machine }, step) => assertRules(machine.applied, step))
      for (const { payload } of entries) {
        deletedCount += Result.getOrThrow(decode(payload)).events.filter(({ cascaded }) => cascaded === true).length
      }
    }
    assert.isAbove(deletedCount, 50, "cascades happen in these histories")
  })

  it("a copy of a keyed request is told what the first was, cascades or not", () => {
    for (const seed of seeds) {
      const random = seeded(seed)
      const { submit } = leader(Procedure.none, shop)
      for (let step = 0; step < 100; step++) {
        const command = { ...commandOf(random), key: `${step}` }
        const told = submit(command)
        const copy = submit(command)
        const what = `seed ${seed} step ${step}`
        if (told._tag === "Rejected") assert.deepInclude(copy, { _tag: "Rejected", rejection: told.rejection }, what)
        else assert.deepStrictEqual("answer" in copy && copy.answer, "answer" in told && told.answer, what)
      }
    }
  })

  it("replay, speculation and a snapshot give the same records, indexes and hash; every index is a rebuilt one", () => {
    for (const seed of seeds) {
      const { entries, machine } = run(seed)
      const replayed = Machine.make(shop)
      for (const entry of entries) Machine.apply(replayed, entry)
      const restoring = Snapshot.restoring(shop)
      for (const bytes of Snapshot.encode(Snapshot.take(Tables.clone(machine.applied)))) restoring.take(bytes)
      const others = [replayed.applied, machine.speculative!, Result.getOrThrow(restoring.end())]
      for (const [at, tables] of others.entries()) {
        assert.deepStrictEqual(contentOf(tables), contentOf(machine.applied), `seed ${seed}, ${at}`)
        assert.strictEqual(contentHash(tables), Tables.stateHash(machine.applied), `seed ${seed}, ${at}`)
      }
      const held = Array.from(machine.applied.byModel, ([model, { indexes }]) => [
        model,
        Array.from(indexes, ([field, index]) => [field, contentOfIndex(index)])
      ])
      assert.deepStrictEqual(held, rebuilt(machine.applied), `seed ${seed}`)
    }
  })

  it("no record is deleted by code that is too old to know all that refers to it", () => {
    const withOrder = (change: object) => shop.map((each) => (each.name === "Order" ? { ...each, ...change } : each))
    const { entries, submit } = leader(undefined, withOrder({ version: 2 }))
    submit({ _tag: "Create", model: "Customer", id: "c", data: { name: "Ada" } })
    /** What a node decides whose orders refer to nothing yet. */
    const deleted = (version: number) => {
      const machine = Machine.make(withOrder({ references: [], version }))
      for (const entry of entries) Machine.apply(machine, entry)
      Machine.beginSpeculation(machine)
      const at = { index: entries.length + 1, nowMs: 1, newId: () => "x" }
      return Machine.decideNext(machine, { _tag: "Delete", model: "Customer", id: "c" }, at).result
    }
    assert.strictEqual(deleted(1)._tag, "Accepted", "no order is newer than its code")
    submit({ _tag: "Create", model: "Order", id: "o", data: { customerId: "c", amount: "1", status: "pending" } })
    assert.deepInclude(deleted(1), { rejection: { _tag: "UpgradeRequired", model: "Order" } })
  })

  it("a node without the models' code, and so without rules and indexes, has the same hash (D2)", () => {
    for (const seed of seeds.slice(0, 10)) {
      const { entries, machine } = run(seed)
      const bare = Machine.make([])
      for (const entry of entries) Machine.apply(bare, entry)
      assert.strictEqual(Tables.stateHash(bare.applied), Tables.stateHash(machine.applied), `seed ${seed}`)
    }
  })
})
