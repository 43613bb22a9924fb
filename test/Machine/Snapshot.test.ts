import { assert, it } from "@effect/vitest"
import type { Command } from "../../src/Machine/Command.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { seeded } from "./Seeded.ts"
import { descriptors, leader } from "./Store.ts"

it("tables restored from a snapshot are those it was taken of, and go on alike (DESIGN D3)", () => {
  for (let seed = 0; seed < 20; seed++) {
    const random = seeded(seed)
    const { entries, machine, submit } = leader()
    const step = () => {
      const id = random.pick(["a", "b", "c"])
      const put: Command = { _tag: "Put", model: "User", id, data: { email: `e${random.below(5)}` } }
      const remove: Command = { _tag: "Delete", model: "User", id }
      submit({ ...random.pick([put, put, remove]), key: `k${random.below(1000)}` })
    }
    for (let count = 0; count < 30; count++) step()
    const pieces = JSON.parse(
      JSON.stringify([...Snapshot.take(Tables.clone(machine.applied))])
    ) as Array<Snapshot.Piece>
    const restored: Machine.Machine = { applied: Snapshot.restore(descriptors, pieces), speculative: undefined }
    assert.deepStrictEqual([...Snapshot.take(restored.applied)], pieces, `seed ${seed}`)
    const taken = restored.applied.index
    for (let count = 0; count < 30; count++) step()
    for (const entry of entries) if (entry.index > taken) Machine.apply(restored, entry)
    assert.strictEqual(Tables.stateHash(restored.applied), Tables.stateHash(machine.applied), `seed ${seed}`)
    const uniques = (tables: Tables.Tables) => tables.byModel.get("User")!.uniques.get("email")!.toArray()
    assert.deepStrictEqual(uniques(restored.applied), uniques(machine.applied), `seed ${seed}`)
  }
})
