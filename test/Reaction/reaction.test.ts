/** Reactions beside a member that the test plays: which events are run, how often, and what is recorded of it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema, Scope } from "effect"
import { TestClock } from "effect/testing"
import { layerMemory } from "../../src/EventStore/MemoryLog.ts"
import type { Command } from "../../src/Machine/Command.ts"
import * as Model from "../../src/Model.ts"
import { eventId } from "../../src/Projection/Event.ts"
import { NotDone } from "../../src/Raft/node/Outcome.ts"
import { lead } from "../../src/Reaction/Leading.ts"
import type { Leader } from "../../src/Reaction/Led.ts"
import { descriptor, recordedIn, recording } from "../../src/Reaction/Position.ts"
import * as Reactions from "../../src/Reaction/Reactions.ts"
import { parkedMaxCount } from "../../src/Reaction/Steering.ts"
import * as Reaction from "../../src/Reaction.ts"
import { playNode } from "../Projection/PlayedNode.ts"
import { models, Order, order } from "../Projection/Sales.ts"

const positionModel = { "~lithair/model": descriptor }

/** A cluster of which this node knows that `a` is itself; `b` may lead it. */
const play = Effect.gen(function* () {
  const node = yield* playNode([...models, positionModel])
  const state = {
    leader: "a" as string | undefined,
    isCutOff: false,
    /** Comes before the next command, once. */
    ahead: undefined as Effect.Effect<void> | undefined
  }
  const refused = new NotDone({ reason: "no-quorum", message: "cut off" })
  const reactive: Leader = {
    self: { nodeId: "a", address: "a", instanceId: "a", peers: [] },
    leader: () => state.leader,
    feed: node.start({ isWarm: true }),
    readIndex: Effect.suspend(() => (state.isCutOff ? Effect.fail(refused) : Effect.succeed(node.log.lastIndex))),
    submit: (command: Command) =>
      Effect.suspend(() => {
        if (state.isCutOff) return Effect.fail(refused)
        const { ahead = Effect.void } = state
        state.ahead = undefined
        return Effect.andThen(ahead, Effect.orDie(node.submit(command)))
      }),
    get tables() {
      return node.tables()
    }
  }
  return {
    node,
    state,
    reactive,
    recorded: () => recordedIn(node.tables(), "mail"),
    write: (command: Command) => Effect.asVoid(node.submit(command)),
    /** One life of a node with this reaction. */
    start: Effect.fnUntraced(function* (reaction: Reaction.Reaction) {
      const scope = yield* Scope.make()
      yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
      const reactions = yield* Scope.provide(Reactions.make([reaction], reactive), scope)
      return {
        status: () => reactions.status()[0]!,
        steer: reactions.steer,
        rest: reactions.rest,
        kill: Scope.close(scope, Exit.void)
      }
    })
  }
})

/** Notes every event that it is run for. */
const mailing = (sent: Array<string>, options: { readonly startAt?: "beginning" | "now" } = {}) =>
  Reaction.make("mail", {
    from: [Order],
    ...options,
    run: (event) =>
      Effect.sync(
        () => void sent.push(`${eventId(event)} ${event.type} ${event.record.customer} ${event.record.cents}`)
      )
  })

const pass = (ms: number) => TestClock.adjust("10 millis").pipe(Effect.repeat({ times: ms / 10 }))

describe("a reaction", () => {
  it.effect("is run once for each event of its models, in order, while this node leads and no longer", () =>
    Effect.gen(function* () {
      const { node, start, state, write } = yield* play
      const sent: Array<string> = []
      state.leader = "b"
      yield* write(order("ann", 1))
      const { status } = yield* start(mailing(sent))
      yield* pass(1_000)
      assert.deepStrictEqual(sent, [])
      assert.isFalse(status().isRunning)
      state.leader = "a"
      yield* pass(1_000)
      yield* write({ _tag: "Transact", operations: [order("bob", 2), order("cay", 3)] })
      yield* write({ _tag: "Create", model: "Refund", data: { order: "x", at: "2026-02-03T00:00:00Z" } })
      yield* node.lead
      yield* write({ _tag: "Delete", model: "Order", id: "2" })
      yield* pass(1_000)
      const inLog = sent.map((line) => line.replace(/^\d+\.(\d+)/, "$1"))
      assert.deepStrictEqual(inLog, ["0 created ann 1", "0 created bob 2", "1 created cay 3", "0 deleted bob 2"])
      assert.deepInclude(status(), { isRunning: true, lagCount: 0, failure: undefined })
      state.leader = undefined
      yield* pass(100)
      assert.isFalse(status().isRunning)
      yield* write(order("dan", 4))
      yield* pass(1_000)
      assert.lengthOf(sent, 4)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("goes on after the last recorded event: a node that dies runs at most 64 again, and misses none", () =>
    Effect.gen(function* () {
      const { recorded, start, state, write } = yield* play
      const sent: Array<string> = []
      for (let at = 0; at < 300; at++) yield* write(order("ann", at))
      let killed = 0
      while (new Set(sent).size < 300) {
        const before = sent.length
        const dying = Reaction.make("mail", {
          from: [Order],
          run: (event) =>
            sent.length - before === 97
              ? Effect.never
              : Effect.sync(() => void sent.push(`${eventId(event)} ${event.record.cents}`))
        })
        const { kill } = yield* start(dying)
        yield* pass(100)
        // A process that dies records nothing any more.
        state.isCutOff = true
        yield* kill
        state.isCutOff = false
        killed += 1
        const done = sent.slice(before)
        assert.deepStrictEqual(
          done,
          done.toSorted((a, b) => Number(a.split(" ")[1]) - Number(b.split(" ")[1]))
        )
      }
      assert.isAbove(killed, 3)
      assert.isAtMost(sent.length - 300, killed * 64)
      const first = sent.filter((line, at) => sent.indexOf(line) === at)
      assert.deepStrictEqual(
        first.map((line) => Number(line.split(" ")[1])),
        Array.from({ length: 300 }, (_, at) => at)
      )
      assert.isAbove(recorded().version, 0)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("records its position once for many events, and soon after the last", () =>
    Effect.gen(function* () {
      const { recorded, start, write } = yield* play
      const sent: Array<string> = []
      const { kill } = yield* start(mailing(sent))
      for (let at = 0; at < 640; at++) yield* write(order("ann", at))
      yield* pass(1_000)
      assert.lengthOf(sent, 640)
      assert.isAtMost(recorded().version, 20)
      yield* kill
      const again = yield* start(mailing(sent))
      yield* pass(1_000)
      assert.lengthOf(sent, 640, "all of it was recorded")
      assert.isAtMost(again.status().lagCount, 20)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("that fails, or throws, is run again later and later, and no event is run before it", () =>
    Effect.gen(function* () {
      const { start, write } = yield* play
      const sent: Array<string> = []
      let attempts = 0
      const faulty = Reaction.make("mail", {
        from: [Order],
        run: ({ record }) =>
          Effect.suspend(() => {
            if (record.customer === "bob" && ++attempts <= 6) {
              if (attempts % 2 === 0) throw new Error("a defect")
              return Effect.fail("no mail today")
            }
            return Effect.sync(() => void sent.push(record.customer))
          })
      })
      for (const customer of ["ann", "bob", "cay"]) yield* write(order(customer, 1))
      yield* start(faulty)
      yield* pass(1_000)
      assert.deepStrictEqual(sent, ["ann"])
      assert.isAtMost(attempts, 4)
      yield* pass(6_000)
      assert.deepStrictEqual(sent, ["ann", "bob", "cay"])
      assert.strictEqual(attempts, 7)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("whose effect ends in an interruption of its own is run again, as one that fails is", () =>
    Effect.gen(function* () {
      const { start, write } = yield* play
      const sent: Array<string> = []
      let attempts = 0
      const joining = Reaction.make("mail", {
        from: [Order],
        run: ({ record }) =>
          Effect.gen(function* () {
            if (record.customer === "bob" && ++attempts === 1) {
              const other = yield* Effect.forkDetach(Effect.never)
              yield* Fiber.interrupt(other)
              yield* Fiber.join(other)
            }
            if (record.customer === "bob" && attempts === 2) return yield* Effect.interrupt
            sent.push(record.customer)
          })
      })
      for (const customer of ["ann", "bob", "cay"]) yield* write(order(customer, 1))
      const { status } = yield* start(joining)
      yield* pass(1_000)
      assert.deepStrictEqual(sent, ["ann", "bob", "cay"])
      assert.deepInclude(status(), { isRunning: true, lagCount: 0 })
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("begins again if its member is interrupted beneath it", () =>
    Effect.gen(function* () {
      const { reactive, write } = yield* play
      const sent: Array<string> = []
      yield* write(order("ann", 1))
      let asked = 0
      const readIndex = Effect.suspend(() => (++asked === 1 ? Effect.interrupt : reactive.readIndex))
      yield* Reactions.make([mailing(sent)], { ...reactive, readIndex, tables: reactive.tables })
      yield* pass(2_000)
      assert.lengthOf(sent, 1)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("records its position before it tries a failed event again", () =>
    Effect.gen(function* () {
      const { recorded, start, write } = yield* play
      const failing = Reaction.make("mail", {
        from: [Order],
        run: ({ record }) => (record.customer === "bob" ? Effect.fail("no mail today") : Effect.void)
      })
      for (const customer of ["ann", "ann", "bob"]) yield* write(order(customer, 1))
      yield* start(failing)
      yield* pass(50)
      assert.deepStrictEqual(recorded().position, { index: 2, count: 0 })
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("has slow events recorded 200 ms after the first of them, in the midst of what was read at once", () =>
    Effect.gen(function* () {
      const { recorded, start, write } = yield* play
      const slow = Reaction.make("mail", { from: [Order], run: () => Effect.sleep(90) })
      for (let at = 0; at < 30; at++) yield* write(order("ann", at))
      yield* start(slow)
      yield* pass(1_000)
      assert.isAtLeast(recorded().position?.index ?? 0, 6)
      assert.isAtMost(recorded().version, 5)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("is interrupted as soon as this node leads no longer, in the midst of an event", () =>
    Effect.gen(function* () {
      const { start, state, write } = yield* play
      let isInterrupted = false
      const endless = Reaction.make("mail", {
        from: [Order],
        run: () =>
          Effect.onInterrupt(Effect.never, () =>
            Effect.sync(() => {
              isInterrupted = true
            })
          )
      })
      yield* write(order("ann", 1))
      yield* start(endless)
      yield* pass(500)
      assert.isFalse(isInterrupted)
      state.leader = "b"
      yield* pass(20)
      assert.isTrue(isInterrupted)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("does not run far ahead of what it can record: a leader without a quorum stops after 64", () =>
    Effect.gen(function* () {
      const { start, state, write } = yield* play
      const sent: Array<string> = []
      for (let at = 0; at < 200; at++) yield* write(order("ann", at))
      const cutting = Reaction.make("mail", {
        from: [Order],
        run: ({ record }) =>
          Effect.sync(() => {
            sent.push(String(record.cents))
            state.isCutOff = true
          })
      })
      yield* start(cutting)
      yield* pass(2_000)
      assert.lengthOf(sent, 64)
      state.isCutOff = false
      yield* pass(1_000)
      assert.isAbove(sent.length, 64)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("goes on from the position that another leader has recorded, and does not undo it", () =>
    Effect.gen(function* () {
      const { recorded, start, write } = yield* play
      const sent: Array<string> = []
      for (const customer of ["ann", "bob", "cay"]) yield* write(order(customer, 1))
      const raced = Reaction.make("mail", {
        from: [Order],
        run: ({ record }) =>
          Effect.gen(function* () {
            sent.push(record.customer)
            if (record.customer !== "ann") return
            // Another leader, which this one has not heard of yet, is far ahead.
            yield* write({ _tag: "Put", model: descriptor.name, id: "mail", data: { index: 20, count: 0 } })
          })
      })
      const { status } = yield* start(raced)
      yield* pass(1_000)
      assert.deepStrictEqual(recorded().position, { index: 20, count: 0 })
      assert.strictEqual(status().index, 20)
      for (let at = 0; at < 20; at++) yield* write(order("dan", 1))
      yield* pass(1_000)
      // Entries 1 to 3, the two positions, and then those of dan: what the other has done is not done again.
      assert.isBelow(sent.filter((customer) => customer === "dan").length, 10)
      assert.isAbove(recorded().position?.index ?? 0, 20)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect(
    "that stops in order has what it did recorded, and runs none of it again; after a change of leader, 64",
    () =>
      Effect.gen(function* () {
        const { start, state, write } = yield* play
        const sent: Array<string> = []
        for (const isOrdered of [true, false]) {
          const { kill, status, rest } = yield* start(mailing(sent))
          const before = sent.length
          for (let at = 0; at < 30; at++) yield* write(order("ann", before + at))
          while (sent.length < before + 20) yield* TestClock.adjust(1)
          if (isOrdered) yield* rest
          else {
            // It leads no longer, and whoever leads now does not know it yet.
            state.leader = "b"
            state.isCutOff = true
            yield* pass(1_000)
            state.isCutOff = false
          }
          assert.isFalse(status().isRunning)
          yield* kill
          state.leader = "a"
          const again = yield* start(mailing(sent))
          yield* pass(1_000)
          const counts = sent.map((line) => Number(line.split(" ")[3]))
          if (isOrdered) assert.lengthOf(counts, before + 30)
          assert.isAtMost(counts.length, before + 30 + 64)
          assert.sameMembers(
            [...new Set(counts)],
            Array.from({ length: before + 30 }, (_, at) => at)
          )
          yield* again.rest
        }
      }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("that starts now skips all earlier events for good", () =>
    Effect.gen(function* () {
      const { start, write } = yield* play
      const sent: Array<string> = []
      yield* write(order("ann", 1))
      const { kill } = yield* start(mailing(sent, { startAt: "now" }))
      yield* pass(100)
      yield* kill
      yield* write(order("bob", 2))
      yield* start(mailing(sent, { startAt: "now" }))
      yield* pass(100)
      assert.deepStrictEqual(
        sent.map((line) => line.split(" ")[2]),
        ["bob"]
      )
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("stops, and says why, where history is gone or does not fit its models (§7)", () =>
    Effect.gen(function* () {
      const { node, start, write } = yield* play
      for (let at = 0; at < 100; at++) yield* write(order("ann", at))
      yield* node.compact(90)
      const sent: Array<string> = []
      const { status } = yield* start(mailing(sent))
      yield* pass(100)
      assert.match(status().failure ?? "", /holds all entries from \d+ on/)
      assert.deepStrictEqual(sent, [])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("that is stopped runs again once its node leads anew, where another leader has gone on meanwhile", () =>
    Effect.gen(function* () {
      const { node, recorded, start, state, write } = yield* play
      for (let at = 0; at < 100; at++) yield* write(order("ann", at))
      yield* node.compact(90)
      const sent: Array<string> = []
      const { status } = yield* start(mailing(sent))
      yield* pass(1_000)
      assert.deepInclude(status(), { isRunning: false, index: 0 })
      assert.isDefined(status().failure)
      state.leader = "b"
      yield* pass(100)
      assert.isUndefined(status().failure)
      // The log of b reaches back to the first event: it runs all of them.
      yield* write(recording("mail", { index: 100, count: 0 }, recorded()))
      state.leader = "a"
      yield* pass(100)
      yield* write(order("bob", 1))
      yield* pass(1_000)
      assert.deepStrictEqual(
        sent.map((line) => line.split(" ")[2]),
        ["bob"]
      )
      assert.deepInclude(status(), { isRunning: true, failure: undefined })
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("reports the failure of an event while it tries that event again, and no longer", () =>
    Effect.gen(function* () {
      const { start, write } = yield* play
      let isDown = true
      const mailer = Reaction.make("mail", {
        from: [Order],
        run: () => Effect.suspend(() => (isDown ? Effect.fail(new Error("no route to the mail host")) : Effect.void))
      })
      yield* write(order("ann", 1))
      const { status } = yield* start(mailer)
      yield* pass(1_000)
      assert.isTrue(status().isRunning)
      assert.strictEqual(status().failure, "Event 1.0 failed, trying again: no route to the mail host")
      isDown = false
      yield* pass(2_000)
      assert.isUndefined(status().failure)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  /** Three orders, of which the effect of bob's fails while `isPoisoned`. */
  const poisoned = Effect.gen(function* () {
    const played = yield* play
    const poison = { isPoisoned: true, attemptsCount: 0 }
    const sent: Array<string> = []
    const mailer = Reaction.make("mail", {
      from: [Order],
      run: ({ record }) =>
        Effect.suspend(() => {
          if (record.customer !== "bob") return Effect.sync(() => void sent.push(record.customer))
          poison.attemptsCount += 1
          return poison.isPoisoned
            ? Effect.fail(new Error("no such address"))
            : Effect.sync(() => void sent.push(record.customer))
        })
    })
    for (const customer of ["ann", "bob", "cay"]) yield* played.write(order(customer, 1))
    return { ...played, mailer, sent, poison }
  })
  const bob = { index: 2, ordinal: 0 }

  it.effect("records which event it stumbles over and since when, so that every node and the next leader know", () =>
    Effect.gen(function* () {
      const { mailer, poison, recorded, start } = yield* poisoned
      const { kill, status } = yield* start(mailer)
      yield* pass(2_000)
      const { stumbled } = recorded()
      assert.deepInclude(stumbled, { ...bob, failure: "no such address" })
      assert.deepStrictEqual(status().stumbled, stumbled)
      assert.strictEqual(recorded().version, 1, "each further failure writes nothing")
      yield* kill
      const next = yield* start(mailer)
      yield* pass(1_000)
      assert.deepStrictEqual(recorded(), { position: { index: 1, count: 0 }, stumbled, parked: [], version: 1 })
      poison.isPoisoned = false
      yield* pass(5_000)
      assert.isUndefined(recorded().stumbled)
      assert.isUndefined(next.status().stumbled)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("goes on without an event that an operator skips, at once, and never runs it again", () =>
    Effect.gen(function* () {
      const { mailer, poison, recorded, sent, start } = yield* poisoned
      const { kill, status, steer } = yield* start(mailer)
      // The next attempt would come after 30 seconds.
      yield* pass(60_000)
      const { attemptsCount } = poison
      yield* steer("mail", "skip", bob)
      yield* pass(20)
      assert.deepStrictEqual(sent, ["ann", "cay"])
      assert.deepInclude(status(), { failure: undefined, stumbled: undefined, parked: [] })
      yield* pass(1_000)
      assert.strictEqual(poison.attemptsCount, attemptsCount)
      poison.isPoisoned = false
      yield* kill
      yield* start(mailer)
      yield* pass(1_000)
      assert.deepStrictEqual(sent, ["ann", "cay"])
      assert.isUndefined(recorded().stumbled)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("parks an event, goes on, and runs it again when an operator asks, on the next leader too", () =>
    Effect.gen(function* () {
      const { mailer, poison, recorded, sent, start, write } = yield* poisoned
      const first = yield* start(mailer)
      yield* pass(1_000)
      yield* first.steer("mail", "park", bob)
      yield* write(order("dan", 1))
      yield* pass(1_000)
      assert.deepStrictEqual(sent, ["ann", "cay", "dan"])
      const [parked] = first.status().parked
      assert.deepInclude(parked, { ...bob, failure: "no such address", isDue: false })
      // It fails again: it stays parked, and holds nothing up.
      const { attemptsCount } = poison
      yield* first.steer("mail", "retry", bob)
      yield* pass(5_000)
      assert.strictEqual(poison.attemptsCount, attemptsCount + 1)
      assert.deepInclude(first.status().parked[0], { ...bob, isDue: false, sinceMs: parked!.sinceMs })
      yield* first.kill
      poison.isPoisoned = false
      const next = yield* start(mailer)
      yield* next.steer("mail", "retry", bob)
      yield* write(order("eve", 1))
      yield* pass(1_000)
      assert.sameMembers(sent, ["ann", "cay", "dan", "bob", "eve"])
      assert.deepStrictEqual(recorded().parked, [])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("tries an event again at once when an operator asks", () =>
    Effect.gen(function* () {
      const { mailer, poison, sent, start } = yield* poisoned
      const { steer } = yield* start(mailer)
      yield* pass(60_000)
      poison.isPoisoned = false
      yield* steer("mail", "retry", bob)
      yield* pass(50)
      assert.deepStrictEqual(sent, ["ann", "bob", "cay"])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("takes no action on an event that it does not stumble over, nor a second one on the same event", () =>
    Effect.gen(function* () {
      const { mailer, recorded, sent, start } = yield* poisoned
      const { steer } = yield* start(mailer)
      yield* pass(1_000)
      const reasonOf = (name: string, at: { readonly index: number; readonly ordinal: number }) =>
        Effect.map(Effect.flip(steer(name, "skip", at)), (met) => ("reason" in met ? met.reason : met._tag))
      const before = recorded()
      for (const at of [
        { index: 1, ordinal: 0 },
        { index: 2, ordinal: 1 },
        { index: 3, ordinal: 0 }
      ]) {
        assert.strictEqual(yield* reasonOf("mail", at), "elsewhere")
      }
      assert.strictEqual(yield* reasonOf("males", bob), "unknown")
      assert.deepStrictEqual(recorded(), before)
      yield* steer("mail", "skip", bob)
      assert.strictEqual(yield* reasonOf("mail", bob), "elsewhere")
      yield* pass(1_000)
      assert.deepStrictEqual(sent, ["ann", "cay"])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("does not undo an operator's action that the log has just ahead of its own record", () =>
    Effect.gen(function* () {
      const { mailer, poison, recorded, sent, start, state } = yield* poisoned
      const { status, steer } = yield* start(mailer)
      yield* pass(1_000)
      poison.isPoisoned = false
      // The event succeeds now, and the leader is about to record that.
      state.ahead = Effect.orDie(steer("mail", "park", bob))
      yield* pass(5_000)
      assert.deepStrictEqual(sent, ["ann", "bob", "cay"])
      assert.deepInclude(recorded().parked[0], bob)
      assert.isUndefined(status().stumbled)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("records a failure again if another leader has written over it, so that an operator can act", () =>
    Effect.gen(function* () {
      const { mailer, recorded, sent, start, write } = yield* poisoned
      const { steer } = yield* start(mailer)
      yield* pass(1_000)
      const before = recorded()
      yield* write(recording("mail", before.position!, { ...before, stumbled: undefined }))
      yield* pass(1_000)
      assert.deepStrictEqual(recorded().stumbled, before.stumbled)
      yield* steer("mail", "skip", bob)
      yield* pass(1_000)
      assert.deepStrictEqual(sent, ["ann", "cay"])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("records no failure of an event that another leader has done just ahead of it", () =>
    Effect.gen(function* () {
      const { mailer, recorded, start, state, write } = yield* poisoned
      // This leader is about to record that bob's event fails. Another one has done all events.
      state.ahead = Effect.orDie(write(recording("mail", { index: 3, count: 0 }, recorded())))
      const { status } = yield* start(mailer)
      for (let at = 0; at < 100; at++) {
        yield* pass(10)
        // A leader that ends here leaves no failure behind that an operator would act on.
        assert.isUndefined(status().stumbled)
      }
      assert.isAtLeast(recorded().position!.index, 3)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("refuses an operator's action if another one on the same event comes just ahead of it", () =>
    Effect.gen(function* () {
      const { mailer, recorded, start, state } = yield* poisoned
      const { steer } = yield* start(mailer)
      yield* pass(1_000)
      state.ahead = Effect.orDie(steer("mail", "skip", bob))
      assert.deepInclude(yield* Effect.flip(steer("mail", "park", bob)), { reason: "elsewhere" })
      assert.deepStrictEqual(recorded().parked, [])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("goes on behind the base of a restored log, where no node holds the entries before", () =>
    Effect.gen(function* () {
      const { node, reactive, recorded, start, write } = yield* play
      const sent: Array<string> = []
      const failing = Reaction.make("mail", { from: [Order], run: () => Effect.fail("no mail today") })
      yield* write(order("ann", 1))
      const former = yield* start(failing)
      yield* pass(100)
      assert.isDefined(recorded().stumbled)
      yield* former.kill
      yield* write(order("bob", 2))
      const base = node.log.lastIndex
      yield* node.compact(base)
      const restored = { versionFloor: base, formerClusterIds: ["former"] }
      const scope = yield* Effect.scope
      const reactions = yield* Scope.provide(
        Reactions.make([mailing(sent)], {
          ...reactive,
          get tables() {
            return { ...node.tables(), restored }
          }
        }),
        scope
      )
      yield* pass(100)
      yield* write(order("cay", 3))
      yield* pass(1_000)
      assert.deepStrictEqual(
        sent.map((line) => line.replace(/^\S+ /, "")),
        ["created cay 3"]
      )
      assert.deepInclude(reactions.status()[0], { isRunning: true, failure: undefined })
      assert.isAtLeast(recorded().position?.index ?? 0, base)
      assert.isUndefined(recorded().stumbled)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("parks no more events than its record has room for", () =>
    Effect.gen(function* () {
      const { start, write } = yield* play
      const failing = Reaction.make("mail", { from: [Order], run: () => Effect.fail("no mail today") })
      for (let at = 0; at <= parkedMaxCount; at++) yield* write(order("ann", at))
      const { status, steer } = yield* start(failing)
      for (let at = 0; at < parkedMaxCount; at++) {
        yield* pass(20)
        yield* steer("mail", "park", status().stumbled!)
      }
      yield* pass(20)
      assert.lengthOf(status().parked, parkedMaxCount)
      const refused = yield* Effect.flip(steer("mail", "park", status().stumbled!))
      assert.deepInclude(refused, { _tag: "SteeringRefused", reason: "tooManyParked" })
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("with an uninterruptible effect delays the end of its node for a second, and no longer", () =>
    Effect.gen(function* () {
      const { reactive, write } = yield* play
      const stubborn = Reaction.make("mail", { from: [Order], run: () => Effect.uninterruptible(Effect.never) })
      yield* write(order("ann", 1))
      for (const isOrdered of [true, false]) {
        const scope = yield* Scope.make()
        const { rest } = yield* Scope.provide(Reactions.make([stubborn], reactive), scope)
        yield* pass(100)
        const end = Effect.andThen(isOrdered ? rest : Effect.void, Scope.close(scope, Exit.void))
        const ending = yield* Effect.forkChild(end, { startImmediately: true })
        yield* pass(900)
        assert.isUndefined(ending.pollUnsafe())
        yield* pass(200)
        assert.isDefined(ending.pollUnsafe())
      }
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("fails at the entry that does not fit its models, and names it", () =>
    Effect.gen(function* () {
      const { reactive, write } = yield* play
      class Priced extends Model.Class<Priced>("Order")(
        { id: Model.id(Schema.String), price: Schema.Int },
        { mode: "replicate" }
      ) {}
      const mail = Reaction.make("mail", { from: [Priced], run: () => Effect.void })
      yield* write({ _tag: "Create", model: "Refund", data: { order: "x", at: "2026-02-03T00:00:00Z" } })
      yield* write(order("ann", 1))
      const leading = lead(mail, reactive, {
        at: () => {},
        failing: () => {},
        running: () => {},
        said: { changed: () => {}, forget: () => {} }
      })
      assert.deepInclude(yield* Effect.flip(leading), { _tag: "ReactionFailed", reaction: "mail", index: 2 })
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it("has a position that is a record like any other, and is served nowhere", () => {
    assert.strictEqual(Model.describe(positionModel).mode, "replicated")
    assert.isFalse(/^[A-Za-z]\w*$/.test(descriptor.name), "no model that is declared for users has this name")
  })
})
