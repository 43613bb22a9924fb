import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { InvariantViolation } from "../../src/Invariant.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import { type Access, callStepsMax, type Procedure, type Procedures } from "../../src/Machine/Procedure.ts"
import type { Rejection } from "../../src/Machine/Rejection.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { contentHash, descriptors, isUnchanged, leader, type Played, playedOf } from "./Store.ts"

const broke: Rejection = { _tag: "Declared", command: "move", error: { _tag: "Broke", missing: 3 } }

/** Moves a price from one product to another, in steps that are each wrong by themselves. */
const move: Procedure = (access, payload) => {
  const { amount, from, to } = payload as { readonly from: string; readonly to: string; readonly amount: number }
  return Result.gen(function* () {
    const price = (id: string) => Result.map(access.get("Product", id), (data) => Number(data?.price ?? 0))
    const add = (id: string, by: number) =>
      Result.flatMap(price(id), (held) =>
        access.apply({ _tag: "Patch", model: "Product", id, data: { price: held + by } })
      )
    yield* add(to, amount)
    yield* add(from, -amount)
    const left = yield* price(from)
    if (left < 0) return yield* Result.fail(broke)
    return { left }
  })
}

const procedures = (others: Readonly<Record<string, Procedure>> = {}): Procedures =>
  new Map(Object.entries({ move, ...others }))

const leads = (others: Readonly<Record<string, Procedure>> = {}) => {
  const led = leader(procedures(others))
  for (const id of ["a", "b"]) led.submit({ _tag: "Put", model: "Product", id, data: { price: 10 } })
  return led
}
const price = (tables: Tables.Tables, id: string) => Tables.get(tables, "Product", id)?.data.price
const call = (amount: number, key?: string) => ({
  _tag: "Call" as const,
  name: "move",
  payload: { from: "a", to: "b", amount },
  ...(key === undefined ? {} : { key })
})
const rejectionOf = (decision: Played) => (decision._tag === "Rejected" ? decision.rejection : undefined)

describe("a call", () => {
  it("is one entry of its name with all its events, and answers its success (D6)", () => {
    const { entries, machine, submit } = leads()
    const decision = submit(call(4))
    assert.strictEqual(decision._tag, "Accepted")
    assert.deepInclude(decision._tag === "Accepted" ? decision.answer : undefined, {
      operations: [],
      value: { left: 6 }
    })
    assert.strictEqual(entries.length, 3)
    const { command, events } = decision._tag === "Accepted" ? decision.entry!.transaction : assert.fail()
    assert.deepStrictEqual([command, events.length], ["move", 2])
    assert.deepStrictEqual([price(machine.applied, "a"), price(machine.applied, "b")], [6, 14])
  })

  it("that is refused leaves nothing, though it had changed records before it was (docs/guarantees.md)", () => {
    const { entries, machine, submit } = leads()
    const hash = Tables.stateHash(machine.applied)
    assert.deepStrictEqual(rejectionOf(submit(call(11))), broke)
    assert.strictEqual(entries.length, 2)
    assert.strictEqual(Tables.stateHash(machine.applied), hash)
    assert.strictEqual(contentHash(machine.speculative!), hash)
  })

  it("with a key is done once, and its copy is answered the same, by a node that replayed the log too (C17)", () => {
    const { entries, machine, submit } = leads()
    const first = submit(call(4, "k"))
    const refused = submit(call(40, "no"))
    assert.strictEqual(refused._tag === "Rejected" && refused.entry !== undefined, true)
    const replayed = Machine.make(descriptors, procedures())
    for (const entry of entries) Machine.apply(replayed, entry)
    Machine.beginSpeculation(replayed)
    const index = machine.applied.index + 1
    const at = { index, nowMs: index, newId: () => "n" }
    for (const copy of [submit(call(4, "k")), playedOf(Machine.decideNext(replayed, call(4, "k"), at))]) {
      assert.isTrue(isUnchanged(copy))
      assert.deepStrictEqual(
        copy._tag === "Accepted" ? copy.answer : undefined,
        first._tag === "Accepted" ? first.answer : assert.fail()
      )
    }
    assert.deepStrictEqual(rejectionOf(submit(call(40, "no"))), broke)
    assert.strictEqual(price(machine.applied, "a"), 6)
  })

  it("that this node's code does not know is refused, and not remembered: newer code may do it", () => {
    const { entries, machine, submit } = leads()
    const unknown = { ...call(1, "k"), name: "newer" }
    assert.deepStrictEqual(rejectionOf(submit(unknown)), { _tag: "UnknownCommand", command: "newer" })
    assert.strictEqual(entries.length, 2)
    const upgraded = Machine.make(descriptors, procedures({ newer: move }))
    for (const entry of entries) Machine.apply(upgraded, entry)
    Machine.beginSpeculation(upgraded)
    const at = { index: machine.applied.index + 1, nowMs: 0, newId: () => "n" }
    assert.strictEqual(Machine.decideNext(upgraded, unknown, at).result._tag, "Accepted")
  })

  it("reads what it wrote, and lists it", () => {
    const seen: Array<unknown> = []
    const looks: Procedure = (access) =>
      Result.gen(function* () {
        yield* access.apply({ _tag: "Create", model: "User", id: "u", data: { email: "e" } })
        yield* access.apply({ _tag: "Delete", model: "Product", id: "a" })
        seen.push(yield* access.get("User", "u"), yield* access.get("Product", "a"))
        seen.push(yield* access.list({ model: "User", where: { email: "e" }, limit: 2 }))
        seen.push(yield* access.list({ model: "Product", where: {}, limit: 1 }))
        seen.push(yield* access.list({ model: "Product", where: {}, afterId: "b", limit: 1 }))
        return access.timeMs
      })
    const { submit } = leads({ looks })
    const decision = submit({ _tag: "Call", name: "looks", payload: null }, { nowMs: 77 })
    assert.strictEqual(decision._tag === "Accepted" ? decision.answer.value : undefined, 77)
    const user = { id: "u", email: "e" }
    assert.deepStrictEqual(seen, [user, undefined, [user], [{ id: "b", price: 10 }], []])
  })

  it("that handles a refused operation goes on without it", () => {
    const tries: Procedure = (access) => {
      const taken = access.apply({ _tag: "Create", model: "Product", id: "a", data: { price: 1 } })
      if (Result.isSuccess(taken)) return assert.fail("the id is in use")
      return Result.map(access.apply({ _tag: "Create", model: "Product", id: "c", data: { price: 1 } }), () => "done")
    }
    const { machine, submit } = leads({ tries })
    assert.strictEqual(submit({ _tag: "Call", name: "tries", payload: null })._tag, "Accepted")
    assert.deepStrictEqual([price(machine.applied, "a"), price(machine.applied, "c")], [10, 1])
  })
})

describe("the bounds of a call", () => {
  const refusedBy = (procedure: Procedure) => {
    const { entries, machine, submit } = leads({ procedure })
    const hash = contentHash(machine.speculative!)
    const rejection = rejectionOf(submit({ _tag: "Call", name: "procedure", payload: null }))
    assert.strictEqual(entries.length, 2)
    assert.strictEqual(contentHash(machine.speculative!), hash)
    return rejection
  }
  /** Does it for ever, and takes no refusal for an answer, but that nothing counts any more. */
  const insists =
    (attempt: (access: Access, count: number) => Result.Result<unknown, Rejection>): Procedure =>
    (access) => {
      for (let count = 0; count < 1_000_000; count++) {
        if (Result.isFailure(attempt(access, count))) return Result.succeed(count)
      }
      return assert.fail("nothing stopped it")
    }

  it("reads and operations together are counted, and what is past the bound ends the call", () => {
    const steps: Rejection = { _tag: "TooLarge", limit: "steps", max: callStepsMax }
    assert.deepStrictEqual(refusedBy(insists((access) => access.get("Product", "a"))), steps)
    const lists = insists((access) => access.list({ model: "Product", where: {}, limit: 10 }))
    assert.deepStrictEqual(refusedBy(lists), steps)
    const same = insists((access) => access.apply({ _tag: "Patch", model: "Product", id: "a", data: {} }))
    assert.deepStrictEqual(refusedBy(same), steps)
  })

  it("events and bytes are those of one entry, and its success is no larger", () => {
    const changes = insists((access, count) =>
      access.apply({ _tag: "Patch", model: "Product", id: "a", data: { price: count } })
    )
    assert.deepStrictEqual(refusedBy(changes), {
      _tag: "TooLarge",
      limit: "events",
      max: 10_000
    })
    const bytes: Rejection = { _tag: "TooLarge", limit: "bytes", max: 8 * 1024 * 1024 }
    const text = "x".repeat(1024 * 1024)
    const large = insists((access, count) =>
      access.apply({ _tag: "Patch", model: "Product", id: "a", data: { category: `${count}${text}` } })
    )
    assert.deepStrictEqual(refusedBy(large), bytes)
    assert.deepStrictEqual(
      refusedBy(() => Result.succeed(text.repeat(9))),
      { ...bytes, max: bytes.max - 64 * 1024 }
    )
    // Bytes of UTF-8, as it travels to the node that was asked.
    assert.deepStrictEqual(
      refusedBy(() => Result.succeed("é".repeat(5 * 1024 * 1024))),
      { ...bytes, max: bytes.max - 64 * 1024 }
    )
  })

  it("an error of more than a mebibyte is none that could be told or remembered: it is refused as too large", () => {
    const error = { _tag: "Verbose", text: "x".repeat(9 * 1024 * 1024) }
    const { entries, submit } = leads({
      verbose: () => Result.fail({ _tag: "Declared", command: "verbose", error } as const)
    })
    const decision = submit({ _tag: "Call", name: "verbose", payload: {}, key: "k" })
    assert.deepStrictEqual(rejectionOf(decision), { _tag: "TooLarge", limit: "bytes", max: 1024 * 1024 })
    assert.isBelow(entries.at(-1)!.payload.length, 1000)
  })

  it("that throws costs its command alone, which is told to the node; a broken invariant is no such thing", () => {
    const thrown: Array<unknown> = []
    const throws =
      (what: unknown): Procedure =>
      () => {
        throw what
      }
    const oops = new RangeError("oops")
    const machine = Machine.make(
      [],
      procedures({ throws: throws(oops), breaks: throws(new InvariantViolation("broken")) }),
      (error, command) => thrown.push([error, command])
    )
    Machine.beginSpeculation(machine)
    const decide = (name: string) =>
      Machine.decideNext(
        machine,
        { _tag: "Call", name, payload: {}, key: "k" },
        { index: 1, nowMs: 1, newId: () => "a" }
      ).result
    const rejection = { _tag: "CommandFailed", command: "Call" } as const
    assert.deepStrictEqual(decide("throws"), { _tag: "Rejected", rejection })
    assert.deepStrictEqual(thrown, [[oops, "Call"]])
    assert.throws(() => decide("breaks"), InvariantViolation)
  })

  it("a payload that nests too deep is refused before anything recurses into it", () => {
    const { submit } = leads()
    let payload: unknown = 1
    for (let depth = 0; depth < 100; depth++) payload = [payload]
    assert.strictEqual(rejectionOf(submit({ ...call(1), payload }))?._tag, "InvalidRequest")
  })

  it("records that newer code wrote are not read or changed, whatever the procedure makes of it (D2)", () => {
    const hides: Procedure = (access) =>
      Result.succeed(Result.isSuccess(access.get("Product", "a")) ? "read" : "not read")
    const { entries } = leads()
    const bare = Machine.make([], procedures({ hides }))
    for (const entry of entries) Machine.apply(bare, entry)
    Machine.beginSpeculation(bare)
    const at = { index: 100, nowMs: 0, newId: () => "n" }
    const decision = Machine.decideNext(bare, { _tag: "Call", name: "hides", payload: null }, at).result
    assert.deepStrictEqual(rejectionOf(decision), { _tag: "UpgradeRequired", model: "Product" })
  })
})
