/** The chain of digests over a log: it agrees on every node, an altered entry is named, and an erased one is accepted. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { checking, transactionOf } from "../../src/Backup/CheckEvidence.ts"
import { blankedEntry } from "../../src/Cluster/Feed.ts"
import type { LogEntry } from "../../src/EventStore/LogEntry.ts"
import * as Erasure from "../../src/Machine/Erasure.ts"
import * as Evidence from "../../src/Machine/Evidence.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as StateContent from "../../src/Machine/StateContent.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { decode, encode } from "../../src/Machine/Transaction.ts"
import { descriptors, leader } from "./Store.ts"

const put = (id: string, price: number) => ({ _tag: "Put", model: "Product", id, data: { price } }) as const

/** A log with a chain from its second entry on. */
const proven = () => {
  const leads = leader()
  leads.submit(put("a", 1))
  leads.submit({ _tag: "Prove" })
  for (let price = 2; price < 8; price++) leads.submit(put(price % 2 === 0 ? "a" : "b", price))
  const log = leads.entries.map(({ index, payload }): LogEntry => ({ index, term: 0, type: "transaction", payload }))
  return { ...leads, log }
}

const verdict = (log: ReadonlyArray<LogEntry>, kept?: { readonly index: number; readonly digest: string }) => {
  const check = checking({ kept })
  for (const entry of log) check.take(entry, transactionOf(entry))
  return check.end()
}

const altered = (
  log: ReadonlyArray<LogEntry>,
  index: number,
  change: (text: string) => string
): ReadonlyArray<LogEntry> =>
  log.map((entry) => {
    if (entry.index !== index) return entry
    const text = Buffer.from(entry.payload).toString("latin1")
    assert.notStrictEqual(change(text), text, "the entry is altered")
    return { ...entry, payload: Buffer.from(change(text), "latin1") }
  })

describe("the chain of digests", () => {
  it("begins once, and no entry carries anything before", () => {
    const { entries, machine, submit } = leader()
    submit(put("a", 1))
    assert.notInclude(Buffer.from(entries[0]!.payload).toString(), '"previous"')
    submit({ _tag: "Prove" })
    assert.isUndefined(submit({ _tag: "Prove" }).entry)
    submit(put("a", 2))
    const transaction = Result.getOrThrow(decode(entries[2]!.payload))
    assert.match(transaction.previous ?? "", /^[0-9a-f]{64}$/)
    assert.isString(transaction.salt)
    assert.deepInclude(machine.applied.chain, { beganIndex: 2, index: 3 })
  })

  it("is part of the state: nodes that apply the entries have it, and a snapshot keeps it", () => {
    const { log, machine } = proven()
    const follower = Machine.make(descriptors)
    for (const entry of log) Machine.apply(follower, entry)
    assert.deepStrictEqual(follower.applied.chain, machine.applied.chain)
    assert.deepStrictEqual(machine.speculative?.chain, machine.applied.chain)
    const restoring = Snapshot.restoring(descriptors)
    for (const bytes of Snapshot.encode(Snapshot.take(Tables.clone(machine.applied)))) restoring.take(bytes)
    const again = Result.getOrThrow(restoring.end())
    assert.deepStrictEqual(again.chain, machine.applied.chain)
    assert.strictEqual(StateHash.toHex(StateContent.hashOf(again)), Tables.stateHash(machine.applied))
  })

  it("holds over all entries, and agrees with a digest that was kept", () => {
    const { log, machine } = proven()
    const { digest, index } = machine.applied.chain!
    assert.deepStrictEqual(Result.getOrThrow(verdict(log)), { fromIndex: 2, index, digest })
    // From the middle on it is taken up where an entry carries it.
    assert.deepStrictEqual(Result.getOrThrow(verdict(log.slice(4))), { fromIndex: 5, index, digest })
    assert.isTrue(Result.isSuccess(verdict(log, { index, digest })))
    const other = verdict(log, { index, digest: Evidence.nothing })
    assert.isTrue(Result.isFailure(other))
    assert.isTrue(Result.isFailure(verdict(log, { index: 99, digest })))
  })

  it("names the first altered entry, whichever it is and whatever of it", () => {
    const { log } = proven()
    // The last entry is covered only by a digest that somebody has kept.
    for (let index = 2; index < 8; index++) {
      const found = verdict(altered(log, index, (text) => text.replace('"timeMs":', '"timeMs":1')))
      assert.deepStrictEqual(
        found,
        Result.fail(`Entry ${index} was altered: the digests after it do not agree with it`)
      )
    }
    for (let index = 4; index < 8; index++) {
      const found = verdict(altered(log, index, (text) => text.replace(/"previous":"../, '"previous":"zz')))
      assert.isTrue(Result.isFailure(found), `of entry ${index} the digest that it carries`)
    }
    const later = log.map((entry) => (entry.index === 5 ? { ...entry, term: 1 } : entry))
    assert.match(String(Result.merge(Result.map(verdict(later), String))), /Entry 5 was altered/)
  })

  it("holds over erased entries, which keep the inner hash and lose the salt", () => {
    const leads = proven()
    const { digest, index } = leads.machine.applied.chain!
    leads.submit({ _tag: "Erase", model: "Product", id: "a" })
    const erasures = Erasure.erasuresOf(leads.machine.applied)
    const blanked = leads.log.map((entry) => blankedEntry(entry, erasures))
    const first = transactionOf(blanked[2]!)!
    assert.isUndefined(first.salt)
    assert.strictEqual(first.inner, Evidence.innerOf(leads.log[2]!.payload))
    assert.deepStrictEqual(Result.getOrThrow(verdict(blanked)), { fromIndex: 2, index, digest })
    assert.strictEqual(blankedEntry(blanked[2]!, erasures), blanked[2])
    // Another erasure of the same entry leaves the hash of what it was at first.
    assert.deepStrictEqual(
      transactionOf({ ...blanked[2]!, payload: encode(Evidence.sealed(first, blanked[2]!.payload)) })?.inner,
      first.inner
    )
  })
})
