/** Erasures: what they decide, what is left of the entries before them, and what no state remembers. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { Command } from "../../src/Machine/Command.ts"
import * as Erasure from "../../src/Machine/Erasure.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import { recall } from "../../src/Machine/Recall.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as StateContent from "../../src/Machine/StateContent.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { decode, encode } from "../../src/Machine/Transaction.ts"
import type { Descriptor } from "../../src/Model.ts"
import { shop } from "./Shop.ts"
import { assertDecodesToItself, descriptors, isUnchanged, leader } from "./Store.ts"

/** It stands in no id. */
const marker = "XYZZY"
const customer = (id: string, key?: string): Command => ({
  _tag: "Put",
  model: "Customer",
  id,
  data: { name: `${marker} ${id}` },
  ...(key === undefined ? {} : { key })
})
const order = (id: string, customerId: string): Command => ({
  _tag: "Put",
  model: "Order",
  id,
  data: { customerId, amount: "1", status: "pending" }
})
const erase = (model: string, id: string): Command => ({ _tag: "Erase", model, id })

type Leads = ReturnType<typeof leader>

const snapshotOf = (tables: Tables.Tables): Buffer =>
  Buffer.concat([...Snapshot.encode(Snapshot.take(Tables.clone(tables)))])

const restored = (models: ReadonlyArray<Descriptor>, tables: Tables.Tables): Tables.Tables => {
  const restoring = Snapshot.restoring(models)
  restoring.take(snapshotOf(tables))
  return Result.getOrThrow(restoring.end())
}

/** The entries as files hold them after the erasures. */
const blankedLog = ({ entries, machine }: Leads) => {
  const erasures = Erasure.erasuresOf(machine.applied)
  return entries.map(({ index, payload }) => {
    const transaction = Result.getOrThrow(decode(payload))
    const left = Erasure.blanked(transaction, index, erasures)
    assert.strictEqual(Erasure.blanked(left, index, erasures), left, "nothing is blanked twice")
    const bytes = left === transaction ? payload : encode(left)
    assertDecodesToItself({ payload: bytes, transaction: left })
    assert.isUndefined(Erasure.unnamedIn(left, index, erasures))
    return { index, payload: bytes, transaction: left }
  })
}

const replayed = (models: ReadonlyArray<Descriptor>, log: ReturnType<typeof blankedLog>): Tables.Tables => {
  const machine = Machine.make(models)
  for (const entry of log) Machine.apply(machine, entry)
  return machine.applied
}

describe("an erasure", () => {
  it("deletes the record with those that end with it, and tells the data of none", () => {
    const leads = leader(undefined, shop)
    const { entries, machine, submit } = leads
    submit(customer("c1"))
    submit(order("o1", "c1"))
    submit(customer("c2"))
    assert.strictEqual(submit(erase("Customer", "c1"))._tag, "Accepted")
    const { erased, events } = Result.getOrThrow(decode(entries.at(-1)!.payload))
    assert.deepStrictEqual(
      events.map(({ cascaded, data, erased, id, type }) => ({ cascaded, data, erased, id, type })),
      [
        { cascaded: true, data: {}, erased: true, id: "o1", type: "deleted" },
        { cascaded: undefined, data: {}, erased: true, id: "c1", type: "deleted" }
      ]
    )
    assert.deepStrictEqual(erased, [
      { model: "Customer", id: "c1" },
      { model: "Order", id: "o1" }
    ])
    assert.isUndefined(Tables.get(machine.applied, "Customer", "c1"))
    assert.isUndefined(Tables.get(machine.applied, "Order", "o1"))
    assert.isDefined(Tables.get(machine.applied, "Customer", "c2"))
  })

  it("is refused while another record refers to it, and of a record that never was", () => {
    const { submit } = leader(undefined, shop)
    submit(customer("c1"))
    submit(customer("c2"))
    submit({
      ...order("o1", "c2"),
      data: { customerId: "c2", giftFor: "c1", amount: "1", status: "pending" }
    } as Command)
    assert.deepInclude(submit(erase("Customer", "c1")), {
      _tag: "Rejected",
      rejection: { _tag: "Referenced", model: "Customer", id: "c1", by: { model: "Order", field: "giftFor", id: "o1" } }
    })
    assert.deepInclude(submit(erase("Customer", "c9")), {
      rejection: { _tag: "NotFound", model: "Customer", id: "c9" }
    })
  })

  it("is bound by references, and not by what the model allows to clients", () => {
    const { machine, submit } = leader(undefined, shop)
    submit({ _tag: "Create", model: "Account", id: "a1", data: { balance: 1 } })
    assert.deepInclude(submit({ _tag: "Delete", model: "Account", id: "a1" }), {
      rejection: { _tag: "CommandOnly", model: "Account" }
    })
    assert.strictEqual(submit(erase("Account", "a1"))._tag, "Accepted")
    assert.isUndefined(Tables.get(machine.applied, "Account", "a1"))
  })

  it("also names a record that was deleted before, and is decided once", () => {
    const leads = leader(undefined, shop)
    leads.submit(customer("c1"))
    leads.submit({ _tag: "Delete", model: "Customer", id: "c1" })
    leads.submit(erase("Customer", "c1"))
    assert.isTrue(isUnchanged(leads.submit(erase("Customer", "c1"))))
    assert.notInclude(
      blankedLog(leads)
        .map(({ payload }) => Buffer.from(payload).toString())
        .join(),
      marker
    )
    // The id goes on, and what comes after the erasure is not erased.
    leads.submit(customer("c1"))
    assert.strictEqual(Tables.get(leads.machine.applied, "Customer", "c1")?.version, 3)
    const last = blankedLog(leads).at(-1)!
    assert.include(Buffer.from(last.payload).toString(), marker)
  })

  it("waits for the format that all members know", () => {
    const { submit } = leader(undefined, shop, { newest: 2, begins: 2 })
    submit(customer("c1"))
    assert.deepInclude(submit(erase("Customer", "c1")), { rejection: { _tag: "UpgradePending", model: "Customer" } })
  })
})

describe("what an erasure leaves", () => {
  it("is a log without the data, of which every replay ends in the same state", () => {
    const leads = leader(undefined, shop)
    const { machine, submit } = leads
    for (const id of ["c1", "c2", "c3"]) submit(customer(id))
    submit(order("o1", "c1"))
    submit({ _tag: "Patch", model: "Customer", id: "c1", data: { name: `${marker} again` } })
    for (const id of ["c1", "c2", "c3"]) submit(erase("Customer", id))
    const log = blankedLog(leads)
    assert.notInclude(log.map(({ payload }) => Buffer.from(payload).toString()).join(), marker)
    assert.strictEqual(Tables.stateHash(replayed(shop, log)), Tables.stateHash(machine.applied))
  })

  it("is a state that no snapshot tells the data of, and that a restore counts alike", () => {
    const leads = leader(undefined, shop)
    const { machine, submit } = leads
    submit(customer("c1", "key"))
    submit(customer("c2"))
    assert.include(snapshotOf(machine.applied).toString(), `${marker} c1`)
    submit(erase("Customer", "c1"))
    const bytes = snapshotOf(machine.applied).toString()
    assert.notInclude(bytes, `${marker} c1`)
    assert.include(bytes, `${marker} c2`)
    const again = restored(shop, machine.applied)
    assert.strictEqual(Tables.stateHash(again), Tables.stateHash(machine.applied))
    assert.strictEqual(StateHash.toHex(StateContent.hashOf(again)), Tables.stateHash(again))
    assert.strictEqual(Erasure.erasuresOf(again).erasedAt("Customer", "c1"), 3)
    assert.strictEqual(Erasure.lastErasure(again), 3)
  })

  it("answers a copy of a keyed request that its outcome is erased, from state and from log", () => {
    const leads = leader(undefined, shop)
    leads.submit(customer("c1", "key"))
    leads.submit(erase("Customer", "c1"))
    // The state sends the copy to the log.
    assert.deepInclude(leads.submit(customer("c1", "key")), { _tag: "Logged", replayedIndex: 1 })
    const [first] = blankedLog(leads)
    assert.deepStrictEqual(recall(leads.machine.applied, first!), {
      _tag: "Rejected",
      rejection: { _tag: "OutcomeErased" }
    })
  })

  it("forgets the answer of a keyed request that changed nothing", () => {
    const leads = leader(undefined, shop)
    leads.submit(customer("c1"))
    leads.submit(customer("c1", "same"))
    assert.include(Buffer.from(leads.entries.at(-1)!.payload).toString(), marker)
    leads.submit(erase("Customer", "c1"))
    assert.notInclude(
      blankedLog(leads)
        .map(({ payload }) => Buffer.from(payload).toString())
        .join(),
      marker
    )
    assert.notInclude(snapshotOf(leads.machine.applied).toString(), marker)
  })

  it("leaves all other entries as they are, to the byte", () => {
    const leads = leader(undefined, descriptors)
    for (const id of ["a", "b"]) leads.submit({ _tag: "Put", model: "Product", id, data: { price: 1 } })
    leads.submit(erase("Product", "a"))
    const log = blankedLog(leads)
    assert.strictEqual(log[1]!.payload, leads.entries[1]!.payload)
    assert.notStrictEqual(log[0]!.payload, leads.entries[0]!.payload)
  })

  it("is told from an entry that somebody emptied", () => {
    const leads = leader(undefined, descriptors)
    for (const id of ["a", "b"]) leads.submit({ _tag: "Put", model: "Product", id, data: { price: 1 } })
    leads.submit(erase("Product", "a"))
    const erasures = Erasure.erasuresOf(leads.machine.applied)
    const transaction = Result.getOrThrow(decode(leads.entries[1]!.payload))
    const emptied = {
      ...transaction,
      events: transaction.events.map((event) => ({ ...event, data: {}, erased: true as const }))
    }
    assert.match(Erasure.unnamedIn(emptied, 2, erasures) ?? "", /Product b is missing, and no erasure names it/)
  })
})
