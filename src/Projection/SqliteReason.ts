/** Which of a few things an error of SQLite's is. Pure: by its result code, or, where a runtime tells none, by its text. */
import type { SqliteReason } from "./SqliteProtocol.ts"

/** SQLITE_CORRUPT, SQLITE_NOTADB. */
const unusableCodes = [11, 26]
/** SQLITE_PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL. */
const passingCodes = [3, 5, 6, 7, 8, 10, 13, 14, 15]

/** SQLite's own texts, which begin a message: one that names a table or column of the user's has that further on. */
const unusableTexts = /^(file is not a database|database disk image is malformed|malformed database schema)/
const passingTexts =
  /^(database or disk is full|disk I\/O error|unable to open database file|attempt to write a readonly database|database (table |schema )?is locked|out of memory|locking protocol|access permission denied)(:|$)/

/** What the runtimes' errors have: of an extended code the low byte is the code (https://sqlite.org/rescode.html). */
export interface SqliteError {
  readonly errcode?: unknown
  readonly message: string
}

export const reasonOf = ({ errcode, message }: SqliteError): SqliteReason => {
  if (typeof errcode === "number") {
    const code = errcode & 0xff
    return unusableCodes.includes(code) ? "unusable" : passingCodes.includes(code) ? "passing" : "refused"
  }
  return unusableTexts.test(message) ? "unusable" : passingTexts.test(message) ? "passing" : "refused"
}
