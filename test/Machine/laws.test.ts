import { assert, describe, it } from "@effect/vitest"
import { Result, type Schema } from "effect"
import type { Command, Operation } from "../../src/Machine/Command.ts"
import { canonical, isEqual } from "../../src/Machine/Json.ts"
import * as Limits from "../../src/Machine/Limits.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Transaction from "../../src/Machine/Transaction.ts"
import { mergePatch } from "../../src/Model/MergePatch.ts"
import { seeded } from "./Seeded.ts"
import { contentHash, descriptors, isUnchanged, leader } from "./Store.ts"

const seeds = Array.from({ length: 60 }, (_, seed) => seed)

const operationOf = ({ below, pick }: ReturnType<typeof seeded>): Operation => {
  const id = pick(["a", "b", "c", "d"])
  const model = pick(["User", "Product"])
  const whole = model === "User" ? { email: `e${below(4)}` } : { price: below(3), category: `c${below(2)}` }
  const condition = below(4) === 0 ? { ifMatch: [1 + below(4)] } : {}
  switch (below(5)) {
    case 0:
      return { _tag: "Create", model, id, data: whole }
    case 1:
      return { _tag: "Put", model, id, data: whole, ...condition }
    case 2:
      return { _tag: "Delete", model, id, ...condition }
    case 3:
      return { _tag: "Patch", model, id, data: { category: null }, ...condition }
    default:
      return { _tag: "Patch", model, id, data: whole, ...condition }
  }
}

const commandOf = (random: ReturnType<typeof seeded>): Command =>
  random.below(5) === 0
    ? { _tag: "Transact", operations: Array.from({ length: 1 + random.below(4) }, () => operationOf(random)) }
    : { ...operationOf(random), ...(random.below(3) === 0 ? { key: `k${random.below(100)}` } : {}) }

const rowsOf = (tables: Tables.Tables) =>
  Array.from(tables.byModel, ([model, table]) => [model, [...table.rows.entries()], table.tombstones.toArray()])

const run = (seed: number, check: (leads: ReturnType<typeof leader>, command: Command) => void) => {
  const random = seeded(seed)
  const leads = leader()
  for (let step = 0; step < 120; step++) check(leads, commandOf(random))
  return leads
}

describe("evolve after decide", () => {
  it("gives what the answer said, and a version one above the last", () => {
    for (const seed of seeds) {
      const versions = new Map<string, number>()
      run(seed, ({ machine, submit }, command) => {
        const before = rowsOf(machine.applied)
        const decision = submit(command)
        if (decision._tag !== "Accepted" || isUnchanged(decision))
          return assert.deepStrictEqual(rowsOf(machine.applied), before, `seed ${seed}`)
        const last = new Map(decision.answer.operations.map((answer) => [`${answer.model}/${answer.id}`, answer]))
        for (const { change, id, model, version } of decision.answer.operations) {
          const known = versions.get(`${model}/${id}`) ?? 0
          assert.strictEqual(version, change === "unchanged" ? known : known + 1, `seed ${seed}`)
          versions.set(`${model}/${id}`, version)
        }
        for (const { change, createdIndex, id, index, model, record, version } of last.values()) {
          const row = Tables.get(machine.applied, model, id)
          if (change === "deleted") assert.strictEqual(row, undefined, `seed ${seed}`)
          else assert.deepInclude(row, { createdIndex, index, version, data: record }, `seed ${seed}`)
        }
      })
    }
  })

  it("gives what was asked: a put is the record, a patch its merge", () => {
    for (const seed of seeds) {
      run(seed, ({ machine, submit }, command) => {
        const isRecord = command._tag === "Create" || command._tag === "Put" || command._tag === "Patch"
        if (!isRecord) return void submit(command)
        const before = command.id === undefined ? undefined : Tables.get(machine.applied, command.model, command.id)
        const decision = submit(command)
        if (decision._tag === "Rejected" || "replayedIndex" in decision) return
        const given = command.data as Record<string, string>
        const asked = mergePatch(command._tag === "Patch" ? before!.data : {}, { ...given, id: command.id! })
        const held = Tables.get(machine.applied, command.model, command.id!)!.data
        assert.strictEqual(canonical(held), canonical(asked), `seed ${seed}`)
      })
    }
  })

  it("never lets two records share a unique value", () => {
    for (const seed of seeds) {
      run(seed, ({ machine, submit }, command) => {
        submit(command)
        const emails = Array.from(machine.applied.byModel.get("User")!.rows.values(), ({ data }) => data.email)
        assert.strictEqual(new Set(emails).size, emails.length, `seed ${seed}`)
        assert.strictEqual(machine.applied.byModel.get("User")!.indexes.get("email")!.size, emails.length)
      })
    }
  })
})

describe("replay", () => {
  it("from the first entry equals the live state and the speculative one, hash included", () => {
    for (const seed of seeds) {
      const { entries, machine } = run(seed, ({ submit }, command) => void submit(command))
      const replayed = Machine.make(descriptors)
      for (const entry of entries) Machine.apply(replayed, entry)
      assert.deepStrictEqual(rowsOf(replayed.applied), rowsOf(machine.applied), `seed ${seed}`)
      assert.deepStrictEqual(rowsOf(machine.speculative!), rowsOf(machine.applied), `seed ${seed}`)
      assert.strictEqual(Tables.stateHash(replayed.applied), Tables.stateHash(machine.applied), `seed ${seed}`)
      assert.strictEqual(contentHash(machine.speculative!), Tables.stateHash(machine.applied), `seed ${seed}`)
    }
  })

  it("on a node without the models' code gives the same records and the same hash (D2)", () => {
    const { entries, machine } = run(7, ({ submit }, command) => void submit(command))
    const bare = Machine.make([])
    for (const entry of entries) Machine.apply(bare, entry)
    assert.strictEqual(Tables.stateHash(bare.applied), Tables.stateHash(machine.applied))
    assert.sameDeepMembers(rowsOf(bare.applied), rowsOf(machine.applied))
    Machine.beginSpeculation(bare)
    const put: Command = { _tag: "Put", model: "User", id: "z", data: {} }
    const { result } = Machine.decideNext(bare, put, { index: 1000, nowMs: 0, newId: () => "n" })
    assert.deepInclude(result, { rejection: { _tag: "UpgradeRequired", model: "User" } })
  })

  it("every step of a history changes the hash, and a clone is untouched by what follows", () => {
    const { entries } = run(3, ({ submit }, command) => void submit(command))
    const machine = Machine.make(descriptors)
    const hashes = new Set<string>()
    let changes = 0
    for (const entry of entries) {
      const before = Tables.clone(machine.applied)
      const held = JSON.stringify(rowsOf(before))
      if (Machine.apply(machine, entry).events.length > 0) changes++
      assert.strictEqual(JSON.stringify(rowsOf(before)), held)
      hashes.add(Tables.stateHash(machine.applied))
    }
    assert.isAtLeast(hashes.size, changes)
  })
})

describe("tombstones", () => {
  it("the oldest is evicted, and raises the version from which an unknown id starts", () => {
    const applied = Tables.make(descriptors, { ...Limits.initial, tombstonesMax: 2 })
    const machine: Machine.Machine = { ...Machine.make([]), applied }
    Machine.beginSpeculation(machine)
    let index = 0
    const submit = (command: Command) =>
      Machine.decideNext(machine, command, { index: ++index, nowMs: 0, newId: () => "n" })
    for (const id of ["a", "b", "c"]) {
      submit({ _tag: "Create", model: "Product", id, data: { price: 1 } })
      submit({ _tag: "Patch", model: "Product", id, data: { price: 2 } })
      submit({ _tag: "Delete", model: "Product", id })
    }
    const table = machine.speculative!.byModel.get("Product")!
    assert.deepStrictEqual(table.tombstones.keysArray(), ["b", "c"])
    assert.strictEqual(table.versionFloor, 3)
    submit({ _tag: "Create", model: "Product", id: "a", data: { price: 1 } })
    assert.strictEqual(table.rows.get("a")?.version, 4)
  })
})

describe("equality", () => {
  it("is that of the canonical texts, whatever the order of keys", () => {
    const random = seeded(5)
    const valueOf = (depth: number): Schema.Json => {
      const keys = random.pick([["a", "b"], ["b", "a"], ["a"], ["a", "__proto__"], []])
      const members = () => keys.map((key): [string, Schema.Json] => [key, valueOf(depth - 1)])
      const leaf = random.pick<Schema.Json>([null, 0, 1, "", "a", "0", true])
      return depth === 0
        ? leaf
        : random.pick([leaf, [], members().map(([, value]) => value), Object.fromEntries(members())])
    }
    let equalCount = 0
    for (let round = 0; round < 20_000; round++) {
      const [left, right] = [valueOf(2), valueOf(2)]
      assert.strictEqual(isEqual(left, right), canonical(left) === canonical(right), JSON.stringify([left, right]))
      if (isEqual(left, right)) equalCount++
    }
    assert.isAbove(equalCount, 100)
  })
})

describe("a payload", () => {
  it("decodes to what was encoded, and any other bytes decode to a failure", () => {
    const { entries } = run(11, ({ submit }, command) => void submit(command))
    const random = seeded(11)
    for (const { payload } of entries) {
      const decoded = Transaction.decode(payload)
      assert.isTrue(Result.isSuccess(decoded))
      if (Result.isSuccess(decoded)) assert.deepStrictEqual(Transaction.encode(decoded.success), payload)
      assert.isTrue(Result.isFailure(Transaction.decode(payload.subarray(0, random.below(payload.length)))))
      assert.isTrue(Result.isFailure(Transaction.decode(Uint8Array.of(0, ...payload.subarray(1)))))
    }
    for (const json of ["null", "[]", "{}", '{"timeMs":1,"command":"c","outcome":{"_tag":"Accepted"},"events":[{}]}']) {
      const bytes = Uint8Array.of(1, ...new TextEncoder().encode(json))
      assert.isTrue(Result.isFailure(Transaction.decode(bytes)), json)
    }
  })
})
