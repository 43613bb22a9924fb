/**
 * The thread of one SQLite file: nothing of SQLite runs on a node's main thread (RAFT.md §1). Rows and the position that
 * they reflect change in one transaction, so that they never disagree, whenever the process dies. Not an Effect: it
 * answers one request after another, and what SQLite throws is an answer too.
 */
import { rmSync } from "node:fs"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import { parentPort, workerData } from "node:worker_threads"
import { invariant } from "../Invariant.ts"
import type { Opening, Reply, Request, Row, Statement } from "./SqliteProtocol.ts"

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

/** Commits what `work` does, or nothing of it. */
const transaction = <A>(begin: "BEGIN" | "BEGIN IMMEDIATE", work: () => A): A => {
  opened().exec(begin)
  try {
    const done = work()
    opened().exec("COMMIT")
    return done
  } catch (error) {
    // SQLite has ended some failed transactions by itself: then there is none to end.
    if (opened().isTransaction) opened().exec("ROLLBACK")
    throw error
  }
}

/** What makes the file one that this projection cannot go on with; undefined for its own, and for an empty one. */
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

/** The file first: what is left of a file that is gone would pass for changes of the next one of its name. */
const remove = (): void => {
  database?.close()
  database = undefined
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true })
}

/** SQLite's own texts, which begin a message: one that names a table or column of the user's has that further on. */
const damage = /^(file is not a database|database disk image is malformed|malformed database schema)/
/** What is wrong with the machine, and not with the statement: it may well be done later. */
const operating =
  /^(database or disk is full|disk I\/O error|unable to open database file|attempt to write a readonly database|database (table |schema )?is locked|out of memory)(:|$)/

const open = (): Reply => {
  let rebuiltFor: string | undefined
  try {
    connect()
    rebuiltFor = mode === "write" ? mismatch() : undefined
    if (rebuiltFor === undefined) return opening(undefined)
  } catch (error) {
    rebuiltFor = messageOf(error)
    if (mode === "read" || !damage.test(rebuiltFor)) throw error
  }
  return rebuild(rebuiltFor)
}

const opening = (rebuiltFor: string | undefined): Reply => {
  if (mode === "write") transaction("BEGIN IMMEDIATE", declare)
  return { _tag: "Opened", index: position(), rebuiltFor }
}

const rebuild = (rebuiltFor: string | undefined): Reply => {
  remove()
  connect()
  return opening(rebuiltFor)
}

const declare = (): void => {
  const tables = opened().prepare("SELECT name FROM sqlite_master WHERE name = ?").all(noteTable)
  if (tables.length > 0) return
  opened().exec(ddl)
  opened().exec(`CREATE TABLE ${noteTable} (name TEXT, version INTEGER, ddl TEXT, position INTEGER)`)
  opened().prepare(`INSERT INTO ${noteTable} VALUES (?, ?, ?, 0)`).run(name, version, ddl)
}

const run = ({ params = [], sql }: Statement): void => void prepare(sql).run(...params)

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
        failure = messageOf(error)
        if (operating.test(failure) || damage.test(failure)) throw error
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
 * As a query within a query: that is what takes no other statement, and gives no more rows than are asked for. Not by
 * iterating: Deno's iterator of rows ends without a word where SQLite fails.
 */
const query = ({ rowsMax, statement }: Extract<Request, { readonly _tag: "Query" }>): Reply =>
  transaction("BEGIN", () => {
    const index = position()
    const sql = `SELECT * FROM (\n${statement.sql.replace(/[;\s]+$/, "")}\n) LIMIT ${rowsMax + 1}`
    const asked = prepare(sql)
    // An integer that is no safe number would fail the whole query.
    asked.setReadBigInts(true)
    const rows = asked.all(...(statement.params ?? []))
    return rows.length > rowsMax ? { _tag: "TooManyRows" } : { _tag: "Rows", index, rows: rows.map(withNumbers) }
  })

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
    case "Rebuild":
      return rebuild(undefined)
    case "Query":
      return query(request)
    case "Close":
      database?.close()
      database = undefined
      return { _tag: "Closed" }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

parentPort?.on("message", ({ id, request }: { readonly id: number; readonly request: Request }) => {
  let reply: Reply
  try {
    reply = answer(request)
  } catch (error) {
    const message = messageOf(error)
    reply = { _tag: "Failed", message, isDamaged: damage.test(message) }
  }
  parentPort?.postMessage({ id, reply })
})
