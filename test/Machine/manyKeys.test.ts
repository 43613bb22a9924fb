/** The memory of keys at its bounds: a million requests with dated keys, and a flood of opaque ones. C17. */
import { assert, describe, it } from "@effect/vitest"
import type { Command } from "../../src/Machine/Command.ts"
import * as DatedKey from "../../src/Machine/DatedKey.ts"
import * as DatedKeys from "../../src/Machine/DatedKeys.ts"
import { evolve } from "../../src/Machine/evolve.ts"
import * as Format from "../../src/Machine/Format.ts"
import { bucketOf } from "../../src/Machine/KeyDigest.ts"
import * as Limits from "../../src/Machine/Limits.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Sessions from "../../src/Machine/Sessions.ts"
import * as StateContent from "../../src/Machine/StateContent.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import type { Transaction } from "../../src/Machine/Transaction.ts"
import { descriptors, leader } from "./Store.ts"

/** Tables of format 3 with no record. */
const tables = (): Tables.Tables => {
  const made = Tables.make(descriptors)
  evolve(made, { index: 1, transaction: { ...entry({}), format: Format.newest } })
  return made
}

/** An entry that changed nothing. */
const entry = (origin: Partial<Transaction>): Transaction => ({
  timeMs: 0,
  logAgeMs: 0,
  command: "Put",
  events: [],
  outcome: { _tag: "Accepted" },
  ...origin
})

const datedAt = (index: number): string =>
  DatedKey.make({ afterIndex: index - 1, unique: index.toString(36), fingerprint: "fffffffffff" })

/** The bytes that live after the garbage is gone. The test process has no `gc` of its own. */
const heapBytes = async (): Promise<number> => {
  const { setFlagsFromString } = await import("node:v8")
  const { runInNewContext } = await import("node:vm")
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

/** Only V8 collects garbage on demand and tells its heap. */
const isV8 = !("Bun" in globalThis) && !("Deno" in globalThis)

describe("the memory of keys at its bounds (C17)", () => {
  it("takes a million dated keys without a refusal, in some 70 bytes for each that it holds", async () => {
    const made = tables()
    const before = isV8 ? await heapBytes() : 0
    for (let index = 2; index <= 1_000_001; index++) {
      const key = datedAt(index)
      if (index % 50_000 === 0) assert.strictEqual(Sessions.find(made, { key }, 0), undefined)
      evolve(made, { index, transaction: entry({ key }) })
    }
    const { datedKeysMax, datedGenerationSize } = Limits.keyLimitsOf(made.limits)
    assert.isAtMost(made.datedKeys.count, datedKeysMax)
    assert.isAbove(made.datedKeys.count, datedKeysMax - datedGenerationSize)
    const horizonIndex = DatedKeys.horizonOf(made.datedKeys, bucketOf(undefined))
    assert.strictEqual(horizonIndex, 1_000_001 - made.datedKeys.count)
    for (const index of [horizonIndex + 1, 750_000, 1_000_001]) {
      assert.deepInclude(Sessions.find(made, { key: datedAt(index) }, 0), { _tag: "Logged", index })
    }
    for (const index of [2, horizonIndex]) {
      assert.deepStrictEqual(Sessions.find(made, { key: datedAt(index) }, 0), { _tag: "Expired" })
    }
    if (isV8) {
      const bytesEach = ((await heapBytes()) - before) / made.datedKeys.count
      assert.isBelow(bytesEach, 80, "bytes of the heap for each key")
      console.log(`a dated key takes ${bytesEach.toFixed(1)} bytes`)
    }
    assert.strictEqual(StateHash.toHex(StateContent.hashOf(made)), Tables.stateHash(made))
  }, 120_000)

  it("holds an opaque key in some 250 bytes, besides its outcome", async () => {
    const made = tables()
    const before = isV8 ? await heapBytes() : 0
    const count = 100_000
    for (let index = 2; index < 2 + count; index++) {
      const fingerprint = Buffer.from(String(index).repeat(6)).toString("base64url").slice(0, 43)
      evolve(made, { index, transaction: entry({ key: crypto.randomUUID(), fingerprint }) })
    }
    assert.strictEqual(made.sessions.size, count)
    if (!isV8) return
    const bytesEach = ((await heapBytes()) - before - made.outcomesBytes) / count
    assert.isBelow(bytesEach, 300, "bytes of the heap for each key")
    console.log(`an opaque key takes ${bytesEach.toFixed(1)} bytes, and its outcome ${made.outcomesBytes / count}`)
  }, 60_000)

  it("refuses a holder that floods, by closing keys as by writing, and nobody else", () => {
    const { machine, submit } = leader()
    const opaqueKeysMax = 400
    const limits = { ...Limits.current, revision: 1, opaqueKeysMax }
    evolve(machine.applied, { index: 1, transaction: { ...entry({}), limits, format: Format.newest } })
    Machine.beginSpeculation(machine)
    const close = (principal: string, number: number): Command => ({ _tag: "Close", principal, key: `k${number}` })
    let closedCount = 0
    for (let number = 0; number < 1_000; number++) {
      const result = submit(close("flooder", number))
      assert.isTrue(result._tag === "Rejected")
      if (result._tag !== "Rejected") return
      if (result.rejection._tag === "KeyClosed") closedCount++
      else assert.deepStrictEqual(result.rejection, { _tag: "KeyQuota" })
    }
    assert.strictEqual(closedCount, (opaqueKeysMax * 3) / 4)
    const put: Command = { _tag: "Put", model: "Product", id: "a", data: { price: 1 } }
    for (let number = 0; number < 50; number++) {
      assert.strictEqual(submit({ ...put, principal: `p${number}`, key: "mine" })._tag, "Accepted")
    }
    // The flooder is told the outcome of keys that it has, and takes dated keys without a quota.
    assert.deepInclude(submit(close("flooder", 0)), { rejection: { _tag: "KeyClosed" } })
    const key = DatedKey.make({ afterIndex: machine.applied.index, unique: "1" })
    assert.strictEqual(submit({ ...put, principal: "flooder", key })._tag, "Accepted")
    // A day later its keys make room.
    const monotonicMs = 2 * Limits.current.keyLifetimeMs
    assert.deepInclude(submit(close("flooder", 5_000), { monotonicMs }), { rejection: { _tag: "KeyClosed" } })
    assert.isBelow(machine.applied.sessions.size, opaqueKeysMax)
  })

  it("keeps outcomes up to their bound in all, and the log tells those after it", () => {
    const { machine, submit } = leader()
    const limits = { ...Limits.current, revision: 1, outcomesMaxBytes: 2_000 }
    evolve(machine.applied, { index: 1, transaction: { ...entry({}), limits, format: Format.newest } })
    Machine.beginSpeculation(machine)
    const put = (number: number): Command => ({
      _tag: "Put",
      model: "Product",
      id: `p${number}`,
      data: { price: number },
      key: `k${number}`
    })
    for (let number = 0; number < 50; number++) assert.strictEqual(submit(put(number))._tag, "Accepted")
    assert.isAtMost(machine.applied.outcomesBytes, 2_000)
    assert.isAbove(machine.applied.outcomesBytes, 1_500)
    assert.deepInclude(submit(put(0)), { _tag: "Accepted", replayedIndex: 2 })
    assert.deepStrictEqual(submit(put(49)), { _tag: "Logged", replayedIndex: 51 })
    submit({ _tag: "Close", key: "closed" })
    assert.deepStrictEqual(submit({ ...put(1), key: "closed" }), {
      _tag: "Rejected",
      rejection: { _tag: "KeyClosed" }
    })
    assert.strictEqual(StateHash.toHex(StateContent.hashOf(machine.applied)), Tables.stateHash(machine.applied))
  })
})
