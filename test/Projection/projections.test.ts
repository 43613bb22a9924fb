/** Reading the projections of a node: how new the answer is, and what is said where there is none. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Confirmation from "../../src/Cluster/Confirmation.ts"
import type { Feed } from "../../src/Cluster/Feed.ts"
import { derivedInMemory } from "../../src/EventStore/DerivedFiles.ts"
import { layerMemory } from "../../src/EventStore/MemoryLog.ts"
import { type Followable, make } from "../../src/Projection/NodeProjections.ts"
import * as Projection from "../../src/Projection.ts"
import * as Condition from "../../src/Raft/node/Condition.ts"
import { NotDone } from "../../src/Raft/node/Outcome.ts"
import { settleNow } from "../../src/Raft/node/Settle.ts"
import { playNode } from "./PlayedNode.ts"
import { makeFaulty, makeHistory, makeOrders, makeSpent, models, Order, order } from "./Sales.ts"

const spent = makeSpent()
const history = makeHistory()
const faulty = makeFaulty("mallory")
const orders = makeOrders()

const standing = {
  erasing: { join: () => {}, erasedThrough: () => 0 },
  isStopping: () => false,
  isRemoved: () => false,
  staleMs: () => 0,
  until: Condition.make().until
}

/** A member whose followers are given nothing past `gate.index`, however much is applied. */
const start = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const node = yield* playNode(models)
  const gate = { index: Number.POSITIVE_INFINITY, isCutOff: false }
  const whole = node.start({ isWarm: true })
  const feed: Feed = {
    ...whole,
    read: (range) =>
      Effect.flatMap(whole.read(range), (entries) => {
        const through = entries.filter(({ index }) => index <= gate.index)
        return through.length === 0 ? Effect.never : Effect.succeed(through)
      })
  }
  const member: Followable = {
    feed,
    node: () =>
      ({ appliedIndex: feed.appliedIndex, states: { isSuspect: () => false } }) as ReturnType<Followable["node"]>,
    ...standing,
    ...Confirmation.make({
      readIndex: (settle) =>
        settleNow(
          settle,
          gate.isCutOff
            ? Exit.fail(new NotDone({ reason: "no-quorum", message: "cut off" }))
            : Exit.succeed(feed.appliedIndex())
        ),
      nowMs: () => Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
    })
  }
  const projections = yield* make({ projections: [spent, history, faulty], files: derivedInMemory(), member })
  const place = (customer: string) => Effect.asVoid(node.submit(order(customer, 1)))
  return { gate, node, place, projections }
})

describe("the projections of a node", () => {
  it.effect("are linearizable unless less is asked for: what was applied when the read began is in the answer", () =>
    Effect.gen(function* () {
      const { place, projections } = yield* start
      assert.deepStrictEqual(yield* projections.get(history), { value: [], logIndex: 0 })
      for (let count = 1; count <= 50; count++) {
        yield* place("ann")
        const { logIndex, value } = yield* projections.getKey(spent, "ann")
        assert.deepStrictEqual([value, logIndex], [{ orders: count, cents: count }, count])
      }
      assert.strictEqual((yield* projections.getKey(spent, "bob")).value, undefined)
      assert.lengthOf((yield* projections.get(history)).value, 50)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("are waited for where they lag behind the tables, for at most 5 s", () =>
    Effect.gen(function* () {
      const { gate, place, projections } = yield* start
      yield* place("ann")
      yield* projections.get(history)
      gate.index = 1
      yield* place("ann")
      const reads = [undefined, { _tag: "Session", minIndex: 2 }, { _tag: "Local", staleMaxMs: 1_000 }] as const
      for (const consistency of reads) {
        const reading = yield* Effect.forkChild(Effect.flip(projections.get(history, consistency)), {
          startImmediately: true
        })
        yield* TestClock.adjust(4_900)
        assert.isUndefined(reading.pollUnsafe())
        yield* TestClock.adjust(200)
        assert.strictEqual((yield* Fiber.join(reading))._tag, "NotCaughtUp")
      }
      const old = yield* projections.get(history, { _tag: "Local" })
      // It is as old as the confirmation that it still reflects, not as the one that the tables had since.
      assert.deepStrictEqual([old.value.length, old.logIndex, old.staleMs], [1, 1, 3 * 5_100])
      assert.strictEqual((yield* projections.get(history, { _tag: "Session", minIndex: 1 })).logIndex, 1)
      assert.deepInclude(projections.status()[1], { name: "history", index: 1, lagCount: 1, failure: undefined })
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect(
    "answer no read before they have come to what a quorum first confirmed: they may have been read there",
    () =>
      Effect.gen(function* () {
        const { gate, place, projections } = yield* start
        gate.index = 0
        yield* place("ann")
        const confirming = yield* Effect.forkChild(Effect.flip(projections.get(history)), { startImmediately: true })
        const met = yield* Effect.flip(projections.get(history, { _tag: "Local" }))
        assert.deepInclude(met, { _tag: "NotDone", reason: "starting" })
        const session = yield* Effect.forkChild(
          Effect.flip(projections.get(history, { _tag: "Session", minIndex: 0 })),
          {
            startImmediately: true
          }
        )
        yield* TestClock.adjust(5_100)
        assert.strictEqual((yield* Fiber.join(session))._tag, "NotCaughtUp")
        yield* Fiber.join(confirming)
      }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("answer a state that is null as it is, and not as the initial one", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      const feed = node.start({ isWarm: true })
      const nulled = Projection.make("nulled", {
        from: [Order],
        version: 1,
        state: Schema.NullOr(Schema.Int),
        initial: 5 as number | null,
        evolve: () => null
      })
      const member: Followable = {
        feed,
        ...standing,
        node: () => undefined,
        readIndexUnsafe: (settle) => settleNow(settle, Exit.succeed(feed.appliedIndex()))
      }
      const projections = yield* make({ projections: [nulled], files: derivedInMemory(), member })
      assert.strictEqual((yield* projections.get(nulled)).value, 5)
      yield* node.submit(order("ann", 1))
      assert.strictEqual((yield* projections.get(nulled)).value, null)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("need no quorum for a session or a local read", () =>
    Effect.gen(function* () {
      const { gate, place, projections } = yield* start
      yield* place("ann")
      yield* projections.get(history)
      gate.isCutOff = true
      assert.strictEqual((yield* Effect.flip(projections.get(history)))._tag, "NotDone")
      assert.lengthOf((yield* projections.get(history, { _tag: "Session", minIndex: 1 })).value, 1)
      assert.lengthOf((yield* projections.get(history, { _tag: "Local" })).value, 1)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("go on beside one that failed, which says so to every read, and to one that waits for it", () =>
    Effect.gen(function* () {
      const { place, projections } = yield* start
      yield* place("ann")
      assert.strictEqual((yield* projections.get(faulty)).value, 1)
      yield* place("mallory")
      for (const consistency of [undefined, { _tag: "Local" }] as const) {
        const failure = yield* Effect.flip(projections.get(faulty, consistency))
        assert.deepInclude(failure, { _tag: "ProjectionFailed", index: 2 })
      }
      yield* place("ann")
      assert.lengthOf((yield* projections.get(history)).value, 3)
      const [, , status] = projections.status()
      assert.deepInclude(status, { name: "faulty", index: 1, lagCount: 2 })
      assert.strictEqual(status?.failure?._tag, "ProjectionFailed")
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("are walked page by page in the order of their keys", () =>
    Effect.gen(function* () {
      const { place, projections } = yield* start
      const customers = Array.from({ length: 25 }, (_, at) => `c${at}`)
      for (const customer of customers) yield* place(customer)
      const walked: Array<string> = []
      for (let hasMore = true; hasMore; ) {
        const after = walked.at(-1)
        const { value } = yield* projections.page(spent, { limit: 10, ...(after === undefined ? {} : { after }) })
        walked.push(...value.items.map(({ key }) => key))
        hasMore = value.hasMore
      }
      assert.deepStrictEqual(walked, customers.toSorted())
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("keep a key that is too long under a name that is not, and find its state by either", () =>
    Effect.gen(function* () {
      const { place, projections } = yield* start
      const whole = "w".repeat(512)
      // The 447th character is the first half of a pair.
      const paired = `${"x".repeat(446)}${"\u{1f642}".repeat(100)}`
      const keys = [whole, "x".repeat(513), `${"x".repeat(512)}y`, paired]
      for (const key of [...keys, ...keys]) yield* place(key)
      const { items } = (yield* projections.page(spent, { limit: 10 })).value
      const names = items.map(({ key }) => key)
      assert.strictEqual(names[0], whole)
      assert.deepStrictEqual(
        names.map(({ length }) => length),
        [512, 512, 512, 511]
      )
      assert.isTrue(names.every((name) => name.isWellFormed()))
      for (const key of [...keys, ...names]) {
        assert.strictEqual((yield* projections.getKey(spent, key)).value?.orders, 2)
      }
      const after = yield* projections.page(spent, { after: paired, limit: 10 })
      assert.deepStrictEqual(after.value.items, [], "it is the last one")
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("in SQLite answer queries as new as is asked", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      const feed = node.start({ isWarm: true })
      const member: Followable = {
        feed,
        node: () =>
          ({ appliedIndex: feed.appliedIndex, states: { isSuspect: () => false } }) as ReturnType<Followable["node"]>,
        ...standing,
        readIndexUnsafe: (settle) => settleNow(settle, Exit.succeed(feed.appliedIndex()))
      }
      const projections = yield* make({ projections: [orders], files: derivedInMemory(), member })
      for (let count = 1; count <= 20; count++) {
        yield* node.submit(order("ann", 1))
        const { logIndex, value } = yield* projections.query(orders, {
          sql: "SELECT count(*) AS count FROM orders WHERE customer = ?",
          params: ["ann"]
        })
        assert.deepStrictEqual([value[0]?.count, logIndex], [count, count])
      }
      const failure = yield* Effect.flip(projections.query(orders, { sql: "SELECT * FROM elsewhere" }))
      assert.strictEqual(failure._tag, "SqliteFailed")
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("have names of their own", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      const feed = node.start({ isWarm: true })
      const member: Followable = {
        feed,
        ...standing,
        node: () => undefined,
        readIndexUnsafe: (settle) => settleNow(settle, Exit.succeed(0))
      }
      const twice = make({ projections: [spent, makeSpent()], files: derivedInMemory(), member })
      const exit = yield* Effect.exit(twice)
      assert.match(String(exit), /Two projections are named/)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )
})
