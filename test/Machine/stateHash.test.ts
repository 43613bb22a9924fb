/** What the state hash covers, and that it is what the tables hold. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { Command, Origin } from "../../src/Machine/Command.ts"
import * as DatedKeys from "../../src/Machine/DatedKeys.ts"
import { evolve } from "../../src/Machine/evolve.ts"
import * as Format from "../../src/Machine/Format.ts"
import { initial, type Limits } from "../../src/Machine/Limits.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Snapshot from "../../src/Machine/Snapshot.ts"
import * as StateContent from "../../src/Machine/StateContent.ts"
import * as StateElements from "../../src/Machine/StateElements.ts"
import * as StateHash from "../../src/Machine/StateHash.ts"
import type { Row, Tombstone } from "../../src/Machine/Table.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import type { Transaction } from "../../src/Machine/Transaction.ts"
import { seeded } from "./Seeded.ts"
import { descriptors, leader } from "./Store.ts"

const restored = (tables: Tables.Tables): Tables.Tables => {
  const restoring = Snapshot.restoring(descriptors)
  for (const bytes of Snapshot.encode(Snapshot.take(Tables.clone(tables)))) restoring.take(bytes)
  return Result.getOrThrow(restoring.end())
}

const tight: Limits = {
  revision: 1,
  tombstonesMax: 2,
  keysMax: 5,
  keyLifetimeMs: 30,
  outcomeMaxBytes: 120,
  generationSize: 3,
  generationsMax: 2,
  datedKeysMax: 3,
  datedGenerationSize: 2,
  opaqueKeysMax: 5,
  outcomesMaxBytes: 400
}

/** A leader states limits. The first entry states the format too. */
const state = (machine: Machine.Machine, limits: Limits, format = Format.newest): void => {
  const transaction: Transaction = {
    timeMs: 0,
    logAgeMs: 0,
    command: "Limits",
    events: [],
    outcome: { _tag: "Accepted" },
    limits,
    format
  }
  evolve(machine.applied, { index: machine.applied.index + 1, transaction })
  Machine.beginSpeculation(machine)
}

/** A history of everything that evolve does, under limits that are reached. */
const played = (seed: number, stepsCount: number) => {
  const random = seeded(seed)
  const leads = leader()
  state(leads.machine, tight)
  for (let step = 0; step < stepsCount; step++) {
    const id = random.pick(["a", "b", "c", "d"])
    const data = { price: random.below(5) }
    const command = random.pick<Command>([
      { _tag: "Put", model: "Product", id, data },
      { _tag: "Patch", model: "Product", id, data },
      { _tag: "Delete", model: "Product", id },
      { _tag: "Put", model: "User", id, data: { email: `e${random.below(5)}` } }
    ])
    const index = leads.machine.applied.index
    const origin = random.pick<Origin>([
      { key: `k${step}` },
      {},
      { assignedKey: `~${index.toString(36)}.${step.toString(16)}.f` }
    ])
    if (step === 40)
      state(leads.machine, { ...tight, revision: 2, generationSize: 2, tombstonesMax: 1, keyLifetimeMs: 20 })
    leads.submit({ ...command, ...origin })
  }
  return leads
}

/** A state with something of each kind. */
const withAll = (): Tables.Tables => {
  for (let seed = 0; ; seed++) {
    const { applied } = played(seed, 35).machine
    const { rows, tombstones } = applied.byModel.get("Product")!
    const counts = [
      rows.size,
      tombstones.size,
      applied.sessions.size,
      [...DatedKeys.horizons(applied.datedKeys)].length
    ]
    if (counts.every((count) => count > 0)) return applied
  }
}

describe("the state hash", () => {
  it("is what the tables hold, after any history, by way of a snapshot too", () => {
    for (let seed = 0; seed < 40; seed++) {
      const { machine } = played(seed, 10 + seed * 3)
      const hash = Tables.stateHash(machine.applied)
      assert.strictEqual(StateHash.toHex(StateContent.hashOf(machine.applied)), hash, `seed ${seed}`)
      const again = restored(machine.applied)
      assert.strictEqual(Tables.stateHash(again), hash, `seed ${seed}`)
      assert.strictEqual(StateHash.toHex(StateContent.hashOf(again)), hash, `seed ${seed}`)
    }
  })

  it("changes with every field of the state", () => {
    const applied = withAll()
    const hashOf = (tables: Tables.Tables) => StateHash.toHex(StateContent.hashOf(tables))
    const hash = hashOf(applied)
    const table = () => {
      const tables = Tables.clone(applied)
      return { tables, products: tables.byModel.get("Product")! }
    }
    const seen = new Set([hash])
    const differs = (what: string, change: (at: ReturnType<typeof table>) => Tables.Tables | undefined) => {
      const at = table()
      const other = hashOf(change(at) ?? at.tables)
      assert.isFalse(seen.has(other), what)
      seen.add(other)
    }
    const [id, row] = table().products.rows.entries().next().value!
    for (const field of Object.keys(row) as ReadonlyArray<keyof Row>) {
      const changed = field === "data" ? { data: { ...row.data, price: 77 } } : { [field]: row[field] + 1 }
      differs(`row ${field}`, ({ products }) => void products.rows.set(id, { ...row, ...changed }))
    }
    differs("row id", ({ products }) => {
      products.rows.delete(id)
      products.rows.set("another", row)
      return undefined
    })
    const [gone, tombstone] = table().products.tombstones.entries().next().value!
    for (const field of Object.keys(tombstone) as ReadonlyArray<keyof Tombstone>) {
      const changed = { ...tombstone, [field]: tombstone[field] + 1 }
      differs(`tombstone ${field}`, ({ products }) => void products.tombstones.set(gone, changed))
    }
    for (const field of ["modelVersion", "nextTombstoneSequence", "versionFloor"] as const) {
      differs(`table ${field}`, ({ products }) => void products[field]++)
    }
    const [name, session] = table().tables.sessions.entries().next().value!
    for (const field of Object.keys(session) as ReadonlyArray<keyof typeof session>) {
      const changed = {
        ...session,
        [field]: field === "index" || field === "logAgeMs" ? session[field] + 1 : undefined
      }
      // What is absent in both says nothing.
      if (changed[field] !== session[field]) {
        differs(`session ${String(field)}`, ({ tables }) => void tables.sessions.set(name, changed as typeof session))
      }
    }
    for (const field of ["index", "lastTimeMs", "logAgeMs"] as const) {
      differs(field, ({ tables }) => ({ ...tables, [field]: tables[field] + 1 }))
    }
    for (const field of Object.keys(tight) as ReadonlyArray<keyof Limits>) {
      differs(`limit ${String(field)}`, ({ tables }) => ({
        ...tables,
        limits: { ...tight, [field]: (tight[field] ?? 0) + 1 }
      }))
    }
    differs("horizon before format 3", ({ tables }) => {
      const { assignedKeys } = tables
      return { ...tables, assignedKeys: { ...assignedKeys, horizonIndex: assignedKeys.horizonIndex + 1 } }
    })
    differs("horizon of all buckets", ({ tables }) => void tables.datedKeys.floorIndex++)
    const [number, bucket] = [...table().tables.datedKeys.buckets.entries()].find(([, { full }]) => full.length > 0)!
    const differsInBucket = (what: string, changed: Partial<typeof bucket>) =>
      differs(what, ({ tables }) => void tables.datedKeys.buckets.set(number, { ...bucket, ...changed }))
    differsInBucket("horizon of a bucket", { horizonIndex: bucket.horizonIndex + 1 })
    const [first, ...others] = bucket.full
    differsInBucket("a generation that ends", { full: [{ ...first!, lastIndex: first!.lastIndex + 1 }, ...others] })
    const [[digest, index] = ["", 0], ...rest] = first!.indexes
    for (const [what, changed] of [
      ["digest", [`${digest.slice(1)}x`, index]],
      ["index", [digest, index + 1]]
    ] as const) {
      const full = [{ ...first!, indexes: new Map([changed, ...rest]) }, ...others]
      differsInBucket(`${what} of a dated key`, { full })
    }
    differs("bucket", ({ tables }) => {
      tables.datedKeys.buckets.delete(number)
      tables.datedKeys.buckets.set(number + 1, bucket)
      return undefined
    })
  })

  it("of a state that another definition hashed is counted anew where it is restored", () => {
    const { machine } = played(5, 40)
    const hash = Tables.stateHash(machine.applied)
    const restoring = Snapshot.restoring(descriptors)
    const pieces = [...Snapshot.take(Tables.clone(machine.applied))].map((piece): Snapshot.Piece => {
      if (piece._tag !== "State") return piece
      const { hashDefinition: _, ...state } = piece
      return { ...state, hash: [1, 2, 3, 4] }
    })
    for (const bytes of Snapshot.encode(pieces)) restoring.take(bytes)
    assert.strictEqual(Tables.stateHash(Result.getOrThrow(restoring.end())), hash)
  })

  it("is taken as it is written where a snapshot is believed, unless another definition hashed it", () => {
    const { machine } = played(5, 40)
    const restoredHash = (change: object) => {
      const restoring = Snapshot.restoring(descriptors, { isHashCounted: false })
      const pieces = [...Snapshot.take(Tables.clone(machine.applied))].map(
        (piece): Snapshot.Piece => (piece._tag === "State" ? { ...piece, ...change } : piece)
      )
      for (const bytes of Snapshot.encode(pieces)) restoring.take(bytes)
      return Tables.stateHash(Result.getOrThrow(restoring.end()))
    }
    assert.strictEqual(restoredHash({}), Tables.stateHash(machine.applied))
    assert.strictEqual(restoredHash({ hash: [1, 2, 3, 4] }), "00000001000000020000000300000004")
    const byAnother = { hash: [1, 2, 3, 4], hashDefinition: StateElements.definition - 1 }
    assert.strictEqual(restoredHash(byAnother), Tables.stateHash(machine.applied))
  })

  it("counts every limit, so that a limit more or less raises the number of the definition", () => {
    // A release that counts a limit which another does not know would call the other's state wrong.
    assert.deepStrictEqual(
      [StateElements.definition, Object.keys(initial)],
      [
        3,
        ["revision", "tombstonesMax", "keysMax", "keyLifetimeMs", "outcomeMaxBytes", "generationSize", "generationsMax"]
      ]
    )
  })

  it("has a definition, told with a snapshot: what one counts is pinned here, so that a change raises the number", () => {
    for (const [format, pinned] of [
      [1, "118cd4920822fc271ed4dc2c84e087a9"],
      [3, "623306a9173926b7448c93aeac0cf774"]
    ] as const) {
      pin(format, pinned)
    }
  })
})

const pin = (format: number, pinned: string): void => {
  const { machine } = leader(undefined, undefined, { newest: format, begins: format })
  const { datedGenerationSize: _, datedKeysMax: __, opaqueKeysMax: ___, outcomesMaxBytes: ____, ...limits } = tight
  state(machine, limits, format)
  const data = { id: "a", price: 1 }
  const event = {
    type: "created",
    model: "Product",
    modelVersion: 1,
    id: "a",
    version: 1,
    previousIndex: 0,
    data
  } as const
  const accepted = { timeMs: 5, logAgeMs: 3, command: "Put", outcome: { _tag: "Accepted" } } as const
  evolve(machine.applied, { index: 2, transaction: { ...accepted, key: "k", fingerprint: "f", events: [event] } })
  evolve(machine.applied, {
    index: 3,
    transaction: { ...accepted, assignedKey: "~2.0.f", events: [{ ...event, id: "b" }] }
  })
  const deleted = { ...event, type: "deleted", version: 2, previousIndex: 2 } as const
  evolve(machine.applied, { index: 4, transaction: { ...accepted, events: [deleted] } })
  const [begun] = Snapshot.take(Tables.clone(machine.applied))
  assert.deepInclude(begun, { _tag: "State", hashDefinition: StateElements.definition })
  assert.deepStrictEqual([StateElements.definition, Tables.stateHash(machine.applied)], [3, pinned], `format ${format}`)
}
