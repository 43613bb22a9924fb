/** Leaders of a cluster that the test plays, with a projection into a SQLite database that the test may take away. */
import { Effect, Exit, Result, Scope } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import type { AppliedEntry } from "../../src/Cluster/Feed.ts"
import * as Fold from "../../src/Projection/Fold.ts"
import type { Sql } from "../../src/Projection/Sql.ts"
import { descriptor, recordedIn } from "../../src/Reaction/Position.ts"
// Loaded before virtual time counts: the first import of it takes real time.
import "../../src/Sql/open.ts"
import { recordIdOf, type SqlLeader } from "../../src/Sql/lead.ts"
import * as SqlProjections from "../../src/Sql/SqlProjections.ts"
import { playNode } from "../Projection/PlayedNode.ts"
import { makeSpent, models } from "../Projection/Sales.ts"
import { openDatabase } from "./Database.ts"

/** The longest id that a node may have. */
const nodeId = "n".repeat(128)

export const pass = (ms: number) => TestClock.adjust("10 millis").pipe(Effect.repeat({ times: ms / 10 }))

/** Waits until it holds, at most a minute of virtual time. */
export const until = Effect.fnUntraced(function* (what: string, holds: () => boolean) {
  for (let at = 0; at < 1_000; at++) {
    if (holds()) return
    yield* pass(50)
  }
  return yield* Effect.die(new Error(`It never held that ${what}`))
})

/** Plays them. Every leader reads the same log, and writes into the same database. */
export const play = Effect.gen(function* () {
  const node = yield* playNode([...models, { "~lithair/model": descriptor }])
  const database = openDatabase()
  /** `isCut`: the leader reaches no peer, so no linearizable read ends. */
  const state = { clusterId: "c1", formerClusterIds: [] as ReadonlyArray<string>, erasedIndex: 0, isCut: false }
  const feed = node.start({ isWarm: true })
  /** The tables of the machine, with what the test says of erasures and of restores. */
  const tables = () => {
    const { byModel, ...rest } = node.tables()
    if (state.erasedIndex === 0 && state.formerClusterIds.length === 0) return node.tables()
    const erased = new Map(
      [...byModel].map(([name, table]) => [
        name,
        name === "Order" ? { ...table, erasedIndex: state.erasedIndex } : table
      ])
    )
    const { formerClusterIds } = state
    return { ...rest, byModel: erased, restored: { versionFloor: 0, formerClusterIds } } as typeof rest & {
      byModel: typeof byModel
    }
  }
  const member: SqlLeader = {
    self: { nodeId, address: "a", instanceId: "a", peers: [] },
    leader: () => nodeId,
    clusterId: () => state.clusterId,
    feed,
    readIndex: Effect.gen(function* () {
      while (state.isCut) yield* Effect.sleep("50 millis")
      return node.log.lastIndex
    }),
    submit: (command) => Effect.orDie(node.submit(command)),
    get tables() {
      return tables()
    }
  }

  const spent = makeSpent()
  const entriesThrough = Effect.fnUntraced(function* (index: number) {
    const all: Array<AppliedEntry> = []
    while (all.length < index) {
      all.push(...(yield* feed.read({ fromIndex: all.length + 1, maxBytes: 1024 * 1024 })))
    }
    return all.slice(0, index)
  })
  /** The memory projection at an entry: what a node has that folds the same log. */
  const spentAt = Effect.fnUntraced(function* (index: number) {
    const states = Fold.empty<{ readonly orders: number; readonly cents: number }>()
    for (const entry of yield* entriesThrough(index)) Fold.fold(spent, states, entry)
    return Object.fromEntries(states.entries())
  })
  /** The events of the log, as the rows of `sql_changes` show them. */
  const eventsThrough = Effect.fnUntraced(function* (projection: Sql<never>, index: number) {
    return (yield* entriesThrough(index)).flatMap((entry) =>
      Result.getOrThrow(projection.eventsOf(entry)).map(
        ({ index, ordinal, record }) => `${index}.${ordinal} ${(record as { readonly customer: string }).customer}`
      )
    )
  })

  /** None as long as the table is not there. */
  const rowsOf = (table: string, query: string) =>
    database.all(`SELECT name FROM sqlite_master WHERE name = '${table}'`).length === 0 ? [] : database.all(query)

  return {
    node,
    database,
    state,
    feed,
    spentAt,
    eventsThrough,
    recorded: (projection: Sql<never>) => recordedIn(node.tables(), recordIdOf(projection)),
    write: (command: Parameters<typeof node.submit>[0]) => Effect.asVoid(node.submit(command)),
    /** The same as {@link spentAt}, by the rows. */
    spentInRows: () =>
      Object.fromEntries(
        rowsOf(
          "sql_orders",
          "SELECT customer, count(*) AS orders, sum(cents) AS cents FROM sql_orders GROUP BY customer"
        ).map(({ cents, customer, orders }) => [customer, { orders: Number(orders), cents: Number(cents) }])
      ),
    changes: () =>
      rowsOf("sql_changes", "SELECT entry, ordinal, customer FROM sql_changes ORDER BY rowid").map(
        ({ customer, entry, ordinal }) => `${entry}.${ordinal} ${customer}`
      ),
    noted: () => Number(rowsOf("lithair_projections", "SELECT entry FROM lithair_projections")[0]?.entry ?? 0),
    /** One life of a leader with this projection. */
    start: Effect.fnUntraced(function* (projection: Sql<never>) {
      const scope = yield* Scope.make()
      yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
      const client = yield* database.connect
      const made = SqlProjections.make([projection], member).pipe(Effect.provideService(SqlClient, client))
      const { rest, status, steer } = yield* Scope.provide(made, scope)
      return {
        status: () => status()[0]!,
        steer: (action: "skip" | "park" | "retry", at: string) => {
          const [index = 0, ordinal = 0] = at.split(".").map(Number)
          return steer(projection.name, action, { index, ordinal })
        },
        rest,
        kill: Scope.close(scope, Exit.void)
      }
    })
  }
})
