/**
 * Keys in a log of format 2, as the former release wrote it: fixtures/format2.json has its entries, its hash after each,
 * and its snapshot at the end. Both releases hold the same state until format 3 is active, and no key is lost then.
 */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { evolve, raisedTo } from "../../src/Machine/evolve.ts"
import * as Format from "../../src/Machine/Format.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Sessions from "../../src/Machine/Sessions.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as StateContent from "../../src/Machine/StateContent.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { decode, type Transaction } from "../../src/Machine/Transaction.ts"
import { descriptors } from "./Store.ts"

const recorded: {
  readonly entries: ReadonlyArray<{ readonly payload: string; readonly hash: string }>
  readonly snapshot: string
} = JSON.parse(readFileSync(new URL("./fixtures/format2.json", import.meta.url), "utf8"))

const transactions: ReadonlyArray<Transaction> = recorded.entries.map(({ payload }) =>
  Result.getOrThrow(decode(Buffer.from(payload, "utf8")))
)

const restored = (bytes: Uint8Array): Tables.Tables => {
  const restoring = Snapshot.restoring(descriptors)
  restoring.take(bytes)
  return Result.getOrThrow(restoring.end())
}
const snapshotOf = (tables: Tables.Tables) => Buffer.concat([...Snapshot.encode(Snapshot.take(Tables.clone(tables)))])

/** The state after all recorded entries. */
const replayed = (): Machine.Machine => {
  const machine = Machine.make(descriptors)
  for (const [at, { payload }] of recorded.entries.entries()) {
    Machine.apply(machine, { index: at + 1, payload: Buffer.from(payload, "utf8") })
  }
  return machine
}

/** What is known of each key in the recorded log. */
const known = (tables: Tables.Tables) =>
  transactions.flatMap(({ assignedKey, key = assignedKey, principal }) =>
    key === undefined
      ? []
      : [Sessions.find(tables, principal === undefined ? { key } : { key, principal }, tables.logAgeMs)]
  )

const raise = (tables: Tables.Tables): void => {
  const { lastTimeMs: timeMs, logAgeMs } = tables
  const raising = { timeMs, logAgeMs, command: "RaiseFormat", events: [], outcome: { _tag: "Accepted" } } as const
  evolve(tables, { index: tables.index + 1, transaction: { ...raising, format: Format.keyBuckets } })
}

describe("keys in a log of format 2", () => {
  it("are held as the former release holds them: the hash is the same after each entry", () => {
    const machine = Machine.make(descriptors)
    for (const [at, { hash, payload }] of recorded.entries.entries()) {
      Machine.apply(machine, { index: at + 1, payload: Buffer.from(payload, "utf8") })
      assert.strictEqual(Tables.stateHash(machine.applied), hash, `entry ${at + 1}`)
    }
    assert.isAbove(machine.applied.sessions.size, 0)
    assert.isAbove(machine.applied.assignedKeys.horizonIndex, 0)
  })

  it("come from its snapshot, and go into one that it can read", () => {
    const bytes = Buffer.from(recorded.snapshot, "utf8")
    const tables = restored(bytes)
    assert.strictEqual(Tables.stateHash(tables), recorded.entries.at(-1)?.hash)
    assert.strictEqual(snapshotOf(tables).toString("utf8"), recorded.snapshot)
    assert.deepStrictEqual(known(tables), known(replayed().applied))
  })

  it("are all known as before once format 3 is active, on a node that replayed as on one that restored", () => {
    const tables = replayed().applied
    const before = known(tables)
    for (const tag of ["Kept", "Logged", "Expired"])
      assert.include(
        before.map((each) => each?._tag),
        tag
      )
    raise(tables)
    assert.deepStrictEqual(known(tables), before)
    assert.strictEqual(StateHash.toHex(StateContent.hashOf(tables)), Tables.stateHash(tables))
    const other = restored(Buffer.from(recorded.snapshot, "utf8"))
    raise(other)
    assert.strictEqual(Tables.stateHash(other), Tables.stateHash(tables))
    const again = restored(snapshotOf(tables))
    assert.deepStrictEqual(known(again), before)
    assert.strictEqual(Tables.stateHash(again), Tables.stateHash(tables))
    assert.deepStrictEqual([tables.assignedKeys.open.size, tables.assignedKeys.full.length], [0, 0])
    for (const name of tables.sessions.keys()) assert.lengthOf(name, 16)
  })

  it("are known as before where a restore begins a log in format 3 on them", () => {
    const tables = replayed().applied
    const raised = raisedTo(tables, Format.keyBuckets)
    const restored = { versionFloor: 1_000, formerClusterIds: ["former"] }
    const began = Tables.beginningAnew(raised, { index: 1_000, format: raised.format, restored })
    assert.deepStrictEqual(known(began), known(tables))
    assert.strictEqual(StateHash.toHex(StateContent.hashOf(began)), Tables.stateHash(began))
    assert.strictEqual(Tables.stateHash(tables), recorded.entries.at(-1)?.hash)
    assert.strictEqual(raisedTo(raised, 2).format, Format.keyBuckets)
  })

  it("leave a clone as it was, when another goes on to format 3", () => {
    const tables = replayed().applied
    const clone = Tables.clone(tables)
    raise(tables)
    assert.strictEqual(Tables.stateHash(clone), recorded.entries.at(-1)?.hash)
    assert.strictEqual(StateHash.toHex(StateContent.hashOf(clone)), Tables.stateHash(clone))
  })
})
