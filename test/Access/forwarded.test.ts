/** Orders between nodes that enforce rules and nodes that do not, as in a rolling upgrade: what is not judged is not done. */
import { assert, it } from "@effect/vitest"
import { anonymous, type Caller, system } from "../../src/Access/Caller.ts"
import * as Format from "../../src/Machine/Format.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Model from "../../src/Model.ts"
import { Plan } from "./Notes.ts"

const policy = { sets: new Map(), commands: new Map(), projections: new Map() }
const ada: Caller = { _tag: "Principal", id: "ada", roles: [], claims: {} }

const deciding = (isRuled: boolean) => {
  const models = [Model.describe(Plan)]
  const machine = Machine.make(models, undefined, undefined, undefined, Format.ofRelease, isRuled ? policy : undefined)
  Machine.beginSpeculation(machine)
  return (more: { readonly caller?: Caller; readonly isGuarded?: true }) => {
    const command = { _tag: "Create", model: "Plan", id: "p", data: { id: "p", text: "t" }, ...more } as const
    const { result } = Machine.decideNext(machine, command, { index: 1, nowMs: 1, newId: () => "p" })
    return result._tag === "Rejected" ? result.rejection._tag : result._tag
  }
}

it("a leader with rules takes an order that names no caller for an anonymous one", () => {
  assert.strictEqual(deciding(true)({}), "Unauthenticated")
  assert.strictEqual(deciding(true)({ caller: anonymous, isGuarded: true }), "Unauthenticated")
  assert.strictEqual(deciding(true)({ caller: ada, isGuarded: true }), "Accepted")
  assert.strictEqual(deciding(true)({ caller: system, isGuarded: true }), "Accepted")
})

it("a leader without rules decides nothing that comes from a node with rules", () => {
  for (const caller of [undefined, anonymous, ada, system]) {
    const more = caller === undefined ? {} : { caller }
    assert.strictEqual(deciding(false)({ ...more, isGuarded: true }), "UpgradeRequired")
    assert.strictEqual(deciding(false)(more), "Accepted")
  }
})
