import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as StateContent from "../../src/Machine/StateContent.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { decode } from "../../src/Machine/Transaction.ts"
import { descriptors, isUnchanged, leader } from "./Store.ts"

const product = (id: string) => ({ _tag: "Put", model: "Product", id, data: { price: 1 } }) as const
const retain = (fromIndex: number) => ({ _tag: "Retain", fromIndex }) as const

describe("the floor of the history", () => {
  it("is decided once, never goes back, and never passes what is applied", () => {
    const { entries, machine, submit } = leader()
    for (const id of ["a", "b", "c"]) submit(product(id))
    assert.strictEqual(submit(retain(2))._tag, "Accepted")
    assert.strictEqual(machine.applied.retainedFrom, 2)
    assert.strictEqual(Result.getOrThrow(decode(entries.at(-1)!.payload)).retainedFrom, 2)
    for (const fromIndex of [0, 1, 2]) assert.isTrue(isUnchanged(submit(retain(fromIndex))))
    submit(retain(1_000_000))
    assert.strictEqual(machine.applied.retainedFrom, 4)
  })

  it("waits for the format that all members know", () => {
    const { machine, submit } = leader(undefined, undefined, { newest: 1, begins: 1 })
    submit(product("a"))
    assert.isTrue(isUnchanged(submit(retain(1))))
    assert.strictEqual(machine.applied.retainedFrom, 0)
  })

  it("is part of the state: the hash counts it, and a snapshot keeps it", () => {
    const { machine, submit } = leader()
    for (const id of ["a", "b"]) submit(product(id))
    submit(retain(1))
    submit(retain(2))
    const restoring = Snapshot.restoring(descriptors)
    for (const bytes of Snapshot.encode(Snapshot.take(Tables.clone(machine.applied)))) restoring.take(bytes)
    const again = Result.getOrThrow(restoring.end())
    assert.strictEqual(again.retainedFrom, 2)
    assert.strictEqual(Tables.stateHash(again), Tables.stateHash(machine.applied))
    assert.strictEqual(StateHash.toHex(StateContent.hashOf(again)), Tables.stateHash(again))
  })
})
