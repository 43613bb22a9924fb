import { assert, it } from "@effect/vitest"
import type { Command } from "../../src/Machine/Command.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { seeded } from "./Seeded.ts"
import { contentHash, descriptors, leader } from "./Store.ts"

const pieces = [
  "null",
  "true",
  "-0",
  "1e400",
  '"\\ud800"',
  '"\\u0000"',
  '""',
  "[]",
  "{}",
  '{"__proto__":{"polluted":1}}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '{"toString":1}',
  '"a"',
  "3"
] as const
const names = [
  "id",
  "email",
  "tags",
  "note",
  "price",
  "category",
  "__proto__",
  "constructor",
  "hasOwnProperty"
] as const

it("no JSON that a client sends throws, pollutes a prototype, or makes replay differ (docs/http.md, Problems)", () => {
  for (let seed = 0; seed < 40; seed++) {
    const random = seeded(seed)
    const { entries, machine, submit } = leader()
    for (let step = 0; step < 60; step++) {
      const fields = Array.from(
        { length: random.below(5) },
        () => `${JSON.stringify(random.pick(names))}:${random.pick(pieces)}`
      )
      const data: unknown = JSON.parse(random.below(4) === 0 ? random.pick(pieces) : `{${fields.join(",")}}`)
      const model = random.pick(["User", "Product", "__proto__", "constructor"])
      const id = random.pick(["a", "__proto__", "\u0000", "\ud800"])
      const _tag = random.pick(["Create", "Put", "Patch"])
      submit({ _tag, model, id, data, key: `${seed}.${step}` } as Command)
    }
    const replayed = Machine.make(descriptors)
    for (const entry of entries) Machine.apply(replayed, entry)
    assert.strictEqual(Tables.stateHash(replayed.applied), Tables.stateHash(machine.applied), `seed ${seed}`)
    assert.strictEqual(Tables.stateHash(replayed.applied), contentHash(machine.speculative!), `seed ${seed}`)
    assert.notProperty({}, "polluted")
  }
})

it("tells at most a hundred errors, however many there are", () => {
  const { submit } = leader()
  const data = Object.fromEntries(Array.from({ length: 5000 }, (_, field) => [`x${field}`, 1]))
  const decision = submit({ _tag: "Create", model: "Product", data })
  const rejection = decision._tag === "Rejected" ? decision.rejection : undefined
  assert.strictEqual(rejection?._tag === "InvalidRequest" && rejection.errors.length, 100)
})
