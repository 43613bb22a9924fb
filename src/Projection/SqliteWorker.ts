/**
 * The code of a SQLite file's thread. SQLite never runs on a node's main thread (docs/raft.md). Rows and their position
 * change in one transaction, so they always agree, whenever the process dies. It does not use Effect: it answers one
 * request after another, and turns errors that SQLite throws into answers.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite"
import { parentPort, workerData } from "node:worker_threads"
import { invariant } from "../Invariant.ts"
import type { Opening, Reply, Request, Row, SqlValue, Statement } from "./SqliteProtocol.ts"
import { reasonOf } from "./SqliteReason.ts"

const { ddl, mode, name, path, version }: Opening = workerData
const noteTable = "_lithair"
const statementsMax = 256

let database: DatabaseSync | undefined
const prepared = new Map<string, StatementSync>()

const prepare = (sql: string): StatementSync => {
  const known = prepared.get(sql)
  if (known !== undefined) return known
  if (prepared.size >= statementsMax) prepared.clear()
  const made = opened().prepare(sql)
  prepared.set(sql, made)
  return made
}

const opened = (): DatabaseSync => {
  invariant(database !== undefined, "a file that is not open was asked")
  return database
}

const position = (): number => Number(prepare(`SELECT position FROM ${noteTable}`).get()?.position)

/** Commits everything that `work` does, or nothing. */
const transaction = <A>(begin: "BEGIN" | "BEGIN IMMEDIATE", work: () => A): A => {
  opened().exec(begin)
  try {
    const done = work()
    opened().exec("COMMIT")
    return done
  } catch (error) {
    // SQLite ends some failed transactions by itself.
    if (opened().isTransaction) opened().exec("ROLLBACK")
    throw error
  }
}

/** Why this projection cannot use the file; undefined for its own file and for an empty one. */
const mismatch = (): string | undefined => {
  const tables = opened().prepare("SELECT name FROM sqlite_master WHERE name = ?").all(noteTable)
  if (tables.length === 0) return undefined
  const note = opened().prepare(`SELECT name, version, ddl, position FROM ${noteTable}`).get()
  if (note?.name !== name || Number(note.version) !== version)
    return `it is of version ${note?.version} of ${note?.name}`
  return note.ddl === ddl ? undefined : "its tables are declared otherwise now"
}

const connect = (): void => {
  prepared.clear()
  database = new DatabaseSync(path, { readOnly: mode === "read" })
  database.exec("PRAGMA busy_timeout = 5000")
  if (mode === "write") database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
}

const open = (): Reply => {
  connect()
  if (mode === "write") {
    const message = mismatch()
    if (message !== undefined) return { _tag: "Failed", message, reason: "unusable" }
    transaction("BEGIN IMMEDIATE", declare)
  }
  return { _tag: "Opened", index: position() }
}

const declare = (): void => {
  const tables = opened().prepare("SELECT name FROM sqlite_master WHERE name = ?").all(noteTable)
  if (tables.length > 0) return
  opened().exec(ddl)
  opened().exec(`CREATE TABLE ${noteTable} (name TEXT, version INTEGER, ddl TEXT, position INTEGER)`)
  opened().prepare(`INSERT INTO ${noteTable} VALUES (?, ?, ?, 0)`).run(name, version, ddl)
}

/** The runtimes bind every number as a REAL: a column without a numeric type would store 5 as `5.0`. */
const bound = ({ params = [] }: Statement): ReadonlyArray<SqlValue> =>
  params.map((value) => (typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value))

const run = (statement: Statement): void => void prepare(statement.sql).run(...bound(statement))

const apply = ({ entries, throughIndex }: Extract<Request, { readonly _tag: "Apply" }>): Reply => {
  let index = throughIndex
  let failure: string | undefined
  transaction("BEGIN IMMEDIATE", () => {
    for (const entry of entries) {
      opened().exec("SAVEPOINT entry")
      try {
        entry.statements.forEach(run)
        opened().exec("RELEASE entry")
      } catch (error) {
        const met = asError(error)
        if (reasonOf(met) !== "refused") throw error
        failure = met.message
        opened().exec("ROLLBACK TO entry")
        opened().exec("RELEASE entry")
        index = entry.index - 1
        break
      }
    }
    prepare(`UPDATE ${noteTable} SET position = ?`).run(index)
  })
  return { _tag: "Applied", index, failure }
}

/**
 * Nests the query in another one, which allows no other statement and limits the rows. Does not iterate over rows: Deno's
 * iterator ends silently when SQLite fails.
 */
const query = ({ bytesMax, rowsMax, statement }: Extract<Request, { readonly _tag: "Query" }>): Reply =>
  transaction("BEGIN", () => {
    const index = position()
    const asked = prepare(`SELECT * FROM (\n${statement.sql}\n) LIMIT ${rowsMax + 1}`)
    // Otherwise an integer past 2^53 would fail the whole query.
    asked.setReadBigInts(true)
    const rows = asked.all(...bound(statement))
    if (rows.length > rowsMax) return { _tag: "TooMuch", of: "rows" }
    if (rows.reduce((sum, row) => sum + bytesOf(row), 0) > bytesMax) return { _tag: "TooMuch", of: "bytes" }
    return { _tag: "Rows", index, rows: rows.map(withNumbers) }
  })

const bytesOf = (row: Row): number =>
  Object.values(row).reduce<number>(
    (sum, value) => sum + (typeof value === "string" ? value.length : value instanceof Uint8Array ? value.length : 8),
    0
  )

const withNumbers = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === "bigint" ? small(value) : value])
  )

const small = (integer: bigint): number | bigint => (Number.isSafeInteger(Number(integer)) ? Number(integer) : integer)

const answer = (request: Request): Reply => {
  switch (request._tag) {
    case "Open":
      return open()
    case "Apply":
      return apply(request)
    case "Query":
      return query(request)
    case "Close":
      database?.close()
      database = undefined
      return { _tag: "Closed" }
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

parentPort?.on("message", ({ id, request }: { readonly id: number; readonly request: Request }) => {
  let reply: Reply
  try {
    reply = answer(request)
  } catch (error) {
    const met = asError(error)
    reply = { _tag: "Failed", message: met.message, reason: reasonOf(met) }
  }
  parentPort?.postMessage({ id, reply })
})
