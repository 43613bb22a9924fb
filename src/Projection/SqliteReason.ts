/** Classifies an error of SQLite by its result code or, if the runtime gives none, by its text. Pure. */
import type { SqliteReason } from "./SqliteProtocol.ts"

/** SQLITE_CORRUPT, SQLITE_NOTADB. */
const unusableCodes = [11, 26]
/** SQLITE_PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL. */
const passingCodes = [3, 5, 6, 7, 8, 10, 13, 14, 15]

/** SQLite's own texts at the beginning of a message. Names of the user's tables and columns come later in a message. */
const unusableTexts = /^(file is not a database|database disk image is malformed|malformed database schema)/
const passingTexts =
  /^(database or disk is full|disk I\/O error|unable to open database file|attempt to write a readonly database|database (table |schema )?is locked|out of memory|locking protocol|access permission denied)(:|$)/

/** The members of the runtimes' errors. The low byte of an extended code is the code (https://sqlite.org/rescode.html). */
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
