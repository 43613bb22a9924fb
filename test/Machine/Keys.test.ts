/** Outcomes that only the log tells, keys that a node assigned, and keys that were closed. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as AssignedKey from "../../src/Machine/AssignedKey.ts"
import type { Command } from "../../src/Machine/Command.ts"
import { holdsForCopies, recalled } from "../../src/Machine/CommandResult.ts"
import * as DatedKey from "../../src/Machine/DatedKey.ts"
import * as DatedKeys from "../../src/Machine/DatedKeys.ts"
import { digestOf } from "../../src/Machine/KeyDigest.ts"
import * as Limits from "../../src/Machine/Limits.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import type { Procedure } from "../../src/Machine/Procedure.ts"
import { recall } from "../../src/Machine/Recall.ts"
import * as Sessions from "../../src/Machine/Sessions.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { decode } from "../../src/Machine/Transaction.ts"
import { seeded } from "./Seeded.ts"
import { descriptors, isUnchanged, leader } from "./Store.ts"

const category = "c".repeat(Limits.initial.outcomeMaxBytes)
const large: Command = { _tag: "Create", model: "Product", id: "a", data: { price: 1, category }, key: "k" }
const put = (id: string, price: number): Command => ({ _tag: "Put", model: "Product", id, data: { price } })
const remove = (id: string): Command => ({ _tag: "Delete", model: "Product", id })

/** What the log tells of the entry at `index`. */
const told = ({ entries, machine }: ReturnType<typeof leader>, index: number) => {
  const entry = entries.find((each) => each.index === index)
  const transaction = Result.getOrThrow(decode(entry!.payload))
  return recall(machine.applied, { index, transaction })
}

/** The same tables, by way of a snapshot. */
const restored = (tables: Tables.Tables): Tables.Tables => {
  const restoring = Snapshot.restoring(descriptors)
  for (const bytes of Snapshot.encode(Snapshot.take(Tables.clone(tables)))) restoring.take(bytes)
  return Result.getOrThrow(restoring.end())
}

describe("an outcome that is too large to be kept (C17)", () => {
  it("is told by its entry, as it was told first", () => {
    const leads = leader()
    const first = leads.submit(large)
    assert.isTrue(first._tag === "Accepted")
    assert.strictEqual(leads.machine.applied.sessions.valuesArray()[0]?.outcome, undefined)
    assert.deepStrictEqual(leads.submit(large), { _tag: "Logged", replayedIndex: 1 })
    assert.deepStrictEqual(leads.submit({ ...large, fingerprint: "other" }), {
      _tag: "Rejected",
      rejection: { _tag: "KeyReused" }
    })
    if (first._tag === "Accepted") assert.deepStrictEqual(told(leads, 1), { _tag: "Accepted", answer: first.answer })
  })

  it("is kept up to 4 KiB and not beyond, and tables keep no larger one", () => {
    const leads = leader()
    for (let length = 3_800; length < 4_200; length += 7) {
      leads.submit({
        _tag: "Put",
        model: "Product",
        id: "b",
        data: { price: 1, category: "ü".repeat(length / 2) },
        key: `${length}`
      })
    }
    const sizes = leads.machine.applied.sessions
      .valuesArray()
      .map(({ outcome }) => (outcome === undefined ? 0 : Buffer.byteLength(outcome)))
    assert.isAtMost(Math.max(...sizes), 4096)
    assert.isAbove(Math.max(...sizes), 4000)
    assert.include(sizes, 0)
  })

  it("is said to have expired where its entry is compacted away, and never to be another one", () => {
    assert.deepStrictEqual(recalled(undefined, 7), { _tag: "Rejected", rejection: { _tag: "KeyExpired" } })
  })

  it("is the same answer, told by the tables or by the log, for any command", () => {
    for (let seed = 0; seed < 60; seed++) {
      const random = seeded(seed)
      const leads = leader()
      const operationOf = () => {
        const id = random.pick(["a", "b", "c"])
        const patch: Command = { _tag: "Patch", model: "Product", id, data: { price: random.below(3) } }
        return random.pick([put(id, random.below(3)), patch, remove(id)] as const)
      }
      for (let step = 0; step < 60; step++) {
        const operations = Array.from({ length: 1 + random.below(4) }, operationOf) as never
        const command: Command = { _tag: "Transact", operations, key: `k${step}` }
        const decision = leads.submit(command)
        const outcome = told(leads, leads.machine.applied.index)
        if (decision._tag === "Rejected") {
          assert.deepStrictEqual(outcome, { _tag: "Rejected", rejection: decision.rejection }, `seed ${seed}`)
        } else if (decision._tag === "Accepted") {
          assert.isTrue(outcome._tag === "Accepted")
          if (outcome._tag !== "Accepted") continue
          const { answer } = outcome
          for (const [position, operation] of decision.answer.operations.entries()) {
            // Of a record that is gone it is not known when it was created: of no other one is it said.
            const createdIndex = answer.operations[position]!.createdIndex === 0 ? 0 : operation.createdIndex
            assert.deepStrictEqual(answer.operations[position], { ...operation, createdIndex }, `seed ${seed}`)
            const row = Tables.get(leads.machine.applied, operation.model, operation.id)
            const isThere = row !== undefined && row.createdIndex === operation.createdIndex
            if (isThere && operation.change !== "deleted" && row.version === operation.version) {
              assert.strictEqual(createdIndex, row.createdIndex, `seed ${seed}`)
            }
          }
        }
      }
    }
  })

  it("tells of an update, once its record was created anew, nothing of the new one", () => {
    const leads = leader()
    leads.submit(put("a", 1))
    leads.submit({ ...put("a", 2), key: "k" })
    const createdIndex = () => {
      const outcome = told(leads, 2)
      return outcome._tag === "Accepted" ? outcome.answer.operations[0]?.createdIndex : undefined
    }
    assert.strictEqual(createdIndex(), 1)
    leads.submit(remove("a"))
    assert.strictEqual(createdIndex(), 0)
    leads.submit(put("a", 3))
    assert.strictEqual(createdIndex(), 0)
  })
})

describe("a key that a node assigned (C17)", () => {
  const assignedKey = (afterIndex: number, unique = "0a1b") =>
    DatedKey.make({ afterIndex, unique, fingerprint: "f".repeat(43) })
  const small = () => {
    const leads = leader()
    leads.machine.applied = Tables.make(descriptors, { ...Limits.initial, datedGenerationSize: 1, datedKeysMax: 3 })
    Machine.beginSpeculation(leads.machine)
    return leads
  }

  it("says what it was assigned to, and nothing that a client would write is one", () => {
    const key = assignedKey(123_456)
    const said = DatedKey.parse(key)
    assert.deepStrictEqual(said, { isOfNode: false, afterIndex: 123_456, fingerprint: "f".repeat(11) })
    assert.isTrue(said !== undefined && DatedKey.isOf(said, "f".repeat(43)))
    assert.isFalse(said !== undefined && DatedKey.isOf(said, "g".repeat(43)))
    assert.isAtMost(key.length, 80)
    for (const other of [
      "",
      "~",
      "~1",
      "~1.a",
      "~1.a.b.c",
      "~1.A.b",
      " ~1.a.b",
      "~1.a.b\n",
      crypto.randomUUID(),
      `${key}x`
    ]) {
      assert.strictEqual(DatedKey.parse(other), undefined, other)
    }
  })

  it("makes a write one that is told again, and no more than its index is held", () => {
    const leads = leader()
    const key = assignedKey(0)
    const first = leads.submit({ ...put("a", 1), assignedKey: key })
    assert.deepStrictEqual(
      [...DatedKeys.entries(leads.machine.applied.datedKeys)],
      [{ bucket: 0, digest: digestOf(Sessions.nameOf({ key })), index: 1, endsGeneration: false }]
    )
    assert.strictEqual(leads.machine.applied.sessions.size, 0)
    assert.deepStrictEqual(leads.submit({ ...put("a", 1), key }), { _tag: "Logged", replayedIndex: 1 })
    if (first._tag === "Accepted") assert.deepStrictEqual(told(leads, 1), { _tag: "Accepted", answer: first.answer })
    assert.strictEqual(leads.entries.length, 1)
  })

  it("makes no entry of what changes nothing, until a client has it", () => {
    const { entries, submit } = leader()
    submit({ ...put("a", 1), assignedKey: assignedKey(0) })
    assert.isTrue(isUnchanged(submit({ ...put("a", 1), assignedKey: assignedKey(1) })))
    const patch: Command = { _tag: "Patch", model: "Product", id: "x", data: {} }
    assert.deepInclude(submit({ ...patch, assignedKey: assignedKey(1, "1") }), { _tag: "Rejected" })
    assert.strictEqual(entries.length, 1)
    // A client that sends it has been told that the first copy may still be done: a refusal must end that.
    assert.strictEqual(submit({ ...patch, key: assignedKey(1, "1") })._tag, "Rejected")
    submit(put("x", 1))
    assert.deepStrictEqual(submit({ ...patch, assignedKey: assignedKey(1, "1") }), { _tag: "Logged", replayedIndex: 2 })
  })

  it("is forgotten when so many others have come, and is then said to have expired, never to be absent", () => {
    const { machine, submit } = small()
    const key = assignedKey(0, "ff")
    submit({ ...put("a", 0), assignedKey: key })
    for (let count = 1; count <= 3; count++) submit({ ...put("a", count), assignedKey: assignedKey(count) })
    assert.strictEqual(machine.applied.datedKeys.count, 3)
    assert.deepStrictEqual(Sessions.find(machine.applied, { key }, 0), { _tag: "Expired" })
    const copy: Command = { ...put("a", 0), key }
    const expired = { _tag: "Rejected", rejection: { _tag: "KeyExpired" } } as const
    assert.deepStrictEqual(submit(copy), expired)
    assert.deepStrictEqual(submit({ _tag: "Close", key }), expired)
    // The first copy itself came too late: it was certainly not done, and can be sent again.
    const late = submit({ ...put("a", 0), assignedKey: assignedKey(0, "ee") })
    assert.deepStrictEqual(late, { ...expired, rejection: { _tag: "KeysExhausted" } })
    // One that was assigned since is absent.
    assert.strictEqual(Sessions.find(machine.applied, { key: assignedKey(1, "ee") }, 0), undefined)
  })

  it("that no node can have assigned yet is not taken: forgotten, it would be done again", () => {
    const { machine, submit } = leader()
    submit(put("a", 0))
    const refused = { _tag: "Rejected", rejection: { _tag: "KeyExpired" } } as const
    const next = machine.applied.index + 1
    for (const afterIndex of [next, next + 1, 1e12]) {
      assert.deepStrictEqual(submit({ ...put("a", 1), key: assignedKey(afterIndex), fingerprint: "f" }), refused)
      assert.deepStrictEqual(submit({ _tag: "Close", key: assignedKey(afterIndex) }), refused)
    }
    assert.strictEqual(submit({ ...put("a", 1), key: assignedKey(next - 1), fingerprint: "f" })._tag, "Accepted")
  })

  it("is remembered by its number and by no time, and takes no room from the keys of clients", () => {
    const { machine, submit } = leader()
    const key = assignedKey(0)
    submit({ ...put("a", 0), assignedKey: key })
    submit(put("a", 1), { monotonicMs: 10 * Limits.initial.keyLifetimeMs })
    assert.deepInclude(Sessions.find(machine.applied, { key }, 10 * Limits.initial.keyLifetimeMs), { _tag: "Logged" })
  })

  it("is in the snapshot and in the state hash, forgotten ones included", () => {
    const { machine, submit } = small()
    for (let count = 0; count < 5; count++) submit({ ...put("a", count), assignedKey: assignedKey(count) })
    const other = leader()
    for (let count = 0; count < 5; count++) other.submit(put("a", count))
    assert.notStrictEqual(Tables.stateHash(machine.applied), Tables.stateHash(other.machine.applied))
    const again = restored(machine.applied)
    const held = ({ datedKeys, limits }: Tables.Tables) => {
      return { limits, horizons: [...DatedKeys.horizons(datedKeys)], entries: [...DatedKeys.entries(datedKeys)] }
    }
    assert.deepStrictEqual(held(again), held(machine.applied))
    assert.strictEqual(DatedKeys.horizonOf(again.datedKeys, 0), 2)
    assert.strictEqual(Tables.stateHash(again), Tables.stateHash(machine.applied))
  })
})

describe("closing a key (docs/http.md, Idempotency keys)", () => {
  const closed = { _tag: "Rejected", rejection: { _tag: "KeyClosed" } } as const

  it("of which nothing became ends it: no copy is done after that, with whatever fingerprint, and none is a replay", () => {
    for (const key of ["k", DatedKey.make({ afterIndex: 0, unique: "0", fingerprint: "f" })]) {
      const leads = leader()
      const { entries, machine, submit } = leads
      assert.deepInclude(submit({ _tag: "Close", key }), { _tag: "Rejected", rejection: { _tag: "KeyClosed" } })
      assert.strictEqual(entries.length, 1)
      const copies: ReadonlyArray<Command> = [
        { ...put("a", 1), key },
        { ...put("a", 1), key, fingerprint: "f" },
        { _tag: "Close", key }
      ]
      for (const copy of copies) {
        const decision = submit(copy)
        const result = decision._tag === "Logged" ? recalled(told(leads, 1), 1) : decision
        assert.deepInclude(result, { _tag: "Rejected", rejection: { _tag: "KeyClosed" } })
        assert.notProperty(result, "replayedIndex")
      }
      assert.strictEqual(entries.length, 1)
      assert.strictEqual(Tables.get(machine.applied, "Product", "a"), undefined)
      Machine.beginSpeculation(machine)
      machine.applied = restored(machine.applied)
      Machine.beginSpeculation(machine)
      const again = submit({ ...put("a", 1), key, fingerprint: "f" })
      if (again._tag !== "Logged") assert.deepStrictEqual(again, closed)
      assert.strictEqual(entries.length, 1)
    }
  })

  it("of which something became says what, and changes nothing", () => {
    const { entries, submit } = leader()
    const first = submit({ ...put("a", 1), key: "k", fingerprint: "f" })
    const answer = first._tag === "Accepted" ? first.answer : undefined
    assert.deepStrictEqual(submit({ _tag: "Close", key: "k" }), {
      _tag: "Accepted",
      answer: answer!,
      replayedIndex: 1
    })
    assert.strictEqual(entries.length, 1)
  })
})

/** What a keyed request was told, in a word, whether that holds for its copies, and whether it left an entry. */
const refusedBy = (leads: ReturnType<typeof leader>, command: Command) => {
  const entriesCount = leads.entries.length
  const result = leads.submit(command)
  if (result._tag !== "Rejected") return assert.fail(`${result._tag}, and not refused`)
  return {
    refusal: result.rejection._tag,
    isEntry: leads.entries.length > entriesCount,
    holds: holdsForCopies(result)
  }
}

describe("the life of a node, in the keys that it assigns (C23)", () => {
  it("is another one with every start, of every node and of every data directory", () => {
    const nodes = [
      { nodeId: "a", instanceId: "i" },
      { nodeId: "b", instanceId: "i" },
      { nodeId: "a", instanceId: "j" }
    ]
    const lives = nodes.flatMap((node) => [1, 2, 36, 37].map((life) => AssignedKey.lifeOf(node, life)))
    const keys = lives.map((life) => AssignedKey.giver({ life, isOfNode: false })(put("a", 1), 7).assignedKey)
    assert.strictEqual(new Set(keys).size, nodes.length * 4)
  })

  it("leaves room in a key, however often the node starts", () => {
    const life = AssignedKey.lifeOf({ nodeId: "n".repeat(256), instanceId: "i" }, 10 ** 15)
    const key = DatedKey.make({ afterIndex: 7, unique: `${life}-${Number.MAX_SAFE_INTEGER.toString(36)}` })
    assert.strictEqual(DatedKey.parse(key)?.afterIndex, 7)
  })
})

describe("a refusal of a keyed request (C18)", () => {
  const keyed = (command: Command, key = "k"): Command => ({ ...command, key, fingerprint: JSON.stringify(command) })

  it("that is an entry holds for all copies, and so does what the key says of another request", () => {
    const leads = leader()
    leads.submit(put("a", 1))
    leads.submit(keyed(put("b", 1), "used"))
    leads.submit({ _tag: "Close", key: "closed" })
    const patch = (id: string, price: unknown): Command => ({ _tag: "Patch", model: "Product", id, data: { price } })
    const create: Command = { _tag: "Create", model: "Product", id: "a", data: { price: 1 } }
    const refused: ReadonlyArray<readonly [Command, string]> = [
      [patch("a", "dear"), "InvalidRequest"],
      [patch("c", 1), "NotFound"],
      [create, "AlreadyExists"],
      [{ _tag: "Put", model: "Product", id: "a", data: { price: 2 }, ifMatch: [7] }, "VersionConflict"]
    ]
    for (const [command, refusal] of refused) {
      const request = keyed(command, refusal)
      assert.deepStrictEqual(refusedBy(leads, request), { refusal, isEntry: true, holds: true })
      const copy = leads.submit(request)
      assert.isTrue(copy._tag === "Rejected" && copy.replayedIndex !== undefined && holdsForCopies(copy))
    }
    assert.deepStrictEqual(refusedBy(leads, keyed(put("c", 1), "used")), {
      refusal: "KeyReused",
      isEntry: false,
      holds: true
    })
    assert.deepStrictEqual(refusedBy(leads, keyed(put("c", 1), "closed")), {
      refusal: "KeyClosed",
      isEntry: false,
      holds: true
    })
  })

  it("that left none says nothing of a copy, which a leader of other code, or of more room, may do", () => {
    const throws: Procedure = () => {
      throw new RangeError("oops")
    }
    const leads = leader(new Map([["throws", throws]]))
    const early = DatedKey.make({ afterIndex: 99, unique: "0" })
    const refused: ReadonlyArray<readonly [Command, string]> = [
      [keyed({ _tag: "Create", model: "Newer", data: {} }), "UpgradeRequired"],
      [keyed({ _tag: "Call", name: "newer", payload: null }), "UnknownCommand"],
      [keyed({ _tag: "Call", name: "throws", payload: null }), "CommandFailed"],
      [keyed(put("a", 1), early), "KeyExpired"]
    ]
    for (const [command, refusal] of refused) {
      assert.deepStrictEqual(refusedBy(leads, command), { refusal, isEntry: false, holds: false })
    }
    assert.isFalse(holdsForCopies({ _tag: "Rejected", rejection: { _tag: "KeysExhausted" } }))
  })
})
