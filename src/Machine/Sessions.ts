/**
 * What became of requests that carried an idempotency key, so that a copy is answered and not done again. Pure.
 * Part of the tables: it survives leaders, restarts and snapshots. Raft diss. 6.3; RAFT.md C17.
 */
import type { Answer } from "./decide.ts"
import type { Rejection } from "./Rejection.ts"
import * as StateHash from "./StateHash.ts"
import type { Tables } from "./Tables.ts"
import type { Transaction } from "./Transaction.ts"

/** Keys held at once. A full table refuses new keyed commands: a held key is never evicted before it expires. */
export const sessionsMax = 100_000

/** How long a key is remembered, in the log's own age: at least so long in time, and longer where the cluster stood still. */
export const sessionLifetimeMs = 24 * 60 * 60 * 1000

/** The outcome of the entry at `index`. */
export interface Session {
  readonly fingerprint: string | undefined
  readonly index: number
  readonly logAgeMs: number
  readonly result:
    | { readonly _tag: "Accepted"; readonly answer: Answer }
    | { readonly _tag: "Rejected"; readonly rejection: Rejection }
}

/** Keys of two principals are never the same key. */
export const keyOf = (origin: { readonly principal?: string; readonly key: string }): string =>
  JSON.stringify([origin.principal ?? null, origin.key])

/** What became of a key, unless it has expired at that age of the log. */
export const find = (
  tables: Tables,
  origin: { readonly principal?: string; readonly key: string },
  logAgeMs: number
): Session | undefined => {
  const session = tables.sessions.get(keyOf(origin))
  return session === undefined || isExpired(session, logAgeMs) ? undefined : session
}

/** Whether a new key finds no room at that age of the log. */
export const isFull = (tables: Tables, logAgeMs: number): boolean => {
  if (tables.sessions.size < sessionsMax) return false
  const oldest = oldestOf(tables)
  return oldest === undefined || !isExpired(oldest.session, logAgeMs)
}

/** For `evolve`: drops what has expired, then notes the outcome of a keyed transaction. */
export const note = (tables: Tables, index: number, transaction: Transaction, answer: Answer): void => {
  for (let oldest = oldestOf(tables); oldest !== undefined; oldest = oldestOf(tables)) {
    if (!isExpired(oldest.session, transaction.logAgeMs)) break
    drop(tables, oldest.key, oldest.session)
  }
  const { fingerprint, key, logAgeMs, outcome } = transaction
  if (key === undefined) return
  const name = keyOf({ ...transaction, key })
  const held = tables.sessions.get(name)
  if (held !== undefined) drop(tables, name, held)
  const result = outcome._tag === "Accepted" ? ({ _tag: "Accepted", answer } as const) : outcome
  const session: Session = { fingerprint, index, logAgeMs, result }
  tables.sessions.set(name, session)
  tables.sessionOrder.set(index, name)
  StateHash.add(tables.hash, elementOf(name, session))
}

const drop = (tables: Tables, key: string, session: Session): void => {
  tables.sessions.delete(key)
  tables.sessionOrder.delete(session.index)
  StateHash.remove(tables.hash, elementOf(key, session))
}

const oldestOf = (tables: Tables): { readonly key: string; readonly session: Session } | undefined => {
  const index = tables.sessionOrder.minKey()
  const key = index === undefined ? undefined : tables.sessionOrder.get(index)
  const session = key === undefined ? undefined : tables.sessions.get(key)
  return key === undefined || session === undefined ? undefined : { key, session }
}

const isExpired = (session: Session, logAgeMs: number): boolean => logAgeMs - session.logAgeMs > sessionLifetimeMs

const elementOf = (key: string, { fingerprint, index, logAgeMs, result }: Session): string =>
  `session ${JSON.stringify([key, fingerprint ?? null, index, logAgeMs, result._tag])}`
