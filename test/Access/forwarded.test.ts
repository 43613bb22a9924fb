/** Orders between nodes that enforce rules and nodes that do not, as in a rolling upgrade: what is not judged is not done. */
import { assert, it } from "@effect/vitest"
import { anonymous, type Caller, system } from "../../src/Access/Caller.ts"
import type { Command } from "../../src/Machine/Command.ts"
import * as Format from "../../src/Machine/Format.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Model from "../../src/Model.ts"
import { descriptor as apiKeys } from "../../src/Repository/ApiKeys.ts"
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

it("the leader decides nothing for a revoked or expired credential, and answers no copy of what it did before", () => {
  const models = [Model.describe(Plan), apiKeys]
  const machine = Machine.make(models, undefined, undefined, undefined, Format.ofRelease, policy)
  Machine.beginSpeculation(machine)
  let index = 0
  const decide = (command: Command, nowMs = 1) => {
    index += 1
    const { result } = Machine.decideNext(machine, command, { index, nowMs, newId: () => `id${index}` })
    return result._tag === "Rejected" ? result.rejection._tag : result._tag
  }
  const row = { digest: "00", name: "ada", roles: [], createdMs: 0 }
  const key = { model: apiKeys.name, id: "k", caller: system } as const
  assert.strictEqual(decide({ _tag: "Create", ...key, data: row }), "Accepted")
  const holder: Caller = { _tag: "Principal", id: "key:k", roles: [], claims: {}, apiKey: { id: "k", version: 1 } }
  const from = { caller: holder, principal: "key:k", isGuarded: true } as const
  const create = (id: string, key: string): Command => ({
    _tag: "Create",
    model: "Plan",
    id,
    data: { id, text: "t" },
    key,
    ...from
  })
  assert.strictEqual(decide(create("a", "1")), "Accepted")
  assert.strictEqual(decide({ ...create("b", "2"), caller: { ...holder, expiresMs: 5 } }, 6), "Unauthenticated")
  assert.strictEqual(
    decide({ ...create("b", "2"), caller: { ...holder, apiKey: { id: "k", version: 2 } } }),
    "Unauthenticated"
  )
  assert.strictEqual(decide({ _tag: "Delete", ...key }), "Accepted")
  assert.strictEqual(decide(create("c", "3")), "Unauthenticated")
  assert.strictEqual(decide(create("a", "1")), "Unauthenticated")
})
