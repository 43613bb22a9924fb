/** Projections into SQLite: rows and position are one, in real files and on a thread of their own. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Result, Schedule, Scope } from "effect"
import type { Feed } from "../../src/Cluster/Feed.ts"
import { derivedIn, derivedInMemory } from "../../src/EventStore/DerivedFiles.ts"
import { layerMemory } from "../../src/EventStore/MemoryLog.ts"
import * as SqliteRun from "../../src/Projection/SqliteRun.ts"
import * as Projection from "../../src/Projection.ts"
import { playNode } from "./PlayedNode.ts"
import { makeOrders, models, Order, order } from "./Sales.ts"

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-sqlite-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const start = Effect.fnUntraced(function* (
  projection: Projection.Sqlite,
  options: { readonly folder: string; readonly feed: Feed; readonly queryTimeoutMs?: number }
) {
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => Scope.close(scope, Exit.void))
  const running = yield* Scope.provide(
    SqliteRun.run(projection, { ...options, files: derivedIn(options.folder) }),
    scope
  )
  const rows = (sql: string, ...params: ReadonlyArray<Projection.SqlValue>) =>
    Effect.map(running.query({ sql, params }), (found) => found.rows.map((row) => ({ ...row })))
  return { running, rows, stop: Scope.close(scope, Exit.void) }
})

const countingTo = (count: number) => `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT ${count})`

const spentByCustomer = "SELECT customer, sum(cents) AS cents FROM orders GROUP BY customer ORDER BY customer"

describe("a projection into SQLite", () => {
  it.live("holds rows that SQL can ask for, with the index that they reflect", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const node = yield* playNode(models)
      yield* node.lead
      for (const [customer, cents] of [
        ["ann", 5],
        ["bob", 7],
        ["ann", 6]
      ] as const) {
        yield* node.write(order(customer, cents))
      }
      yield* node.apply()
      const { running, rows } = yield* start(makeOrders(), { folder, feed: node.start({ isWarm: true }) })
      yield* running.until(4)
      assert.deepStrictEqual(yield* rows(spentByCustomer), [
        { customer: "ann", cents: 11 },
        { customer: "bob", cents: 7 }
      ])
      yield* node.write({ _tag: "Patch", model: "Order", id: "1", data: { cents: 50 } })
      yield* node.write({ _tag: "Delete", model: "Order", id: "2" })
      yield* node.lead
      yield* node.apply()
      yield* running.until(7)
      assert.deepStrictEqual(yield* rows("SELECT id, cents FROM orders WHERE cents > ? ORDER BY id", 0), [
        { id: "1", cents: 50 },
        { id: "3", cents: 6 }
      ])
      yield* node.lead
      yield* node.apply()
      yield* running.until(8)
      assert.strictEqual((yield* running.query({ sql: "SELECT 1" })).index, 8, "an entry without events is reflected")
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("goes on where its file is, whatever was noted there last, and does nothing twice", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const node = yield* playNode(models)
      for (let index = 1; index <= 40; index++) {
        yield* index % 4 === 0 ? node.lead : node.write(order("ann", index))
        yield* node.apply()
        if (index % 8 !== 0) continue
        const { running, rows, stop } = yield* start(makeOrders(), { folder, feed: node.start({ isWarm: false }) })
        yield* running.until(index)
        const [found] = yield* rows("SELECT count(*) AS events, count(DISTINCT entry) AS entries FROM changes")
        assert.deepStrictEqual(found, { events: index * 0.75, entries: index * 0.75 })
        yield* stop
      }
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("is made anew for another version, other tables, or a file that is none; what is left of others goes", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const node = yield* playNode(models)
      for (const cents of [1, 2, 3]) yield* node.write(order("ann", cents))
      yield* node.apply()
      const made = Effect.fnUntraced(function* (projection: Projection.Sqlite) {
        const { running, rows, stop } = yield* start(projection, { folder, feed: node.start({ isWarm: true }) })
        yield* running.until(3)
        assert.deepStrictEqual(yield* rows(spentByCustomer), [{ customer: "ann", cents: 6 }])
        const [found] = yield* rows("SELECT count(*) AS events FROM changes")
        assert.deepStrictEqual(found, { events: 3 })
        yield* stop
      })
      yield* made(makeOrders())
      assert.isTrue(existsSync(join(folder, "orders.v1.sqlite")))
      yield* made(makeOrders({ version: 2 }))
      assert.deepStrictEqual(
        readdirSync(folder).filter((file) => file.includes(".v1.")),
        []
      )
      const ddl = "CREATE TABLE orders (id PRIMARY KEY, customer, cents); CREATE TABLE changes (entry, id)"
      yield* made(makeOrders({ version: 2, ddl }))
      for (const suffix of ["-wal", "-shm"]) rmSync(join(folder, `orders.v2.sqlite${suffix}`), { force: true })
      writeFileSync(join(folder, "orders.v2.sqlite"), "no database ".repeat(1_000))
      yield* made(makeOrders({ version: 2, ddl }))
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("stops at an entry that its tables refuse, with all before it and nothing of it; mended, it goes on", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const node = yield* playNode(models)
      yield* node.write(order("ann", 1))
      yield* node.write({ _tag: "Transact", operations: [order("bob", 2), order("bob", -1), order("bob", 3)] })
      yield* node.write(order("ann", 4))
      yield* node.apply()
      const { running, rows, stop } = yield* start(makeOrders(), { folder, feed: node.start({ isWarm: true }) })
      const failure = yield* Effect.flip(running.until(3))
      assert.deepInclude(failure, { _tag: "ProjectionFailed", projection: "orders", index: 2 })
      assert.match(failure.message, /CHECK/)
      assert.deepStrictEqual(yield* rows(spentByCustomer), [{ customer: "ann", cents: 1 }])
      assert.deepStrictEqual(yield* rows("SELECT position FROM _lithair"), [{ position: 1 }])
      yield* stop
      const again = yield* start(makeOrders(), { folder, feed: node.start({ isWarm: true }) })
      assert.strictEqual((yield* Effect.flip(again.running.until(3))).index, 2)
      yield* again.stop
      const ddl = "CREATE TABLE orders (id PRIMARY KEY, customer, cents); CREATE TABLE changes (entry, id)"
      const mended = yield* start(makeOrders({ ddl }), { folder, feed: node.start({ isWarm: true }) })
      yield* mended.running.until(3)
      assert.deepStrictEqual(yield* mended.rows(spentByCustomer), [
        { customer: "ann", cents: 5 },
        { customer: "bob", cents: 4 }
      ])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("takes no statement that would part rows from position, and no parameter that SQLite does not know", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      yield* node.write(order("ann", 1))
      yield* node.apply()
      const wrong: ReadonlyArray<Projection.Statement> = [
        { sql: "COMMIT" },
        { sql: " -- all done\n /* really */ commit" },
        { sql: "PRAGMA journal_mode = DELETE" },
        { sql: "INSERT OR ROLLBACK INTO orders VALUES (1, 2, 3)" },
        { sql: "INSERT OR /* really */ ROLLBACK INTO orders VALUES (1, 2, 3)" },
        { sql: "CREATE TABLE more (id PRIMARY KEY ON CONFLICT ROLLBACK)" },
        { sql: "INSERT INTO orders VALUES (1, 'a;b', 3); DELETE FROM orders" },
        { sql: "INSERT INTO orders VALUES (1, 'it''s', 3) -- ;\n ; SELECT 1" },
        { sql: "INSERT INTO orders VALUES (?, 'x', 1)", params: [true as unknown as number] },
        { sql: "no SQL at all" }
      ]
      for (const statement of wrong) {
        const projection = Projection.sqlite("orders", {
          from: [Order],
          version: 1,
          ddl: "CREATE TABLE orders (id, customer, cents)",
          evolve: ({ id }) => [{ sql: "INSERT INTO orders VALUES (?, 'ann', 1)", params: [id] }, statement]
        })
        const folder = yield* temporary
        const { running, rows, stop } = yield* start(projection, { folder, feed: node.start({ isWarm: true }) })
        assert.strictEqual((yield* Effect.flip(running.until(1))).index, 1)
        assert.deepStrictEqual(yield* rows("SELECT position, (SELECT count(*) FROM orders) AS rows FROM _lithair"), [
          { position: 0, rows: 0 }
        ])
        yield* stop
      }
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("takes semicolons in literals, names and comments, and after the last word", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      yield* node.write(order("ann", 1))
      yield* node.apply()
      const projection = Projection.sqlite("orders", {
        from: [Order],
        version: 1,
        ddl: `CREATE TABLE "a;b" ([x;y], z); -- COMMIT; ON CONFLICT ROLLBACK`,
        evolve: () => [
          { sql: `INSERT INTO "a;b" VALUES ('it''s; so', 'or rollback') /* ; */ ; -- done; really\n` },
          { sql: "INSERT INTO [a;b] VALUES (';', ?) ; ", params: ["; x"] }
        ]
      })
      const { running, rows } = yield* start(projection, {
        folder: yield* temporary,
        feed: node.start({ isWarm: true })
      })
      yield* running.until(1)
      for (const end of [";", " ; ; ", "; -- done", " -- ; done", " /* ; */ ;", "; /* done"]) {
        assert.lengthOf(yield* rows(`SELECT \`x;y\` FROM "a;b" WHERE z <> '; -- ;'${end}`), 2)
      }
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it("takes no tables that would roll back a whole transaction", () => {
    for (const ddl of [
      "CREATE TABLE orders (id PRIMARY KEY ON CONFLICT ROLLBACK)",
      "CREATE TABLE orders (id UNIQUE on\n conflict -- so\n rollback)",
      "CREATE TRIGGER t BEFORE INSERT ON orders BEGIN SELECT RAISE (ROLLBACK, 'no'); END"
    ]) {
      assert.throws(() => makeOrders({ ddl }), /may not roll back/)
    }
    makeOrders({ ddl: "CREATE TABLE orders (id PRIMARY KEY ON CONFLICT ABORT, note DEFAULT 'on conflict rollback')" })
  })

  it.live("fails where a column that a constraint refuses has a name like an error of the machine's", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      yield* node.write(order("ann", 1))
      yield* node.apply()
      const projection = Projection.sqlite("orders", {
        from: [Order],
        version: 1,
        ddl: 'CREATE TABLE t (locked CHECK (locked > 5), "file is not a database" UNIQUE)',
        evolve: () => [{ sql: "INSERT INTO t VALUES (1, 1)" }]
      })
      const { running } = yield* start(projection, { folder: yield* temporary, feed: node.start({ isWarm: true }) })
      const failure = yield* Effect.flip(running.until(1))
      assert.match(failure.message, /CHECK constraint failed: locked/)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  for (const finder of ["start", "write", "query"] as const) {
    it.live(`is made anew where a ${finder} finds its file damaged`, () =>
      Effect.gen(function* () {
        const folder = yield* temporary
        const node = yield* playNode(models)
        for (const cents of [1, 2, 3]) yield* node.write(order("ann", cents))
        yield* node.apply()
        const made = yield* start(makeOrders(), { folder, feed: node.start({ isWarm: true }) })
        yield* made.running.until(3)
        yield* made.stop
        // The pages after the first: those of the orders alone, or also that of the position.
        const path = join(folder, "orders.v1.sqlite")
        const bytes = readFileSync(path)
        bytes.fill(0xa5, 4096, finder === "start" ? bytes.length : 3 * 4096)
        writeFileSync(path, bytes)
        const { running, rows } = yield* start(makeOrders(), { folder, feed: node.start({ isWarm: true }) })
        const sql = "SELECT count(*) AS orders, sum(cents) AS cents FROM orders"
        const counted = Effect.map(running.query({ sql }), (found) => {
          // Each entry is an order: no answer says that it reflects more than it has.
          assert.strictEqual(found.rows[0]?.orders, found.index)
          return { ...found.rows[0] }
        })
        const isCounted = (expected: { readonly orders: number; readonly cents: number }) =>
          Effect.filterOrFail(counted, (found) => found.orders === expected.orders).pipe(
            Effect.retry(Schedule.spaced(5)),
            Effect.map((found) => assert.deepStrictEqual<unknown>(found, expected))
          )
        if (finder === "query") {
          const many = Array.from({ length: 20 }, () => Effect.result(counted))
          const [first] = yield* Effect.all(many, { concurrency: "unbounded" })
          assert.isTrue(Result.isFailure(first!) && first.failure.reason === "unusable")
          // No entry comes meanwhile.
          yield* isCounted({ orders: 3, cents: 6 })
        }
        yield* node.write(order("ann", 4))
        yield* node.apply()
        yield* isCounted({ orders: 4, cents: 10 })
        assert.deepStrictEqual(yield* rows("SELECT count(*) AS events FROM changes"), [{ events: 4 }])
        yield* running.until(4)
      }).pipe(Effect.scoped, Effect.provide(layerMemory))
    )
  }

  it.live("stops, and is not made anew for ever, where its file is found damaged again at the same entries", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const node = yield* playNode(models)
      for (const cents of [1, 2, 3]) yield* node.write(order("ann", cents))
      yield* node.apply()
      const damaging = Projection.sqlite("orders", {
        from: [Order],
        version: 1,
        // An index of words that is checked against the texts that it was never told of.
        ddl: "CREATE TABLE texts (word); CREATE VIRTUAL TABLE words USING fts5(word, content='texts')",
        evolve: ({ id }) => [
          { sql: "INSERT INTO texts VALUES (?)", params: [id] },
          { sql: "INSERT INTO words(words, rank) VALUES ('integrity-check', 1)" }
        ]
      })
      const { running } = yield* start(damaging, { folder, feed: node.start({ isWarm: true }) })
      const failure = yield* Effect.flip(running.until(3))
      assert.match(failure.message, /malformed, also after the file was rebuilt/)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("keeps a number that is an integer as one, whatever its column says of it", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      yield* node.write(order("ann", 1))
      yield* node.apply()
      const projection = Projection.sqlite("orders", {
        from: [Order],
        version: 1,
        ddl: "CREATE TABLE t (untyped, text TEXT, half, large)",
        evolve: () => [{ sql: "INSERT INTO t VALUES (?, ?, ?, ?)", params: [5, 5, 0.5, 2 ** 60] }]
      })
      const { running, rows } = yield* start(projection, {
        folder: yield* temporary,
        feed: node.start({ isWarm: true })
      })
      yield* running.until(1)
      const sql = "SELECT typeof(untyped) AS untyped, text, half, typeof(large) AS large FROM t WHERE text = ? || ''"
      assert.deepStrictEqual(yield* rows(sql, 5), [{ untyped: "integer", text: "5", half: 0.5, large: "real" }])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("answers integers that no number holds as bigints, and all others as numbers", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      yield* node.write(order("ann", 1))
      yield* node.apply()
      const projection = Projection.sqlite("orders", {
        from: [Order],
        version: 1,
        ddl: "CREATE TABLE t (big, small, half, text, bytes, none, __proto__)",
        evolve: () => [
          {
            sql: "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, 5)",
            params: [2n ** 62n + 1n, -7n, 0.5, "x", Uint8Array.of(1), null]
          }
        ]
      })
      const { running, rows } = yield* start(projection, {
        folder: yield* temporary,
        feed: node.start({ isWarm: true })
      })
      yield* running.until(1)
      assert.deepStrictEqual(yield* rows("SELECT big, small, half, text, bytes, none FROM t"), [
        { big: 2n ** 62n + 1n, small: -7, half: 0.5, text: "x", bytes: Uint8Array.of(1), none: null }
      ])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("refuses no query because others gave up theirs, which go on to their end", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      yield* node.write(order("ann", 1))
      yield* node.apply()
      const options = { folder: yield* temporary, feed: node.start({ isWarm: true }) }
      const { running, rows } = yield* start(makeOrders(), options)
      yield* running.until(1)
      yield* rows("SELECT 1")
      const slow = `${countingTo(12_000_000)} SELECT count(*) AS n FROM c`
      for (let at = 0; at < 3; at++) yield* Effect.ignore(Effect.timeout(rows(slow), 200))
      assert.deepStrictEqual(yield* rows(spentByCustomer), [{ customer: "ann", cents: 1 }])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("answers within its limit, those before it included, or not at all", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      const options = { folder: yield* temporary, feed: node.start({ isWarm: true }), queryTimeoutMs: 1_000 }
      const { rows } = yield* start(makeOrders(), options)
      const slow = `${countingTo(1_000_000)} SELECT count(*) AS n FROM c`
      const many = Array.from({ length: 60 }, () => Effect.timed(Effect.result(rows(slow))))
      const all = yield* Effect.all(many, { concurrency: "unbounded" })
      for (const [took] of all) assert.isBelow(Duration.toMillis(took), 3_000)
      const refused = all.flatMap(([, result]) => (Result.isFailure(result) ? result.failure.message : []))
      assert.match(refused[0]!, /more than 1000 ms, including queries before it/)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("is tried again where its file cannot be opened, and answers then", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const node = yield* playNode(models)
      yield* node.write(order("ann", 1))
      yield* node.apply()
      const inTheWay = join(folder, "orders.v1.sqlite")
      mkdirSync(inTheWay)
      const { running, rows } = yield* start(makeOrders(), { folder, feed: node.start({ isWarm: true }) })
      const failure = yield* Effect.flip(rows(spentByCustomer))
      assert.deepInclude(failure, { _tag: "SqliteFailed", reason: "passing" })
      assert.match(failure.message, /unable to open database file/)
      assert.isUndefined(running.failure())
      const waiting = yield* Effect.forkChild(running.until(1), { startImmediately: true })
      rmdirSync(inTheWay)
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(yield* rows(spentByCustomer), [{ customer: "ann", cents: 1 }])
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("whose tables SQLite refuses fails, and is not tried again", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      const wrong = makeOrders({ ddl: "CREATE TABEL orders (id)" })
      const { running } = yield* start(wrong, { folder: yield* temporary, feed: node.start({ isWarm: true }) })
      const failure = yield* Effect.flip(running.until(1))
      assert.deepInclude(failure, { _tag: "ProjectionFailed", index: 1 })
      assert.match(failure.message, /near "TABEL": syntax error/)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("answers a query that asks too much, or writes, with what is wrong, and the next query as ever", () =>
    Effect.gen(function* () {
      const folder = yield* temporary
      const node = yield* playNode(models)
      yield* node.write(order("ann", 1))
      yield* node.apply()
      const feed = node.start({ isWarm: true })
      const { running, rows } = yield* start(makeOrders(), { folder, feed, queryTimeoutMs: 500 })
      yield* running.until(1)
      const counting = countingTo(10_000_000)
      const messages: Array<string> = []
      for (const sql of [
        "DELETE FROM orders",
        "SELECT absent",
        "SELECT 1; DELETE FROM orders",
        "SELECT 1); DELETE FROM orders; --",
        `${counting} SELECT x FROM c`,
        `${counting} SELECT count(*) FROM c`,
        `${countingTo(9)} SELECT printf('%.*c', 1000000, 'x') FROM c`
      ]) {
        messages.push((yield* Effect.flip(rows(sql))).message)
        assert.deepStrictEqual(yield* rows(spentByCustomer), [{ customer: "ann", cents: 1 }])
      }
      const many = yield* Effect.forEach(Array.from({ length: 70 }), () => Effect.exit(rows("SELECT 1 AS one")), {
        concurrency: "unbounded"
      })
      assert.lengthOf(many.filter(Exit.isSuccess), 64, "more than may wait are refused")
      assert.match(messages[0]!, /syntax error/)
      assert.match(messages[1]!, /no such column/)
      assert.match(messages[2]!, /more than one statement/)
      assert.match(messages[3]!, /more than one statement/)
      assert.match(messages[4]!, /more than 10000 rows/)
      assert.match(messages[5]!, /more than 500 ms/)
      assert.match(messages[6]!, /more than 8388608 bytes/)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )

  it.live("of a node without a disk has a file as long as the node lives", () =>
    Effect.gen(function* () {
      const node = yield* playNode(models)
      yield* node.write(order("ann", 1))
      yield* node.apply()
      const files = derivedInMemory()
      const running = yield* SqliteRun.run(makeOrders(), { files, feed: node.start({ isWarm: true }) })
      yield* running.until(1)
      assert.strictEqual((yield* running.query({ sql: spentByCustomer })).rows.length, 1)
    }).pipe(Effect.scoped, Effect.provide(layerMemory))
  )
})
