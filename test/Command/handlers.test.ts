import { assert, describe, it } from "@effect/vitest"
import { Clock, DateTime, Effect, Layer, Logger, Option, Random, Schema } from "effect"
import * as Procedures from "../../src/Command/Procedures.ts"
import * as Command from "../../src/Command.ts"
import type { Rejection } from "../../src/Machine/Rejection.ts"
import { Account, Broke, bank, type Done, Draft, type Handle, leaderOf, once, using } from "./Bank.ts"

const failed: Done = { _tag: "Rejected", rejection: { _tag: "CommandFailed", command: "probe" } }
const rejected = (rejection: Rejection): Done => ({ _tag: "Rejected", rejection })

const open = (id: string, balance = 10) => ({ id, owner: "ada", balance })

describe("a handler", () => {
  it("takes its payload decoded, gives its success encoded, and works on rows of the model's class", () => {
    const handle: Handle = ({ at, text }) =>
      Effect.gen(function* () {
        const transaction = yield* Command.Transaction
        assert.instanceOf(at, Date)
        const made = yield* transaction.create(Account, { id: "a", owner: text ?? "", balance: 0, openedAt: at! })
        assert.instanceOf(made, Account)
        assert.deepStrictEqual([made.isEmpty, made.openedAt?.getTime()], [true, at?.getTime()])
        return { is: "done" }
      })
    const { account, done } = once(handle, { text: "ada", at: "2026-01-02T00:00:00.000Z" })
    assert.deepStrictEqual(done, { _tag: "Value", value: { is: "done" } })
    const openedAt = "2026-01-02T00:00:00.000Z"
    assert.deepStrictEqual(account("a"), { id: "a", owner: "ada", balance: 0, openedAt })
  })

  it("is not run on a payload that its schema does not take: every wrong field is named, unknown ones included", () => {
    const { done, entries } = once(() => Effect.die("it ran"), { text: 1, more: true })
    assert.deepInclude(done, { _tag: "Rejected" })
    const { rejection } = done._tag === "Rejected" ? done : assert.fail()
    const paths = rejection._tag === "InvalidRequest" ? rejection.errors.map(({ path }) => path) : []
    assert.sameMembers(paths, ["text", "more"])
    assert.deepStrictEqual(entries, [])
  })

  it("reads what it wrote, through every way of reading", () => {
    const { done } = once(
      using((transaction) =>
        Effect.gen(function* () {
          yield* transaction.create(Account, { ...open("a"), iban: "DE1" })
          yield* transaction.create(Account, open("b", 3))
          yield* transaction.patch(Account, "a", { balance: 7, iban: "DE2" })
          yield* transaction.put(Account, { ...open("c"), owner: "bob" })
          yield* transaction.delete(Account, "b")
          const ids = (rows: ReadonlyArray<Account>) => rows.map(({ id }) => id)
          return {
            get: (yield* transaction.get(Account, "a")).balance,
            gone: Option.isNone(yield* transaction.find(Account, "b")),
            all: ids(yield* transaction.list(Account, { limit: 10 })),
            after: ids(yield* transaction.list(Account, { after: "a", limit: 10 })),
            first: ids(yield* transaction.list(Account, { limit: 1 })),
            unique: ids(yield* transaction.list(Account, { where: { iban: "DE2" }, limit: 10 })),
            old: ids(yield* transaction.list(Account, { where: { iban: "DE1" }, limit: 10 })),
            index: ids(yield* transaction.list(Account, { where: { owner: "ada" }, limit: 10 })),
            both: ids(yield* transaction.list(Account, { where: { owner: "ada", balance: 8 }, limit: 10 })),
            id: ids(yield* transaction.list(Account, { where: { id: "c" }, limit: 10 })),
            never: ids(yield* transaction.list(Account, { where: { owner: "" }, limit: 10 }))
          }
        })
      )
    )
    assert.deepStrictEqual(done, {
      _tag: "Value",
      value: {
        get: 7,
        gone: true,
        all: ["a", "c"],
        after: ["c"],
        first: ["a"],
        unique: ["a"],
        old: [],
        index: ["a"],
        both: [],
        id: ["c"],
        never: []
      }
    })
  })

  it("lists one value of an index from any record on, in the order of ids", () => {
    const { done } = once(
      using((transaction) =>
        Effect.gen(function* () {
          for (const id of ["d", "a", "c", "b"]) yield* transaction.create(Account, open(id))
          yield* transaction.create(Account, { ...open("bb"), owner: "bob" })
          const first = yield* transaction.list(Account, { where: { owner: "ada" }, limit: 2 })
          const rest = yield* transaction.list(Account, { where: { owner: "ada" }, after: first[1]!.id, limit: 2 })
          return [...first, ...rest].map(({ id }) => id)
        })
      )
    )
    assert.deepStrictEqual(done, { _tag: "Value", value: ["a", "b", "c", "d"] })
  })

  it("has the time of the entry, ids and randomness from the transaction: the same circumstances, the same outcome", () => {
    const handle = using((transaction) =>
      Effect.gen(function* () {
        const now = yield* DateTime.now
        const made = yield* transaction.create(Account, { owner: "ada", balance: 1 })
        return [
          yield* Clock.currentTimeMillis,
          now.epochMilliseconds,
          made.id,
          yield* transaction.newId,
          yield* Random.next,
          yield* Random.next
        ]
      })
    )
    const one = bank(handle)
    const values = (done: ReturnType<typeof one.call>) => (done._tag === "Value" ? (done.value as Array<unknown>) : [])
    const first = values(one.call({}, { nowMs: 77 }))
    assert.deepStrictEqual(first.slice(0, 2), [77, 77])
    assert.deepStrictEqual(values(bank(handle).call({}, { nowMs: 77 })), first)
    assert.notStrictEqual(first[4], first[5])
    // A clock that goes back does not take the log's time along (D6).
    const second = values(one.call({}, { nowMs: 7 }))
    assert.deepStrictEqual(second.slice(0, 2), [77, 77])
    assert.notStrictEqual(second[4], first[4])
  })
})

describe("a handler that fails", () => {
  it("with an error that it declares is refused by it, encoded, and leaves nothing", () => {
    const { account, done, entries } = once(
      using((transaction) =>
        Effect.andThen(transaction.create(Account, open("a")), Effect.fail(new Broke({ missing: 3 })))
      )
    )
    const error = { _tag: "Broke", missing: 3 }
    assert.deepStrictEqual(done, rejected({ _tag: "Declared", command: "probe", error }))
    assert.deepStrictEqual([account("a"), entries.length], [undefined, 0])
  })

  it("for want of a record is not found, unless it handles that", () => {
    const get = using((transaction) => transaction.get(Account, "nobody"))
    assert.deepStrictEqual(once(get).done, rejected({ _tag: "NotFound", model: "Account", id: "nobody" }))
    const patch = using((transaction) => transaction.patch(Account, "nobody", { balance: 1 }))
    assert.deepStrictEqual(once(patch).done, rejected({ _tag: "NotFound", model: "Account", id: "nobody" }))
    const handled = () =>
      get().pipe(Effect.catchTag("NotFound", ({ id }) => Effect.fail(new Broke({ missing: id.length }))))
    const error = { _tag: "Broke", missing: 6 }
    assert.deepStrictEqual(once(handled).done, rejected({ _tag: "Declared", command: "probe", error }))
  })

  it("by an operation that is refused answers what a request for it would, unless it handles that", () => {
    const twice = using((transaction) =>
      Effect.andThen(transaction.create(Account, open("a")), transaction.create(Account, open("a")))
    )
    assert.deepStrictEqual(once(twice).done, rejected({ _tag: "AlreadyExists", model: "Account", id: "a" }))
    const taken = using((transaction) =>
      Effect.gen(function* () {
        yield* transaction.create(Account, { ...open("a"), iban: "DE1" })
        return yield* transaction.create(Account, { ...open("b"), iban: "DE1" }).pipe(
          Effect.as("made"),
          Effect.catchTag("OperationRefused", ({ reason }) => Effect.succeed(reason._tag))
        )
      })
    )
    const handled = once(taken)
    assert.deepStrictEqual(handled.done, { _tag: "Value", value: "UniqueViolation" })
    assert.deepStrictEqual([handled.account("a")?.iban, handled.account("b")], ["DE1", undefined])
  })

  it("by a record that does not fit its model names the model in the path: it is no part of the payload", () => {
    const overdrawn = using((transaction) =>
      Effect.andThen(transaction.create(Account, open("a")), transaction.patch(Account, "a", { balance: -1 }))
    )
    const { done, entries } = once(overdrawn)
    const { rejection } = done._tag === "Rejected" ? done : assert.fail()
    const paths = rejection._tag === "InvalidRequest" ? rejection.errors.map(({ path }) => path) : []
    assert.deepStrictEqual(paths, ["Account.balance"])
    assert.strictEqual(entries.length, 0)
  })
})

describe("a mistake in a handler", () => {
  const mistakes: Record<string, Handle> = {
    "throws at once": () => {
      throw new Error("oops")
    },
    "throws after a change": using((transaction) =>
      Effect.andThen(
        transaction.create(Account, open("a")),
        Effect.sync(() => {
          throw new Error("oops")
        })
      )
    ),
    dies: () => Effect.die("oops"),
    "interrupts itself": () => Effect.interrupt,
    "waits for a promise": () => Effect.promise(() => Promise.resolve(1)),
    "waits for a callback": () =>
      Effect.callback<number>((resume) => void setImmediate(() => resume(Effect.succeed(1)))),
    sleeps: () => Effect.sleep(1),
    "never ends": () => Effect.never,
    "goes on for ever": () => Effect.forever(Effect.void),
    "yields for ever": () => Effect.forever(Effect.yieldNow),
    "gives what its success cannot encode": () => Effect.succeed(() => "a function"),
    "is an async function that fails": (() => Promise.reject(new Error("oops"))) as unknown as Handle,
    "fails with what it does not declare": (() => Effect.fail("oops")) as unknown as Handle,
    "uses a model that the cluster does not hold": using((transaction) =>
      // Its type forbids it.
      transaction.find(Draft as unknown as typeof Account, "a")
    ),
    "lists by a value that is undefined": using((transaction) =>
      transaction.list(Account, { where: { owner: undefined } as object, limit: 1 })
    ),
    "searches a table": using((transaction) => transaction.list(Account, { where: { balance: 10 }, limit: 1 })),
    "lists without a bound": using((transaction) => transaction.list(Account, { limit: Number.POSITIVE_INFINITY }))
  }

  for (const [name, handle] of Object.entries(mistakes)) {
    it(`that ${name} costs its command alone, and the log tells which`, () => {
      let isBroken = true
      const { account, call, entries, logged } = bank((payload) =>
        isBroken ? handle(payload) : using((transaction) => transaction.create(Account, open("b")))().pipe(Effect.as(1))
      )
      assert.deepStrictEqual(call(), failed)
      assert.deepStrictEqual([entries.length, account("a")], [0, undefined])
      assert.strictEqual(logged.length, 1)
      assert.include(logged[0], "probe")
      isBroken = false
      assert.deepStrictEqual(call(), { _tag: "Value", value: 1 })
      assert.strictEqual(account("b")?.balance, 10)
    })
  }

  it("that gives what is no JSON costs its command alone, though its success is declared as anything", () => {
    const loose = Command.make("probe", { payload: Schema.Struct({}), success: Schema.Any })
    for (const value of [undefined, 10n, () => 1]) {
      const layer = Layer.merge(
        Command.layer(loose, () => Effect.succeed(value)),
        Logger.layer([])
      )
      const services = Effect.runSync(Effect.scoped(Layer.build(layer)))
      const { call } = leaderOf(Effect.runSync(Effect.provideContext(Procedures.make([loose]), services)))
      assert.deepStrictEqual(call(), failed)
    }
  })

  it("that swallows every refusal is stopped by the bound on its steps all the same, and the bound is what is told", () => {
    const { done, entries } = once(
      using((transaction) =>
        transaction.find(Account, "a").pipe(
          Effect.catchDefect(() => Effect.void),
          Effect.forever
        )
      )
    )
    assert.deepStrictEqual(done, rejected({ _tag: "TooLarge", limit: "steps", max: 20_000 }))
    assert.strictEqual(entries.length, 0)
  })

  it("that gives or writes what nests without end costs its command, and no leader (issue 4)", () => {
    let deep: unknown = 1
    for (let depth = 0; depth < 20_000; depth++) deep = [deep]
    for (const handle of [() => Effect.succeed(deep), () => Effect.succeed({ 1: deep })] as ReadonlyArray<Handle>) {
      const { call, entries, machine } = bank(handle)
      const failed: Done = { _tag: "Rejected", rejection: { _tag: "CommandFailed", command: "probe" } }
      assert.deepStrictEqual(call(), failed)
      assert.deepStrictEqual(call({}, { key: "k" }), failed)
      assert.strictEqual(entries.length, 1, "of the key")
      assert.isDefined(machine.speculative)
    }
  })

  it("that leaves a fiber behind, which has no part in the transaction any more once it has ended", () => {
    const { account, done } = once(
      using((transaction) =>
        Effect.gen(function* () {
          yield* transaction.create(Account, open("a"))
          yield* Effect.forkDetach(
            Effect.andThen(Effect.yieldNow, Effect.ignore(transaction.patch(Account, "a", { balance: 0 })))
          )
          return 1
        })
      )
    )
    assert.deepStrictEqual(done, { _tag: "Value", value: 1 })
    assert.strictEqual(account("a")?.balance, open("a").balance)
  })

  it("that keeps the transaction finds it closed: a fiber that outlives its command changes nothing", () => {
    let kept: Command.Transaction["Service"] | undefined
    const { account, call, entries } = bank(
      using((transaction) =>
        Effect.suspend(() => {
          if (kept !== undefined) return kept.create(Account, open("late"))
          kept = transaction
          return transaction.create(Account, open("a"))
        }).pipe(Effect.as(1))
      )
    )
    assert.deepStrictEqual(call(), { _tag: "Value", value: 1 })
    assert.deepStrictEqual(call(), failed)
    assert.deepStrictEqual([entries.length, account("late")], [1, undefined])
  })

  it("that waits is interrupted, so that nothing of it runs later", async () => {
    const seen: Array<string> = []
    const { call, entries } = bank(
      using((transaction) =>
        Effect.promise(() => Promise.resolve()).pipe(
          Effect.andThen(Effect.sync(() => seen.push("went on"))),
          Effect.andThen(transaction.create(Account, open("late"))),
          Effect.onInterrupt(() => Effect.sync(() => seen.push("interrupted")))
        )
      )
    )
    assert.deepStrictEqual(call(), failed)
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepStrictEqual([seen, entries.length], [["interrupted"], 0])
  })
})
