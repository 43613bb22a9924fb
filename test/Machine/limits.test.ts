/** The limits that `evolve` applies are in the log, so that releases that differ in them never diverge. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { Command } from "../../src/Machine/Command.ts"
import * as DatedKey from "../../src/Machine/DatedKey.ts"
import * as DatedKeys from "../../src/Machine/DatedKeys.ts"
import * as Limits from "../../src/Machine/Limits.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Transaction from "../../src/Machine/Transaction.ts"
import { descriptors } from "./Store.ts"

const newer: Limits.Limits = {
  revision: 1,
  tombstonesMax: 3,
  keysMax: 4,
  keyLifetimeMs: 1_000,
  outcomeMaxBytes: 64,
  generationSize: 2,
  generationsMax: 1,
  datedKeysMax: 4,
  datedGenerationSize: 2,
  opaqueKeysMax: 4,
  outcomesMaxBytes: 200
}

interface Entry {
  readonly index: number
  readonly payload: Uint8Array
}

/** Nodes of a cluster, each of a release with limits of its own; whichever leads decides, and all apply. */
const cluster = (...releases: ReadonlyArray<Limits.Limits>) => {
  const nodes = releases.map((limits) => Machine.make(descriptors, undefined, undefined, limits))
  const entries: Array<Entry> = []
  const append = (payload: Uint8Array) => {
    const entry = { index: entries.length + 1, payload }
    entries.push(entry)
    for (const node of nodes) Machine.apply(node, entry)
    const hashes = nodes.map(({ applied }) => Tables.stateHash(applied))
    assert.strictEqual(new Set(hashes).size, 1, `entry ${entry.index}`)
  }
  const submit = (leader: number, command: Command, monotonicMs = 0) => {
    const machine = nodes[leader]!
    Machine.passTime(machine, monotonicMs)
    Machine.beginSpeculation(machine)
    const opening = Machine.decideLimits(machine, { index: entries.length + 1, nowMs: 0 })
    if (opening !== undefined) append(opening.payload)
    const at = { index: entries.length + 1, nowMs: 0, newId: () => "n" }
    const { entry, result } = Machine.decideNext(machine, command, at)
    if (entry !== undefined) append(entry.payload)
    return result
  }
  return { nodes, entries, submit }
}

const put = (id: string, price = 1): Command => ({ _tag: "Put", model: "Product", id, data: { price } })

const limitsIn = (entries: ReadonlyArray<Entry>) =>
  entries.flatMap(({ index, payload }) => {
    const { limits } = Result.getOrThrow(Transaction.decode(payload))
    return limits === undefined ? [] : [{ index, limits }]
  })

describe("the limits of the log", () => {
  it("are the first set, for ever, where the log states none; a release whose set that is states nothing", () => {
    assert.deepStrictEqual(Limits.initial, {
      revision: 0,
      tombstonesMax: 1_000_000,
      keysMax: 100_000,
      keyLifetimeMs: 86_400_000,
      outcomeMaxBytes: 4_096,
      generationSize: 5_000,
      generationsMax: 10
    })
    const { entries, nodes, submit } = cluster(Limits.initial, Limits.initial)
    submit(0, put("a"))
    assert.deepStrictEqual(limitsIn(entries), [])
    assert.deepStrictEqual(nodes[1]!.applied.limits, Limits.initial)
  })

  it("are stated once, by the first leader of a newer release, before whatever it decides; an older one leaves them", () => {
    const { entries, nodes, submit } = cluster(Limits.initial, newer)
    submit(0, put("a"))
    submit(1, put("b"))
    submit(1, put("c"))
    submit(0, put("d"))
    submit(1, put("e"))
    assert.deepStrictEqual(limitsIn(entries), [{ index: 2, limits: newer }])
    for (const { applied } of nodes) assert.deepStrictEqual(applied.limits, newer)
  })

  it("are applied alike by every release: what one forgets all forget, whoever leads", () => {
    const { nodes, submit } = cluster(Limits.initial, newer, {
      ...newer,
      revision: 2,
      tombstonesMax: 1,
      keyLifetimeMs: 5
    })
    for (let step = 0; step < 120; step++) {
      const leader = step < 40 ? 0 : step < 80 ? step % 2 : step % 3
      const id = `p${step % 5}`
      const assignedKey = DatedKey.make({ afterIndex: nodes[0]!.applied.index, unique: step.toString(16) })
      const origin = step % 3 === 0 ? { key: `k${step}` } : step % 3 === 1 ? { assignedKey } : {}
      submit(
        leader,
        { ...(step % 4 === 3 ? { _tag: "Delete", model: "Product", id } : put(id, step)), ...origin },
        step * 3
      )
    }
    const { applied } = nodes[0]!
    assert.strictEqual(applied.limits.revision, 2)
    assert.isAbove(DatedKeys.horizonOf(applied.datedKeys, 0), 0)
    assert.isBelow(applied.sessions.size, 4)
    assert.isAtMost(applied.byModel.get("Product")!.tombstones.size, 2)
  })

  it("that have shrunk are reached little by little: one deletion evicts two tombstones at most", () => {
    const { nodes, submit } = cluster(Limits.initial, newer)
    const end = (leader: number, id: string) => {
      submit(leader, put(id))
      submit(leader, { _tag: "Delete", model: "Product", id })
      return nodes[0]!.applied.byModel.get("Product")!.tombstones.size
    }
    for (let count = 1; count <= 10; count++) assert.strictEqual(end(0, `a${count}`), count)
    const sizes = Array.from({ length: 10 }, (_, count) => end(1, `b${count}`))
    assert.deepStrictEqual(sizes, [9, 8, 7, 6, 5, 4, 3, 3, 3, 3])
  })

  it("bound the keys of clients, and say when one has expired", () => {
    const { submit } = cluster(newer)
    for (let count = 1; count <= 3; count++) {
      assert.strictEqual(submit(0, { ...put("a", count), key: `k${count}` }, count)._tag, "Accepted")
    }
    assert.deepInclude(submit(0, { ...put("a", 9), key: "k9" }, 900), { rejection: { _tag: "KeyQuota" } })
    assert.strictEqual(submit(0, { ...put("a", 4), principal: "p", key: "k" }, 4)._tag, "Accepted")
    assert.deepInclude(submit(0, { ...put("a", 9), principal: "q", key: "k" }, 900), {
      rejection: { _tag: "KeysExhausted" }
    })
    assert.strictEqual(submit(0, { ...put("a", 9), key: "k9" }, 1_002)._tag, "Accepted")
    assert.strictEqual(submit(0, { ...put("a", 1), key: "k1" }, 5_000)._tag, "Accepted")
  })

  it("go with a snapshot, and so does where each generation of keys ends, whatever its size is by then", () => {
    const wide = { ...newer, revision: 2, datedGenerationSize: 5, datedKeysMax: 10 }
    const { entries, nodes, submit } = cluster(newer, wide)
    const write = (leader: number) => {
      const afterIndex = nodes[0]!.applied.index
      submit(leader, { ...put("a", afterIndex), assignedKey: DatedKey.make({ afterIndex, unique: "0" }) })
    }
    for (let count = 0; count < 5; count++) write(0)
    for (let count = 0; count < 4; count++) write(1)
    const restoring = Snapshot.restoring(descriptors)
    for (const bytes of Snapshot.encode(Snapshot.take(Tables.clone(nodes[0]!.applied)))) restoring.take(bytes)
    const restored = { ...Machine.make(descriptors), applied: Result.getOrThrow(restoring.end()) }
    assert.deepStrictEqual(restored.applied.limits, wide)
    const from = entries.length
    for (let count = 0; count < 20; count++) {
      write(count % 2)
      for (const entry of entries.slice(from)) if (entry.index > restored.applied.index) Machine.apply(restored, entry)
      assert.strictEqual(Tables.stateHash(restored.applied), Tables.stateHash(nodes[0]!.applied), `write ${count}`)
      const horizons = [restored, nodes[0]!].map(({ applied }) => DatedKeys.horizonOf(applied.datedKeys, 0))
      assert.strictEqual(horizons[0], horizons[1])
    }
  })

  it("of a snapshot that states none are the first set", () => {
    const { nodes, submit } = cluster(Limits.initial)
    submit(0, { ...put("a"), assignedKey: DatedKey.make({ afterIndex: 0, unique: "0" }) })
    const pieces = [...Snapshot.take(Tables.clone(nodes[0]!.applied))].map((piece): Snapshot.Piece => {
      if (piece._tag !== "State") return piece
      const { hashDefinition: _, limits: __, ...state } = piece
      return state
    })
    const restoring = Snapshot.restoring(descriptors)
    for (const bytes of Snapshot.encode(pieces)) restoring.take(bytes)
    const restored = Result.getOrThrow(restoring.end())
    assert.deepStrictEqual(restored.limits, Limits.initial)
    assert.strictEqual(Tables.stateHash(restored), Tables.stateHash(nodes[0]!.applied))
  })

  it("are whole numbers above zero, or the payload is none; those of a later release may be more", () => {
    const decoded = (limits: unknown) => {
      const transaction = {
        timeMs: 1,
        logAgeMs: 1,
        command: "Limits",
        events: [],
        outcome: { _tag: "Accepted" },
        limits
      }
      return Result.isSuccess(Transaction.decode(Transaction.encode(transaction as Transaction.Transaction)))
    }
    assert.isTrue(decoded(newer))
    assert.isTrue(decoded({ ...newer, quotaMax: 7 }))
    for (const wrong of [
      null,
      [],
      {},
      7,
      { ...newer, revision: 0 },
      { ...newer, keysMax: 1.5 },
      { ...newer, keysMax: "4" }
    ]) {
      assert.isFalse(decoded(wrong), JSON.stringify(wrong))
    }
  })
})

describe("the form of an assigned key", () => {
  it("never changes: evolve tells by it, in every log, which keys nodes assigned", () => {
    const told = [
      "~0.0.",
      "~2n9c.0a1b-z.abcdefghi_-",
      "~~zzzzzzzzzz.f.f",
      "~01234567890.f.f",
      "~0..f",
      "~0.f.abcdefghijkl",
      "~0.F.f",
      "0.f.f",
      "~~~0.f.f"
    ].map((key) => DatedKey.parse(key) !== undefined)
    assert.deepStrictEqual(told, [true, true, true, false, false, false, false, false, false])
  })
})
