import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as Command from "../../src/Command.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { seeded } from "../Machine/Seeded.ts"
import { contentHash } from "../Machine/Store.ts"
import { Account, Broke, bank, descriptors } from "./Bank.ts"

const seeds = Array.from({ length: 40 }, (_, seed) => seed)
const ids = ["a", "b", "c", "d"] as const
const owners = ["ada", "bob"] as const

/** What the records should be, as a test reckons it: by id, what a row shows. */
type Model = Map<string, { readonly owner: string; readonly balance: number }>

const shown = (row: Account) => ({ owner: row.owner, balance: row.balance })

/** Does at random what a transaction can do, and the same to `model`; each step must see what the steps before it did. */
const program = (random: ReturnType<typeof seeded>, model: Model, seed: number) =>
  Effect.gen(function* () {
    const transaction = yield* Command.Transaction
    const { below, pick } = random
    const steps = below(8)
    for (let step = 0; step < steps; step++) {
      const id = pick(ids)
      const row = { owner: pick(owners), balance: below(5) }
      const held = model.get(id)
      switch (below(6)) {
        case 0: {
          const refused = yield* transaction.create(Account, { id, ...row }).pipe(
            Effect.as(false),
            Effect.catchTag("OperationRefused", ({ reason }) => Effect.succeed(reason._tag === "AlreadyExists"))
          )
          assert.strictEqual(refused, held !== undefined, `seed ${seed}`)
          if (!refused) model.set(id, row)
          break
        }
        case 1:
          assert.deepStrictEqual(shown(yield* transaction.put(Account, { id, ...row })), row, `seed ${seed}`)
          model.set(id, row)
          break
        case 2: {
          const { balance } = row
          const patched = yield* Effect.option(transaction.patch(Account, id, { balance }))
          assert.deepStrictEqual(Option.getOrUndefined(Option.map(patched, shown)), held && { ...held, balance })
          if (held !== undefined) model.set(id, { ...held, balance })
          break
        }
        case 3: {
          const gone = yield* Effect.option(transaction.delete(Account, id))
          assert.deepStrictEqual(Option.getOrUndefined(Option.map(gone, shown)), held, `seed ${seed}`)
          model.delete(id)
          break
        }
        case 4: {
          const owner = pick(owners)
          const listed = yield* transaction.list(Account, { where: { owner }, limit: 10 })
          const expected = [...model].filter(([, each]) => each.owner === owner).map(([each]) => each)
          assert.deepStrictEqual(
            listed.map((each) => each.id),
            expected.toSorted(),
            `seed ${seed}`
          )
          break
        }
        default:
          assert.deepStrictEqual(
            Option.getOrUndefined(Option.map(yield* transaction.find(Account, id), shown)),
            held,
            `seed ${seed}`
          )
      }
    }
    if (below(3) === 0) return yield* new Broke({ missing: steps })
    if (below(8) === 0) return yield* Effect.die(deliberate)
    return steps
  })

/** Any other mistake is one of this test: what it asserts inside of a handler. */
const deliberate = "a deliberate mistake"

const rowsOf = (tables: Tables.Tables) =>
  Array.from(tables.byModel.get("Account")?.rows.entries() ?? [], ([id, { data }]) => [
    id,
    { owner: data.owner, balance: data.balance }
  ])

const run = (seed: number) => {
  const random = seeded(seed)
  const committed: Model = new Map()
  let attempted: Model = new Map()
  const led = bank(() => Effect.suspend(() => program(random, attempted, seed)))
  const keys = new Map<string, unknown>()
  for (let step = 0; step < 60; step++) {
    attempted = new Map(committed)
    const key = random.below(3) === 0 ? `k${random.below(10)}` : undefined
    led.logged.length = 0
    const isCopy = key !== undefined && keys.has(key)
    const done = led.call({}, key === undefined ? {} : { key })
    assert.isTrue(
      led.logged.every((line) => line.includes(deliberate)),
      `seed ${seed}: ${led.logged.join()}`
    )
    if (isCopy) assert.deepStrictEqual(done, keys.get(key), `seed ${seed}: a copy is answered as the first was`)
    if (key !== undefined) keys.set(key, done)
    if (done._tag === "Value" && !isCopy) {
      committed.clear()
      for (const [id, row] of attempted) committed.set(id, row)
    }
    const expected = [...committed].toSorted(([left], [right]) => (left < right ? -1 : 1))
    assert.deepStrictEqual(rowsOf(led.machine.applied), expected, `seed ${seed}, step ${step}`)
    assert.strictEqual(contentHash(led.machine.speculative!), Tables.stateHash(led.machine.applied), `seed ${seed}`)
  }
  return led
}

describe("the laws of commands", () => {
  it("all or nothing: what succeeded is there, what failed, died or was a copy left nothing; inside, each step saw those before it", () => {
    for (const seed of seeds) run(seed)
  })

  it("replay equals live, on a node with no code of the command or its models (D2)", () => {
    for (const seed of seeds) {
      const { entries, machine } = run(seed)
      for (const known of [descriptors, []]) {
        const replayed = Machine.make(known)
        for (const entry of entries) Machine.apply(replayed, entry)
        assert.deepStrictEqual(rowsOf(replayed.applied), rowsOf(machine.applied), `seed ${seed}`)
        assert.strictEqual(Tables.stateHash(replayed.applied), Tables.stateHash(machine.applied), `seed ${seed}`)
      }
    }
  })
})
