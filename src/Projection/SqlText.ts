/**
 * Checks SQL for statements that a projection may not use, ignoring literals and comments. SQLite prepares the first
 * statement of a text and silently ignores the rest, so this file finds texts with more than one. Pure.
 */

/** Matches literals, quoted names and comments. It takes a doubled quote for two adjacent literals, which is good enough. */
const inert = /'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g

const isComment = (part: string): boolean => part.startsWith("--") || part.startsWith("/*")

const codeOf = (sql: string): string => sql.replace(inert, (part) => (isComment(part) ? " " : '""'))

/** Prepares a query to be nested in another: removes comments and the final semicolon. */
export const queryOf = (sql: string): string =>
  sql.replace(inert, (part) => (isComment(part) ? " " : part)).replace(/[;\s]+$/, "")

/** The node runs the transactions: a COMMIT in a statement would separate rows from their position. */
const leading = /^\s*(begin|commit|end|rollback|savepoint|release|attach|detach|pragma|vacuum)\b/i
/** A conflict or trigger that rolls back the transaction would do the same. */
const rollback = /\b(or|on\s+conflict)\s+rollback\b|\braise\s*\(\s*rollback\b/i
const second = /;\s*[^\s;]/

/** Says what is wrong with a query, if anything. */
export const wrongWithQuery = (sql: string): string | undefined =>
  second.test(codeOf(sql)) ? "more than one statement, and SQLite would ignore all after the first" : undefined

/** Says what is wrong with a statement of a projection, if anything. */
export const wrongWithStatement = (sql: string): string | undefined =>
  leading.test(codeOf(sql))
    ? "a statement may not begin or end a transaction, nor change the connection"
    : (wrongWithDdl(sql) ?? wrongWithQuery(sql))

/** Says what is wrong with the statements that create a projection's tables, if anything. */
export const wrongWithDdl = (sql: string): string | undefined =>
  rollback.test(codeOf(sql))
    ? "a conflict may not roll back the whole transaction: use ABORT, which refuses only the entry"
    : undefined
