/** A projection into SQL beside a played member, in rare trouble: a database that hangs, and a leader that lags behind. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { layerMemory } from "../../src/EventStore/MemoryLog.ts"
import { order } from "../Projection/Sales.ts"
import { makeSqlOrders } from "./Orders.ts"
import { pass, play, until } from "./PlayedLeader.ts"

describe("a projection into SQL", () => {
  it.effect("tells that its database hangs, and goes on when it answers again", () =>
    Effect.gen(function* () {
      const { changes, database, start, write } = yield* play
      const { status } = yield* start(makeSqlOrders())
      yield* write(order("ann", 1))
      yield* until("it is filled", () => changes().length === 1)
      database.state.isHung = true
      yield* write(order("bob", 1))
      yield* pass(9_000)
      assert.isUndefined(status().failure)
      yield* pass(2_000)
      assert.include(status().failure, "more than 10 s")
      assert.isDefined(status().oldestEventMs)
      database.state.isHung = false
      yield* until("nothing lags", () => status().lagCount === 0 && status().failure === undefined)
      assert.deepStrictEqual(changes(), ["1.0 ann", "2.0 bob"])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("tells that its database refuses the first note", () =>
    Effect.gen(function* () {
      const { changes, database, start, write } = yield* play
      const projection = makeSqlOrders()
      const first = yield* start(projection)
      yield* write(order("ann", 1))
      yield* until("it is filled", () => changes().length === 1)
      assert.isAtMost(String(database.all("SELECT token FROM lithair_projections")[0]?.token).length, 128)
      yield* first.kill
      const sql = yield* database.connect
      yield* sql`DELETE FROM lithair_projections`
      yield* sql`DELETE FROM sql_changes`
      yield* sql`CREATE TRIGGER full BEFORE INSERT ON lithair_projections BEGIN SELECT RAISE(ABORT, 'disk full'); END`
      const { status } = yield* start(projection)
      yield* pass(1_000)
      assert.include(status().failure, "refuses the projection's tables")
      yield* sql`DROP TRIGGER full`
      yield* until("it is filled", () => changes().length === 1 && status().failure === undefined)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("applies an event that was parked and retried before its rows passed it", () =>
    Effect.gen(function* () {
      const { changes, database, recorded, start, write } = yield* play
      let isRefused = true
      const projection = makeSqlOrders({ refuses: (customer) => customer === "bad" && isRefused })
      const { status, steer } = yield* start(projection)
      yield* write(order("bad", 1))
      yield* until("it stumbles", () => recorded(projection).stumbled !== undefined)
      database.state.isAway = true
      yield* until("the database is away", () => status().failure?.includes("does not answer") === true)
      isRefused = false
      yield* steer("park", "1.0")
      yield* steer("retry", "1.0")
      yield* pass(1_000)
      database.comeBack()
      yield* until("nothing is parked any more", () => recorded(projection).parked.length === 0)
      yield* until("nothing lags", () => status().lagCount === 0)
      assert.deepStrictEqual(changes(), ["1.0 bad"])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.effect("writes nothing while its node has not applied an erasure of which the rows know", () =>
    Effect.gen(function* () {
      const { changes, database, start, state, write } = yield* play
      const { status } = yield* start(makeSqlOrders())
      yield* write(order("ann", 1))
      yield* until("it is filled", () => changes().length === 1)
      // Another leader has filled the tables again, and this one does not know yet that it leads no longer.
      state.isCut = true
      const sql = yield* database.connect
      yield* sql`UPDATE lithair_projections SET erased = 2, token = 'of another leader'`
      yield* write(order("bob", 1))
      yield* pass(5_000)
      assert.deepStrictEqual(changes(), ["1.0 ann"])
      state.erasedIndex = 2
      state.isCut = false
      yield* until("nothing lags", () => status().lagCount === 0)
      assert.deepStrictEqual(changes(), ["1.0 ann", "2.0 bob"])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )
})
