import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as KeyHistory from "../../src/Local/KeyHistory.ts"
import type { Command, Keyed } from "../../src/Machine/Command.ts"
import type { CommandResult } from "../../src/Machine/CommandResult.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import { decode, type Transaction } from "../../src/Machine/Transaction.ts"
import type { Answered } from "../../src/Raft/node/Answered.ts"
import { NotDone, UnknownOutcome } from "../../src/Raft/node/Outcome.ts"
import { outcomeOf } from "../../src/Raft/node/Settle.ts"
import { descriptors } from "../Machine/Store.ts"

type Told = Answered<CommandResult>

const key = "k"
const put: Command = { _tag: "Put", model: "Product", id: "a", data: { price: 1, category: "c".repeat(5_000) }, key }

type Read = (index: number) => Effect.Effect<Transaction | undefined, NotDone>

/** A leader of one, whose log is read as the test says. */
const start = (read?: Read) => {
  const machine = Machine.make(descriptors)
  Machine.beginSpeculation(machine)
  const entries: Array<{ readonly index: number; readonly payload: Uint8Array }> = []
  const fromMemory: Read = (index) =>
    Effect.sync(() => {
      const decoded = decode(entries[index - 1]!.payload)
      return decoded._tag === "Success" ? decoded.success : undefined
    })
  const propose = (command: Command): void => {
    const index = entries.length + 1
    const decision = Machine.decideNext(machine, command, { index, nowMs: index, newId: () => "n" })
    entries.push({ index, payload: decision.entry!.payload })
  }
  const commit = (): void => {
    for (const entry of entries.slice(machine.applied.index)) Machine.apply(machine, entry)
  }
  const history = KeyHistory.make({
    machine,
    read: read ?? fromMemory,
    unknown: ({ message }: NotDone) => new UnknownOutcome({ message }),
    fork: Effect.runFork
  })
  const underWay = <A>(keyed: Keyed, meanwhile: Effect.Effect<A, NotDone>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => history.begin(keyed)),
      () => meanwhile,
      (end) => Effect.sync(end)
    )
  const told = (answered: Parameters<typeof history.told>[0]) =>
    outcomeOf<Told, UnknownOutcome>((settle) => history.told(answered, settle))
  return { keyStatus: history.keyStatus, underWay, told, propose, commit, machine }
}

describe("what became of a key, told by one node (C17)", () => {
  it.effect("is pending while somebody waits for it, and absent once nobody does and nothing was done", () =>
    Effect.gen(function* () {
      const { keyStatus, underWay } = start()
      assert.deepStrictEqual(yield* keyStatus({ key }), { _tag: "Absent" })
      const meanwhile = yield* underWay({ key }, underWay({ key }, keyStatus({ key })))
      assert.deepStrictEqual(meanwhile, { _tag: "Pending" })
      assert.deepStrictEqual(yield* underWay({ key }, keyStatus({ key, principal: "other" })), { _tag: "Absent" })
      assert.deepStrictEqual(yield* keyStatus({ key }), { _tag: "Absent" })
    })
  )

  it.effect("is pending from its proposal to its commit, although nobody waits any more (C18)", () =>
    Effect.gen(function* () {
      const { commit, machine, propose, keyStatus } = start()
      propose(put)
      assert.deepStrictEqual(yield* keyStatus({ key }), { _tag: "Pending" })
      commit()
      assert.deepInclude(yield* keyStatus({ key }), { _tag: "Known", index: 1, command: "Put" })
      Machine.dropSpeculation(machine)
      assert.deepInclude(yield* keyStatus({ key }), { _tag: "Known", index: 1, command: "Put" })
    })
  )

  it.effect("has expired where its entry is compacted away, and is not told at all where it cannot be read", () =>
    Effect.gen(function* () {
      const compacted = start(() => Effect.succeed(undefined))
      compacted.propose(put)
      compacted.commit()
      assert.deepStrictEqual(yield* compacted.keyStatus({ key }), { _tag: "Expired" })
      const logged = { index: 5, result: { _tag: "Logged", replayedIndex: 1 } } as const
      const told = yield* compacted.told(logged)
      assert.deepStrictEqual(told, { index: 5, result: { _tag: "Rejected", rejection: { _tag: "KeyExpired" } } })

      const damage = new NotDone({ reason: "no-quorum", message: "a payload checksum differs" })
      const damaged = start(() => Effect.fail(damage))
      damaged.propose(put)
      damaged.commit()
      assert.strictEqual((yield* Effect.flip(damaged.keyStatus({ key })))._tag, "NotDone")
      assert.strictEqual((yield* Effect.flip(damaged.told(logged)))._tag, "UnknownOutcome")
    })
  )

  it.effect("is that it was closed, by which nothing is pending", () =>
    Effect.gen(function* () {
      const { commit, propose, keyStatus, underWay } = start()
      propose({ _tag: "Close", key })
      commit()
      assert.deepStrictEqual(yield* underWay({ key }, keyStatus({ key })), { _tag: "Closed" })
    })
  )
})
