import { assert, describe, it } from "@effect/vitest"
import { Result, Runtime } from "effect"
import * as Format from "../../src/Machine/Format.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as StateContent from "../../src/Machine/StateContent.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { encode } from "../../src/Machine/Transaction.ts"
import { descriptors, isUnchanged, leader } from "./Store.ts"

const old: Format.Formats = { newest: 1, begins: 1 }
const product = (id: string) => ({ _tag: "Put", model: "Product", id, data: { price: 1 } }) as const

const machineOf = (formats: Format.Formats) => Machine.make(descriptors, undefined, undefined, undefined, formats)
const snapshotOf = (tables: Tables.Tables) => Buffer.concat([...Snapshot.encode(Snapshot.take(Tables.clone(tables)))])
const restored = (bytes: Uint8Array, newest?: number) => {
  const restoring = Snapshot.restoring(descriptors, { newestFormat: newest })
  restoring.take(bytes)
  return Result.getOrThrow(restoring.end())
}

/** The failure of a node that meets a format which it does not know. */
const unknownIn = (attempt: () => unknown): unknown => {
  const done = Result.try({ try: attempt, catch: (thrown) => thrown })
  return Result.isFailure(done) ? done.failure : undefined
}

describe("the format of a log", () => {
  it("is the newest of the release that begins it, from the first entry on and without one of its own", () => {
    const { entries, machine, submit } = leader()
    submit(product("a"))
    submit(product("b"))
    assert.deepStrictEqual(
      entries.map(({ payload }) => payload[0]),
      [Format.newest, 1]
    )
    assert.isTrue(Format.isFormatActive(machine.applied, Format.newest))
    assert.isFalse(Format.isFormatActive(machine.applied, Format.newest + 1))
  })

  it("stays what it was in a log that a former release began, until a command raises it, once", () => {
    const { machine, submit } = leader(undefined, undefined, old)
    submit(product("a"))
    assert.isFalse(Format.isFormatActive(machine.applied, Format.lifting))
    const oldHash = Tables.stateHash(machine.applied)
    assert.strictEqual(submit({ _tag: "RaiseFormat", format: 2 })._tag, "Accepted")
    assert.isTrue(Format.isFormatActive(machine.applied, Format.lifting))
    assert.notStrictEqual(Tables.stateHash(machine.applied), oldHash)
    assert.isTrue(isUnchanged(submit({ _tag: "RaiseFormat", format: 2 })))
    assert.isTrue(isUnchanged(submit({ _tag: "RaiseFormat", format: 1 })))
    assert.strictEqual(machine.applied.format, 2)
  })

  it("is part of the state: the hash counts it, and a snapshot keeps it", () => {
    const { machine, submit } = leader()
    submit(product("a"))
    const bytes = snapshotOf(machine.applied)
    assert.strictEqual(bytes[0], Format.newest)
    const again = restored(bytes)
    assert.strictEqual(again.format, Format.newest)
    assert.strictEqual(Tables.stateHash(again), Tables.stateHash(machine.applied))
    assert.strictEqual(StateHash.toHex(StateContent.hashOf(again)), Tables.stateHash(again))
  })

  it("leaves a log of format 1 as a release without formats writes it", () => {
    const { machine, submit } = leader(undefined, undefined, old)
    submit(product("a"))
    const bytes = snapshotOf(machine.applied)
    assert.strictEqual(bytes[0], 1)
    assert.notInclude(bytes.toString("utf8"), "format")
    assert.strictEqual(restored(bytes).format, 1)
  })

  it("that a release does not know stops its node, with exit code 78 and a message that says why", () => {
    const { entries, machine, submit } = leader()
    submit(product("a"))
    const former = machineOf(old)
    for (const attempt of [
      () => Machine.apply(former, entries[0]!),
      () => restored(snapshotOf(machine.applied), old.newest)
    ]) {
      const thrown = unknownIn(attempt)
      assert.instanceOf(thrown, Format.FormatUnknown)
      assert.include(
        String(thrown),
        `is of format ${Format.newest}, and this release knows formats up to 1: start this node with`
      )
      assert.strictEqual(Runtime.getErrorExitCode(thrown), 78)
    }
    assert.strictEqual(former.applied.index, 0)
    const next = { timeMs: 0, logAgeMs: 0, command: "c", events: [], outcome: { _tag: "Accepted" } } as const
    const later = { index: 2, payload: encode({ ...next, format: Format.newest + 1 }) }
    assert.instanceOf(
      unknownIn(() => Machine.apply(machine, later)),
      Format.FormatUnknown
    )
  })
})
