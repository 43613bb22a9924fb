/**
 * What a text of SQL may not say, seen without its literals and comments. SQLite prepares the first statement of a text
 * and passes over the rest without a word, on every runtime: so what is more than one is found here. Pure.
 */

/** Literals, quoted names and comments. A doubled quote is two literals, one after the other: that is as good. */
const inert = /'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g

const isComment = (part: string): boolean => part.startsWith("--") || part.startsWith("/*")

const codeOf = (sql: string): string => sql.replace(inert, (part) => (isComment(part) ? " " : '""'))

/** A query as one that may stand within another: without comments, and without the semicolon that ends it. */
export const queryOf = (sql: string): string =>
  sql.replace(inert, (part) => (isComment(part) ? " " : part)).replace(/[;\s]+$/, "")

/** Transactions are the projection's own: a COMMIT among its statements would tear rows and position apart. */
const leading = /^\s*(begin|commit|end|rollback|savepoint|release|attach|detach|pragma|vacuum)\b/i
/** So would a conflict that ends the transaction, or a trigger that does. */
const rollback = /\b(or|on\s+conflict)\s+rollback\b|\braise\s*\(\s*rollback\b/i
const second = /;\s*[^\s;]/

/** What is wrong with a text that is to be one query. */
export const wrongWithQuery = (sql: string): string | undefined =>
  second.test(codeOf(sql)) ? "more than one statement: what follows the semicolon would not be run" : undefined

/** What is wrong with a text that is to be one statement of a projection. */
export const wrongWithStatement = (sql: string): string | undefined =>
  leading.test(codeOf(sql))
    ? "a statement may not begin or end a transaction, nor change the connection"
    : (wrongWithDdl(sql) ?? wrongWithQuery(sql))

/** What is wrong with the statements that make a projection's tables. */
export const wrongWithDdl = (sql: string): string | undefined =>
  rollback.test(codeOf(sql)) ? "a conflict may not roll back the whole transaction: ABORT refuses the entry" : undefined
