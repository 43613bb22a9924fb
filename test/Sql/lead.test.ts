/** A projection into SQL beside a member that the test plays: its rows are those of the history, each event once. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { layerMemory } from "../../src/EventStore/MemoryLog.ts"
import { order } from "../Projection/Sales.ts"
import { any } from "./Database.ts"
import { makeSqlOrders } from "./Orders.ts"
import { pass, play, until } from "./PlayedLeader.ts"

const both = (...customers: ReadonlyArray<string>) =>
  ({ _tag: "Transact", operations: customers.map((customer) => order(customer, 1)) }) as const

/** As many kills as the name says: of leaders, and of the database in the middle of a transaction or at its commit. */
const killsCount = 100

describe("a projection into SQL", () => {
  for (const seed of [1, 2]) {
    it.effect(`equals the memory projection at its entry after ${killsCount} kills (seed ${seed})`, () =>
      Effect.gen(function* () {
        const { changes, database, eventsThrough, feed, noted, spentAt, spentInRows, start, write } = yield* play
        // Every event takes a while, so that kills come in the middle of transactions.
        const projection = makeSqlOrders({ takesMs: 7 })
        let ordersCount = 0
        const writeSome = Effect.gen(function* () {
          for (let count = yield* Random.nextIntBetween(1, 4); count > 0; count--) {
            const customer = `c${yield* Random.nextIntBetween(0, 4)}`
            const isTwo = (yield* Random.nextIntBetween(0, 4)) === 0
            yield* write(isTwo ? both(customer, "twice") : order(customer, yield* Random.nextIntBetween(0, 100)))
            ordersCount += isTwo ? 2 : 1
            if ((yield* Random.nextIntBetween(0, 3)) > 0) continue
            const id = String(1 + (yield* Random.nextIntBetween(0, ordersCount - 1)))
            // It may be deleted already.
            yield* Effect.exit(write({ _tag: "Delete", model: "Order", id }))
          }
        })
        const harms = [
          () => any(3),
          () => [/BEGIN/],
          () => [/UPDATE lithair_projections/],
          () => [/INSERT INTO sql_changes/, /sql_orders/],
          () => [/UPDATE lithair_projections/, /COMMIT/]
        ]
        const seen = { away: 0, inside: 0, moved: 0 }
        for (let kill = 0; kill < killsCount; kill++) {
          const before = noted()
          // Now and then two believe that they lead.
          const leaders = [yield* start(projection)]
          if ((yield* Random.nextIntBetween(0, 2)) === 0) leaders.push(yield* start(projection))
          yield* writeSome
          yield* pass(10 * (yield* Random.nextIntBetween(0, 10)))
          if ((yield* Random.nextIntBetween(0, 1)) === 0) {
            const statements = harms[yield* Random.nextIntBetween(0, harms.length - 1)]!()
            database.state.harm = { statements, when: (yield* Random.nextIntBetween(0, 1)) === 0 ? "before" : "after" }
            yield* writeSome
            yield* pass(10 * (yield* Random.nextIntBetween(0, 10)))
          }
          if (database.state.isAway) seen.away += 1
          if (database.isInside()) seen.inside += 1
          const came = (yield* Random.nextIntBetween(0, 1)) === 0
          if (came) {
            database.comeBack()
            yield* pass(10 * (yield* Random.nextIntBetween(0, 30)))
          }
          for (const leader of leaders) yield* leader.kill
          database.comeBack()
          if (noted() > before) seen.moved += 1
          assert.isAtLeast(noted(), before)
          assert.deepStrictEqual(spentInRows(), yield* spentAt(noted()), `after kill ${kill}`)
        }
        for (const [what, count] of Object.entries(seen)) assert.isAbove(count, killsCount / 8, what)
        const last = yield* start(projection)
        yield* until("nothing lags", () => last.status().lagCount === 0 && last.status().isRunning)
        assert.deepStrictEqual(spentInRows(), yield* spentAt(feed.appliedIndex()))
        assert.deepStrictEqual(
          changes(),
          yield* eventsThrough(projection, feed.appliedIndex()),
          "each event once, in order"
        )
      }).pipe(Random.withSeed(`sql ${seed}`), Effect.scoped, Effect.provide(layerMemory))
    )
  }

  it.effect("has each event once while two nodes believe that they lead", () =>
    Effect.gen(function* () {
      const { changes, feed, spentAt, spentInRows, start, write } = yield* play
      const projection = makeSqlOrders()
      const leaders = [yield* start(projection), yield* start(projection)]
      yield* until("both have read the note", () => leaders.every(({ status }) => status().isRunning))
      for (let at = 0; at < 50; at++) {
        yield* write(both("ann", `c${at}`))
        yield* pass(10 * (at % 5))
      }
      yield* until("nothing lags", () => leaders.every(({ status }) => status().lagCount === 0))
      assert.deepStrictEqual(
        changes(),
        Array.from({ length: 50 }, (_, at) => [`${at + 1}.0 ann`, `${at + 1}.1 c${at}`]).flat()
      )
      assert.deepStrictEqual(spentInRows(), yield* spentAt(feed.appliedIndex()))
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("lags while its database is away, says so, stumbles over nothing, and goes on by itself", () =>
    Effect.gen(function* () {
      const { changes, database, recorded, start, write } = yield* play
      const projection = makeSqlOrders()
      database.state.isAway = true
      yield* write(order("ann", 1))
      const { status } = yield* start(projection)
      yield* pass(20_000)
      assert.include(status().failure, "does not answer")
      assert.isAbove(status().lagCount, 0)
      assert.isDefined(status().oldestEventMs)
      database.comeBack()
      yield* until("nothing lags", () => status().lagCount === 0)
      assert.deepStrictEqual(changes(), ["1.0 ann"])
      assert.isUndefined(status().failure)
      // It goes away in the middle of a transaction.
      database.state.harm = { statements: [/INSERT INTO sql_orders/], when: "after" }
      yield* write(order("bob", 1))
      yield* pass(20_000)
      assert.deepInclude(status(), { isRunning: true, lagCount: 1, stumbled: undefined })
      assert.include(status().failure, "does not answer")
      database.comeBack()
      yield* until("nothing lags", () => status().lagCount === 0)
      assert.deepStrictEqual(changes(), ["1.0 ann", "2.0 bob"])
      assert.strictEqual(recorded(projection).version, 0, "no operator needs to know")
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("shows all events of an entry or none, and no later ones, while it stumbles over one of them", () =>
    Effect.gen(function* () {
      const { changes, noted, recorded, start, write } = yield* play
      let isRefused = true
      const projection = makeSqlOrders({ refuses: (customer) => customer === "bad" && isRefused })
      yield* write(order("ann", 1))
      yield* write(both("bob", "bad", "cay"))
      yield* write(order("dan", 1))
      const { status } = yield* start(projection)
      yield* until("it stumbles", () => status().stumbled !== undefined)
      assert.deepInclude(status().stumbled, { index: 2, ordinal: 1, failure: "no orders of bad" })
      assert.deepStrictEqual(changes(), ["1.0 ann"])
      assert.strictEqual(noted(), 1)
      isRefused = false
      yield* until("it goes on", () => changes().length === 5)
      assert.deepStrictEqual(changes(), ["1.0 ann", "2.0 bob", "2.1 bad", "2.2 cay", "3.0 dan"])
      yield* until("nothing is told of it any more", () => recorded(projection).stumbled === undefined)
      assert.isUndefined(status().failure)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("leaves out what operators skip, two events of one entry too, and applies a parked one once", () =>
    Effect.gen(function* () {
      const { changes, database, recorded, start, write } = yield* play
      let refused = ["bad", "worse", "late"]
      const projection = makeSqlOrders({ refuses: (customer) => refused.includes(customer) })
      yield* write(both("ann", "bad", "bob", "worse", "cay"))
      yield* write(both("late"))
      yield* write(order("dan", 1))
      const first = yield* start(projection)
      const stumbles = (at: string) =>
        until(`it stumbles over ${at}`, () => {
          const { stumbled } = recorded(projection)
          return stumbled !== undefined && `${stumbled.index}.${stumbled.ordinal}` === at
        })
      yield* stumbles("1.1")
      yield* first.steer("skip", "1.1")
      yield* stumbles("1.3")
      // The next leader knows it too.
      yield* first.kill
      const { status, steer } = yield* start(projection)
      yield* stumbles("1.3")
      yield* steer("park", "1.3")
      yield* until("the rest of it is there", () => changes().length === 3)
      yield* stumbles("2.0")
      yield* steer("skip", "2.0")
      yield* until("it goes on", () => changes().length === 4)
      assert.deepStrictEqual(changes(), ["1.0 ann", "1.2 bob", "1.4 cay", "3.0 dan"])
      const parked = () => recorded(projection).parked
      assert.strictEqual(parked().length, 1)

      yield* steer("retry", "1.3")
      yield* until("it was tried", () => parked()[0]?.isDue === false)
      assert.strictEqual(parked()[0]?.failure, "no orders of worse")
      refused = []
      // It is applied, and the answer is lost: it is not applied again.
      database.state.harm = { statements: [/DELETE FROM lithair_parked/, /COMMIT/], when: "after" }
      yield* steer("retry", "1.3")
      yield* until("the database is away", () => database.state.isAway)
      database.comeBack()
      yield* until("it is applied", () => parked().length === 0)
      assert.deepStrictEqual(changes(), ["1.0 ann", "1.2 bob", "1.4 cay", "3.0 dan", "1.3 worse"])
      yield* until("nothing lags", () => status().lagCount === 0)
      const refusal = yield* Effect.flip(steer("skip", "1.3"))
      assert.deepInclude(refusal, { _tag: "SteeringRefused", reason: "elsewhere" })
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("is filled again when its version rises, and an older release then leaves it alone", () =>
    Effect.gen(function* () {
      const { changes, start, write } = yield* play
      for (const customer of ["ann", "bob"]) yield* write(order(customer, 1))
      const old = makeSqlOrders()
      const first = yield* start(old)
      yield* until("it is filled", () => changes().length === 2)
      const newer = yield* start(makeSqlOrders({ version: 2, refuses: () => false }))
      yield* until("it is filled again", () => newer.status().isRunning && newer.status().lagCount === 0)
      assert.deepStrictEqual(changes(), ["1.0 ann", "2.0 bob"])
      yield* write(order("cay", 1))
      yield* until("the old one stops", () => !first.status().isRunning)
      assert.include(first.status().failure, "upgrade the node")
      yield* until("the newer one goes on", () => changes().length === 3)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("is filled again after an erasure and a restore, and never by another cluster", () =>
    Effect.gen(function* () {
      const { changes, database, state, start, write } = yield* play
      yield* write(order("ann", 1))
      const projection = makeSqlOrders()
      const tokens = () => database.all("SELECT entry, erased, origin FROM lithair_projections")
      const first = yield* start(projection)
      yield* until("it is filled", () => changes().length === 1)
      // Rows that a replay does not bring back.
      const sql = yield* database.connect
      yield* sql`INSERT INTO sql_changes VALUES (99, 0, 'gone')`
      state.erasedIndex = 1
      yield* write(order("bob", 1))
      yield* until("it is filled again", () => changes().length === 2 && first.status().lagCount === 0)
      assert.deepStrictEqual(changes(), ["1.0 ann", "2.0 bob"])
      assert.strictEqual(Number(tokens()[0]?.erased), 1)
      yield* first.kill

      state.clusterId = "c2"
      const stranger = yield* start(projection)
      yield* until("it stops", () => stranger.status().failure !== undefined)
      assert.include(stranger.status().failure, "another cluster, c1")
      assert.lengthOf(changes(), 2)
      yield* stranger.kill
      state.formerClusterIds = ["c1"]
      const restored = yield* start(projection)
      yield* until("it is filled again", () => restored.status().isRunning && restored.status().lagCount === 0)
      assert.strictEqual(tokens()[0]?.origin, "c2")
      assert.deepStrictEqual(changes(), ["1.0 ann", "2.0 bob"])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it("is declared with names that every database takes", () => {
    assert.throws(() => makeSqlOrders({ name: "Sales" }), /may only have/)
    assert.throws(() => makeSqlOrders({ name: "a".repeat(41) }), /more than 40/)
    assert.throws(() => makeSqlOrders({ version: 0 }), /at least 1/)
  })
})
